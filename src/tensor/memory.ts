/**
 * Bytes behind values: who shares a storage, when it goes back to the pool, and what tf.memory() counts. Nothing here holds a
 * tensor: what nobody holds is the garbage collector's, and a FinalizationRegistry only corrects the counts. Knows storages,
 * never operations.
 */
import { StoragePool } from '../runtime/storage.ts';
import type { Storage } from '../runtime/storage.ts';
import type { DType, TypedArray } from '../types/dtype.ts';
import { dtypes, pack } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';

/** The pool that all tensors take their storages from. */
export const pool = new StoragePool();

/** Live counts, for tf.memory(). */
export const counts = { tensors: 0, buffers: 0, bytes: 0, peakBytes: 0, compilations: 0, programs: 0, programBytes: 0 };

/** What is left of a batch: tensors that were not disposed, buffers that were not released, and their bytes. */
interface Tally {
  tensors: number;
  buffers: number;
  bytes: number;
}

/**
 * What the garbage collector takes is counted in batches: a registration for each tensor would itself pile up in a loop that
 * never yields. A batch is taken off the counts when all of its members are gone, so without dispose or tidy the counts are an
 * upper bound; with them they are exact.
 */
class Batch {
  readonly tally: Tally = { tensors: 0, buffers: 0, bytes: 0 };
  members = 0;
}

const BATCH_MEMBERS = 256;
const BATCH_BYTES = 2 ** 20;

const collected = new FinalizationRegistry<Tally>((tally) => {
  counts.tensors -= tally.tensors;
  counts.buffers -= tally.buffers;
  counts.bytes -= tally.bytes;
});

let batch = newBatch();

function newBatch(): Batch {
  const fresh = new Batch();
  collected.register(fresh, fresh.tally);
  return fresh;
}

function openBatch(): Batch {
  if (batch.members >= BATCH_MEMBERS || batch.tally.bytes >= BATCH_BYTES) batch = newBatch();
  batch.members++;
  return batch;
}

/** Counts a tensor; it is to hold what comes back, and to give it to discountTensor when it is disposed. */
export function countTensor(): Batch {
  const mine = openBatch();
  mine.tally.tensors++;
  counts.tensors++;
  return mine;
}

export function discountTensor(mine: Batch): void {
  mine.tally.tensors--;
  counts.tensors--;
}

export type { Batch };

/** Asynchronous runs are numbered; they end in order. */
let startedRuns = 0;
let finishedRuns = 0;
const afterRun: { run: number; storage: Storage }[] = [];

/** Notes that a run has begun which the caller does not wait for; returns its number. */
export function beginRun(): number {
  return ++startedRuns;
}

/** Notes that run `run`, and with it every earlier one, has ended. */
export function endRun(run: number): void {
  finishedRuns = Math.max(finishedRuns, run);
  while (afterRun.length > 0 && afterRun[0].run <= finishedRuns) pool.release(afterRun.shift()!.storage);
}

export function isFinished(run: number): boolean {
  return run <= finishedRuns;
}

export function anyRunInFlight(): boolean {
  return finishedRuns < startedRuns;
}

/** Back to the pool; but not before the runs in flight, which may still use it, have ended. */
export function releaseStorage(storage: Storage): void {
  if (anyRunInFlight()) afterRun.push({ run: startedRuns, storage });
  else pool.release(storage);
}

let stamps = 0;

/** The bytes of one or more values (a reshape shares those of its input). */
export class TensorData {
  readonly storage: Storage;
  /** Values that share it. */
  refs = 1;
  /** The asynchronous run that writes it last, 0 for none. */
  run = 0;
  /** Another number whenever the bytes may be others than before, in this or any other data. */
  stamp = ++stamps;
  /** Settles with that run. */
  written: Promise<void> | null = null;
  /** Why that run failed. */
  error: unknown = null;
  readonly #byteLength: number;
  /** Where it is counted; null where it is not: numbers that were lifted out of a graph. */
  readonly #batch: Batch | null;

  constructor(storage: Storage, byteLength: number, counted = true) {
    this.storage = storage;
    this.#byteLength = byteLength;
    this.#batch = counted ? openBatch() : null;
    this.#count(1);
    if (counts.bytes > counts.peakBytes) counts.peakBytes = counts.bytes;
  }

  #count(sign: 1 | -1): void {
    if (this.#batch === null) return;
    const { tally } = this.#batch;
    tally.buffers += sign;
    tally.bytes += sign * this.#byteLength;
    counts.buffers += sign;
    counts.bytes += sign * this.#byteLength;
  }

  /** Notes that a program is about to write over it. */
  touch(): void {
    this.stamp = ++stamps;
  }

  share(): TensorData {
    this.refs++;
    return this;
  }

  release(): void {
    if (--this.refs > 0) return;
    this.#count(-1);
    releaseStorage(this.storage);
  }
}

export function byteLengthOf(type: TensorType): number {
  return sizeOf(type.shape) * dtypes[type.dtype].bytes;
}

/** Fresh bytes for a value; contents are undefined. */
export function allocateData(type: TensorType): TensorData {
  const bytes = byteLengthOf(type);
  return new TensorData(pool.allocate(bytes), bytes);
}

/** Fresh bytes that hold a copy of `values`. */
export function uploadData(dtype: DType, values: TypedArray, counted = true): TensorData {
  const bytes = values.length * dtypes[dtype].bytes;
  const data = new TensorData(pool.allocate(bytes), bytes, counted);
  pack(dtype, values, data.storage.view(dtype, values.length));
  return data;
}
