/**
 * Tensors of strings. Their elements are bytes on the host, UTF-8 where they came from JavaScript strings, and no graph ever
 * sees them: what only moves elements runs on their positions instead, as int32, and picks the strings afterwards. So every
 * op that moves elements works for strings as it does for numbers. Knows no string operation.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { Operation, topologicalOrder } from '../graph/graph.ts';
import { evaluateGraph } from '../ops/evaluate.ts';
import type { NDArray } from '../ops/row.ts';
import type { Shape } from '../types/shape.ts';
import { checkCount, checkShape, showShape, sizeOf } from '../types/shape.ts';
import { TensorBuffer } from './buffer.ts';
import { hasData } from './cell.ts';
import { eagerly } from './context.ts';
import { formatTensor, toNested } from './format.ts';
import { parameter } from './plan.ts';
import { readSync } from './read.ts';
import { tidy, trackTensor } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';
import type { ArrayMap, DataTypeMap, DataType, Rank } from './types.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A string as UTF-8. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 as a string; what is not valid becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** A value that stands for the tensor where something asks for its type only; it never has data. */
function placeholderOf(shape: Shape): Value {
  return new Operation('parameter', [], { shape, dtype: 'bool' }, [{ dtype: 'bool', shape }]).outputs[0];
}

/** Made with makeStrings, tf.tensor of strings, and what moves the elements of such tensors. */
export class StringTensor<R extends Rank = Rank> extends Tensor<R> {
  /** The elements in row-major order. Not to be changed: other tensors may share them. */
  #elements: readonly Uint8Array[];

  /** @internal */
  constructor(shape: Shape, elements: readonly Uint8Array[]) {
    super(placeholderOf([...shape]), 'string');
    this.#elements = elements;
  }

  /** The elements as bytes, in row-major order. Shared: not to be changed. */
  get elements(): readonly Uint8Array[] {
    this.throwIfDisposed();
    return this.#elements;
  }

  override get value(): Value {
    this.throwIfDisposed();
    return fail(
      'string',
      'a string tensor can only be moved, compared and read',
      `got a string tensor of shape ${showShape(this.shape)} where numbers are computed`,
      'convert it to numbers first',
    );
  }

  override dispose(): void {
    super.dispose();
    this.#elements = [];
  }

  override clone(): StringTensor<R> {
    return tracked(new StringTensor<R>(this.shape, this.elements));
  }

  override async data<D extends DataType = 'string'>(): Promise<DataTypeMap[D]> {
    return this.dataSync<D>();
  }

  override dataSync<D extends DataType = 'string'>(): DataTypeMap[D] {
    return this.elements.map(decodeText) as DataTypeMap[D];
  }

  override async array(): Promise<ArrayMap[R]> {
    return this.arraySync();
  }

  override arraySync(): ArrayMap[R] {
    return toNested(this.shape, this.dataSync<'string'>()) as unknown as ArrayMap[R];
  }

  override async buffer<D extends DataType = 'string'>(): Promise<TensorBuffer<R, D>> {
    return this.bufferSync<D>();
  }

  override bufferSync<D extends DataType = 'string'>(): TensorBuffer<R, D> {
    return new TensorBuffer<R, D>(this.shape, this.dtype as D, this.dataSync<D>());
  }

  /** The bytes of each element. */
  override async bytes(): Promise<Uint8Array[]> {
    return this.elements.map((bytes) => bytes.slice());
  }

  override async ready(): Promise<this> {
    this.throwIfDisposed();
    return this;
  }

  override toString(verbose = false): string {
    return formatTensor(this.shape, this.dtype, this.dataSync<'string'>(), verbose);
  }
}

function tracked<T extends Tensor>(tensor: T): T {
  trackTensor(tensor);
  return tensor;
}

/** A string tensor of the elements in row-major order. */
export function makeStrings<R extends Rank = Rank>(
  elements: readonly (string | Uint8Array)[],
  shape: Shape,
  op = 'tensor',
): StringTensor<R> {
  checkShape(op, shape);
  checkCount(op, shape);
  if (elements.length !== sizeOf(shape)) {
    fail(op, `shape ${showShape(shape)} needs ${sizeOf(shape)} values`, `got ${elements.length}`);
  }
  const bytes = elements.map((element, i) => {
    if (typeof element === 'string') return encodeText(element);
    if (element instanceof Uint8Array) return element.slice();
    return fail(op, 'every element must be a string or a Uint8Array', `element ${i} is ${typeof element}`);
  });
  return tracked(new StringTensor<R>(shape, bytes));
}

export function isStrings(x: unknown): x is StringTensor {
  return x instanceof StringTensor;
}

/** Adds what else the values depend on: data of other tensors, as indices to gather at. */
function feedKnown(values: readonly Value[], feeds: Map<Value, NDArray>): void {
  const add = (value: Value) => {
    if (feeds.has(value) || !hasData(value)) return;
    feeds.set(value, { dtype: value.dtype, shape: value.shape, data: readSync(value) });
  };
  for (const value of values) add(value);
  for (const op of topologicalOrder(values, (value) => feeds.has(value) || hasData(value))) op.inputs.forEach(add);
}

/**
 * What `move` does with the elements of the tensors, which may only be moved: it gets tensors of positions (int32, of the same
 * shapes) and returns those of the results. Runs on the host, whatever the backend, and inside jit as well.
 */
export function moveStrings(
  tensors: readonly StringTensor[],
  move: (positions: Tensor<Rank>[]) => readonly Tensor[],
): StringTensor[] {
  const all = tensors.flatMap((tensor) => tensor.elements);
  const feeds = new Map<Value, NDArray>();
  let first = 0;
  const sources = tensors.map(({ shape, size }) => {
    const value = parameter({ dtype: 'int32', shape: [...shape] });
    feeds.set(value, { dtype: 'int32', shape, data: Int32Array.from({ length: size }, (_, i) => first + i) });
    first += size;
    return value;
  });
  let moved: readonly NDArray[] = [];
  eagerly(() =>
    tidy(() => {
      const results = move(sources.map((value) => wrap(value)));
      const values = results.map((result) => result.value);
      feedKnown(values, feeds);
      moved = evaluateGraph(values, feeds);
    }),
  );
  return moved.map(({ shape, data }) =>
    tracked(
      new StringTensor(
        shape,
        Array.from(data, (position) => all[position]),
      ),
    ),
  );
}
