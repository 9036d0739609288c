/** Copies elements out of values, computing them where needed. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import type { TypedArray } from '../types/dtype.ts';
import { unpack } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { dataOf } from './cell.ts';
import { recorder } from './context.ts';
import { evaluateValues, evaluateValuesAsync, finishRuns } from './evaluate.ts';
import { isFinished } from './memory.ts';
import type { TensorData } from './memory.ts';

function checkReadable(value: Value): void {
  if (dataOf(value) || recorder()?.kind !== 'jit') return;
  fail(
    'jit',
    'a value must not be read while a function is traced: nothing is computed then',
    `a ${value.op.kind} was read`,
    'return it from the function and read it outside',
  );
}

function copyOut(value: Value, data: TensorData): TypedArray {
  if (data.error) throw data.error;
  return unpack(value.dtype, data.storage.view(value.dtype, sizeOf(value.shape)));
}

/** Waits for a run that still writes the data. */
function waitFor(data: TensorData): void {
  if (data.written && !isFinished(data.run)) finishRuns();
}

/** Data that is there and written. */
export function settledData(value: Value): TensorData {
  checkReadable(value);
  evaluateValues([value]);
  const data = dataOf(value)!;
  waitFor(data);
  if (data.error) throw data.error;
  return data;
}

export function readSync(value: Value): TypedArray {
  return copyOut(value, settledData(value));
}

export async function settleAsync(value: Value): Promise<void> {
  checkReadable(value);
  await evaluateValuesAsync([value]);
}

/** A pin would be too much: the data is held by the closure, and its storage is copied before anything else can run. */
export async function readAsync(value: Value): Promise<TypedArray> {
  checkReadable(value);
  const finished = evaluateValuesAsync([value]);
  const data = dataOf(value)!.share();
  try {
    await finished;
    return copyOut(value, data);
  } finally {
    data.release();
  }
}
