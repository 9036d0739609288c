/**
 * Bytes behind values: who shares a storage, when it goes back to the pool, and what tf.memory() counts. Nothing here holds a
 * tensor: what nobody holds is the garbage collector's, and a FinalizationRegistry only corrects the counts. Knows storages,
 * never operations.
 */
import { StoragePool } from '../runtime/storage.ts';
import type { Storage } from '../runtime/storage.ts';
import type { DType, TypedArray } from '../types/dtype.ts';
import { dtypes } from '../types/dtype.ts';
import type { TensorType } from '../types/shape.ts';
import { sizeOf } from '../types/shape.ts';

/** The pool that all tensors take their storages from. */
export const pool = new StoragePool();

/** Live counts, for tf.memory(). */
export const counts = { tensors: 0, buffers: 0, bytes: 0, peakBytes: 0, compilations: 0, programs: 0, programBytes: 0 };

/** What the registry keeps of a tensor or a buffer: its bytes, or -1 for a handle; `gone` once released by hand. */
interface Receipt {
  readonly bytes: number;
  gone: boolean;
}

function settle(receipt: Receipt): void {
  if (receipt.gone) return;
  receipt.gone = true;
  if (receipt.bytes < 0) {
    counts.tensors--;
    return;
  }
  counts.buffers--;
  counts.bytes -= receipt.bytes;
}

const collected = new FinalizationRegistry<Receipt>(settle);

/** Counts a handle until `returned` is called with the receipt or `holder` is collected. */
export function countTensor(holder: object): Receipt {
  const receipt: Receipt = { bytes: -1, gone: false };
  counts.tensors++;
  collected.register(holder, receipt);
  return receipt;
}

export { settle as returned };
export type { Receipt };

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

/** The bytes of one or more values (a reshape shares those of its input). */
export class TensorData {
  readonly storage: Storage;
  /** Values that share it. */
  refs = 1;
  /** The asynchronous run that writes it last, 0 for none. */
  run = 0;
  /** Settles with that run. */
  written: Promise<void> | null = null;
  /** Why that run failed. */
  error: unknown = null;
  readonly #receipt: Receipt;

  /** `counted` is false for what users never asked for: numbers that were lifted out of a graph. */
  constructor(storage: Storage, byteLength: number, counted = true) {
    this.storage = storage;
    this.#receipt = { bytes: byteLength, gone: !counted };
    if (!counted) return;
    counts.buffers++;
    counts.bytes += byteLength;
    if (counts.bytes > counts.peakBytes) counts.peakBytes = counts.bytes;
    collected.register(this, this.#receipt);
  }

  share(): TensorData {
    this.refs++;
    return this;
  }

  release(): void {
    if (--this.refs > 0) return;
    settle(this.#receipt);
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
  data.storage.view(dtype, values.length).set(values);
  return data;
}
