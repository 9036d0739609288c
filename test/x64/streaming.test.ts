/** Stores past the caches: which are chosen, and that what they write is there, also where a buffer does not begin a cache line. */
import { describe, expect, it } from 'vitest';
import { streamsOf } from '../../src/codegen/x64/streaming.ts';
import { KernelBuilder } from '../../src/kernel/builder.ts';
import type { Kernel } from '../../src/kernel/ir.ts';
import { constant, plus, times, variable } from '../../src/kernel/ir.ts';
import { verifyKernel } from '../../src/kernel/verifier.ts';
import { Storage } from '../../src/runtime/storage.ts';
import { allLanes, device, generate, programOf, reason, storageOf } from './harness.ts';

const LARGE = 2 ** 23;

interface Choices {
  readonly size?: number;
  readonly step?: number;
  readonly offset?: number;
  readonly lanes?: number;
  readonly readBack?: boolean;
}

/** out[step * row + column + offset] = 2 x[step * row + column] for 128 columns of each row. */
function doubled({ size = LARGE, step = 128, offset = 0, lanes = 16, readBack = false }: Choices = {}): Kernel {
  const b = new KernelBuilder(16);
  const x = b.param('x', 'f32', size, 'read');
  const out = b.param('out', 'f32', size, 'write');
  const rows = Math.floor((size - offset - 128) / step) + 1;
  b.region('row', rows, (row) => {
    b.loop(
      'column',
      0,
      128,
      (column) => {
        const at = plus(times(variable(row), step), variable(column));
        const value = b.load(x, at, 1, lanes);
        b.store(out, plus(at, constant(offset)), 1, lanes, b.binary('add', value, value));
        if (readBack)
          b.store(out, plus(at, constant(offset)), 1, lanes, b.load(out, plus(at, constant(offset)), 1, lanes));
      },
      { step: lanes },
    );
  });
  return b.build('doubled', { flops: size, bytes: 8 * size });
}

const streamed = (choices?: Choices) => streamsOf(doubled(choices), doubled(choices).regions[0]).params;

describe('stores past the caches', () => {
  it('are whole lines of large buffers that are only written', () => {
    const kernel = doubled();
    expect(streamsOf(kernel, kernel.regions[0]).stores.size).toBe(1);
    expect(streamed()).toEqual([1]);
    expect(streamed({ offset: 32, step: 144 })).toEqual([1]);
  });

  it('are not chosen for what stays in a cache, is read back, or is no whole line', () => {
    expect(streamed({ size: LARGE - 1 })).toEqual([]);
    expect(streamed({ readBack: true })).toEqual([]);
    expect(streamed({ lanes: 8 })).toEqual([]);
  });

  it('are not chosen where an address may lie beside a line', () => {
    expect(streamed({ offset: 8 })).toEqual([]);
    expect(streamed({ step: 136 })).toEqual([]);
    expect(streamed({ step: 129 })).toEqual([]);
  });
});

describe.skipIf(reason !== null || !allLanes.includes(16))('stores past the caches on x64', () => {
  it.each([0, 4, 60])('write what they should to a buffer %i bytes behind a line', (skip) => {
    const kernel = doubled();
    verifyKernel(kernel);
    const image = generate([kernel], true);
    expect(image.listing).toContain('vmovntps');
    const x = storageOf(new Float32Array(LARGE).map((_, i) => i % 4099));
    const room = storageOf(new Float32Array(LARGE + 16));
    const out = new Storage(room.bytes.subarray(skip, skip + 4 * LARGE));
    for (const threads of [1, 2]) {
      room.bytes.fill(0);
      const executable = device(threads).load(programOf(kernel), image);
      executable.run([x, out], []);
      executable.dispose();
      const wrong = out.view('float32', LARGE).findIndex((value, i) => value !== 2 * (i % 4099));
      expect(wrong).toBe(-1);
    }
  });
});
