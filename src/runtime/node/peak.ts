/** The machine's own limits: an emitted multiply-add loop and an emitted copy, run as programs are. */
import { x64Layout } from '../../kernel/image.ts';
import type { Ffi } from './ffi.ts';
import { bytesAt } from './ffi.ts';
import { NativeBlock } from './native-block.ts';
import type { Platform } from './platform.ts';
import type { Team } from './team.ts';

const { record, job } = x64Layout;

const PEAK_ITERATIONS = 100_000;
const COPY_BYTES = 64 * 2 ** 20;
const COPY_CHUNK = 1 * 2 ** 20;
const REPEATS = 7;

export function measurePeak(
  ffi: Ffi,
  platform: Platform,
  team: Team,
  entry: 'peak' | 'peakWide',
): { gflops: number; copyBytesPerSecond: number } {
  const flops = PEAK_ITERATIONS * team.driver.peakFlops[entry] * team.threads;
  const peakSeconds = best(prepare(ffi, team, entry, team.threads, [PEAK_ITERATIONS]));
  const source = platform.allocate(COPY_BYTES);
  const target = platform.allocate(COPY_BYTES);
  // Pages that were never written are all one page of zeros.
  bytesAt(ffi, source, COPY_BYTES).fill(1);
  try {
    const args = [source, target, COPY_CHUNK];
    const copySeconds = best(prepare(ffi, team, 'copy', COPY_BYTES / COPY_CHUNK, args));
    // What is read and what is written both cross the memory bus.
    return { gflops: flops / peakSeconds / 1e9, copyBytesPerSecond: (2 * COPY_BYTES) / copySeconds };
  } finally {
    platform.free(source, COPY_BYTES);
    platform.free(target, COPY_BYTES);
  }
}

/** A program of one record. */
function prepare(
  ffi: Ffi,
  team: Team,
  entry: 'peak' | 'peakWide' | 'copy',
  chunks: number,
  args: readonly number[],
): () => number {
  const table = job.size + record.size;
  const block = new NativeBlock(ffi, table + 64);
  block.setAddress(job.control, team.controlAddress);
  block.setAddress(job.begin, block.address + job.size);
  block.setAddress(job.end, block.address + table);
  block.setAddress(job.errors, block.address + table + 56);
  block.i32[job.parallel / 4] = team.threads > 1 ? 1 : 0;
  block.setAddress(job.size + record.entry, team.entry(entry));
  block.setAddress(job.size + record.args, block.address + table);
  block.i32[(job.size + record.extent) / 4] = chunks;
  block.i32[(job.size + record.endsStage) / 4] = 1;
  block.i32[(job.size + record.stageChunks) / 4] = chunks;
  args.forEach((arg, i) => {
    block.setAddress(table + 8 * i, arg);
  });
  return () => {
    const start = process.hrtime.bigint();
    team.run({ block, offset: 0 });
    return Number(process.hrtime.bigint() - start) / 1e9;
  };
}

/** The least of several times: other work on the machine only ever adds. */
function best(measure: () => number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < REPEATS; i++) least = Math.min(least, measure());
  return least;
}
