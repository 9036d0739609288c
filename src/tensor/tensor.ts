/**
 * Tensor: what users hold. A tensor is a handle of a graph value; it computes nothing until its elements are read. Its
 * mathematics is in api/: here is only what every tensor has.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { sameShape, showShape, sizeOf, stridesOf } from '../types/shape.ts';
import { TensorBuffer } from './buffer.ts';
import { cellOf, dropHandle } from './cell.ts';
import { onStandInsOf, recorder } from './context.ts';
import { isChecking } from './environment.ts';
import { DEPTH_LIMIT, evaluateValues } from './evaluate.ts';
import { complexTexts, formatTensor, toNested } from './format.ts';
import { countTensor, discountTensor } from './memory.ts';
import type { Batch } from './memory.ts';
import { readAsync, readSync, settleAsync } from './read.ts';
import { trackTensor } from './scope.ts';
import type { ArrayMap, DataType, DataTypeMap, NumericDataType, Rank, ShapeMap } from './types.ts';

let nextTensorId = 0;

export class Tensor<R extends Rank = Rank> {
  readonly id: number = nextTensorId++;
  readonly shape: ShapeMap[R];
  readonly dtype: DataType;
  /** Number of elements. */
  readonly size: number;
  /** Set by keep(): tidy leaves it alone. */
  kept = false;
  #value: Value;
  #disposed = false;
  readonly #batch: Batch = countTensor();

  /** @internal Users make tensors with tf.tensor and its like. The value of a complex64 tensor is its planes, [2, ...shape]. */
  constructor(value: Value, dtype: DataType = value.dtype) {
    this.#value = value;
    this.shape = (dtype === 'complex64' ? value.shape.slice(1) : value.shape) as ShapeMap[R];
    this.dtype = dtype;
    this.size = sizeOf(this.shape);
    cellOf(value).handles++;
  }

  /** The graph value behind the tensor; throws where the tensor was disposed. */
  get value(): Value {
    if (this.#disposed) this.throwIfDisposed();
    return this.#value;
  }

  /** Lets the handle stand for another value of the same type. */
  protected replaceValue(next: Value): void {
    const old = this.#value;
    cellOf(next).handles++;
    this.#value = next;
    dropHandle(old);
  }

  get rank(): number {
    return this.shape.length;
  }

  get rankType(): R {
    return `R${this.shape.length}` as R;
  }

  /** Row-major strides in elements, without the last axis, as in TensorFlow.js. */
  get strides(): number[] {
    return stridesOf(this.shape).slice(0, -1);
  }

  /** Identifies the elements: two handles of one value have the same. Opaque. */
  get dataId(): object {
    return this.#value;
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }

  throwIfDisposed(op = 'tensor'): void {
    if (!this.#disposed) return;
    fail(
      op,
      'a tensor must not be used after it was disposed',
      `got a disposed ${this.dtype} tensor of shape ${showShape(this.shape)}`,
      'return it from tidy, or keep() it',
    );
  }

  // ---- reading ---------------------------------------------------------------------------------------------------------

  /**
   * The elements, in row-major order; computes them while the event loop stays free. The array is the caller's own. Of complex64
   * real and imaginary parts alternate.
   */
  data<D extends DataType = NumericDataType>(): Promise<DataTypeMap[D]> {
    try {
      const elements = readAsync(this.value);
      return (this.dtype === 'complex64' ? elements.then(interleave) : elements) as Promise<DataTypeMap[D]>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The elements, in row-major order; computes them now. The array is the caller's own. Of complex64 parts alternate. */
  dataSync<D extends DataType = NumericDataType>(): DataTypeMap[D] {
    const elements = readSync(this.value);
    return (this.dtype === 'complex64' ? interleave(elements) : elements) as DataTypeMap[D];
  }

  /**
   * The elements as nested lists; a number for a scalar. bool gives 0 and 1. As in TensorFlow.js the innermost lists of complex64
   * are twice as long, real and imaginary parts in turn, and of a complex scalar it is the real part alone: see data().
   */
  async array(): Promise<ArrayMap[R]> {
    return toNested(listShape(this), await this.data()) as ArrayMap[R];
  }

  arraySync(): ArrayMap[R] {
    return toNested(listShape(this), this.dataSync()) as ArrayMap[R];
  }

  /** The elements in a buffer that can be read and written by coordinates. */
  async buffer<D extends DataType = NumericDataType>(): Promise<TensorBuffer<R, D>> {
    return new TensorBuffer<R, D>(this.shape, this.dtype as D, await this.data<D>());
  }

  bufferSync<D extends DataType = NumericDataType>(): TensorBuffer<R, D> {
    return new TensorBuffer<R, D>(this.shape, this.dtype as D, this.dataSync<D>());
  }

  /** The bytes of the elements; of a string tensor those of each element. */
  async bytes(): Promise<Uint8Array | Uint8Array[]> {
    const data = await this.data();
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }

  /** Computes the tensor without copying it out; resolves to the tensor itself. */
  async ready(): Promise<this> {
    await settleAsync(this.value);
    return this;
  }

  /** Writes the elements to the console. */
  print(verbose = false): void {
    console.log(this.toString(verbose));
  }

  toString(verbose = false): string {
    const elements = this.dataSync<NumericDataType>();
    const shown = this.dtype === 'complex64' ? complexTexts(elements) : elements;
    return formatTensor(this.shape, this.dtype, shown, verbose);
  }

  /** How a debugger shows it: never computes anything. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Tensor ${this.dtype}${showShape(this.shape)}${this.#disposed ? ' (disposed)' : ''}`;
  }

  // ---- lifetime --------------------------------------------------------------------------------------------------------

  /** Gives up the tensor: its memory is free for reuse as soon as nothing pending needs it. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    discountTensor(this.#batch);
    dropHandle(this.#value);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A further handle of the same value; no elements are copied. */
  clone(): Tensor<R> {
    return wrap<R>(this.value, this.dtype);
  }

  /** True where the other tensor has the same shape. */
  hasShapeOf(other: Tensor): boolean {
    return sameShape(this.shape, other.shape);
  }
}

/** Real and imaginary planes as one array in which they alternate. */
function interleave(planes: ArrayLike<number>): Float32Array {
  const size = planes.length / 2;
  const out = new Float32Array(planes.length);
  for (let i = 0; i < size; i++) {
    out[2 * i] = planes[i];
    out[2 * i + 1] = planes[size + i];
  }
  return out;
}

/** The shape of nested lists. */
function listShape({ shape, dtype, rank }: Tensor): number[] {
  return dtype === 'complex64' && rank > 0 ? shape.with(-1, 2 * shape[rank - 1]) : shape;
}

/** Debug mode: computes the value here and throws where it holds no ordinary number. */
function checkNumbers(value: Value): void {
  const { op } = value;
  if (value.dtype !== 'float32' || op.inputs.length === 0) return;
  // A composite with a gradient of its own is wrapped into this row.
  const name = op.kind === 'identityWithGradient' ? op.inputs[0].op.kind : op.kind;
  evaluateValues([value]);
  const bad = readSync(value).find((x) => !Number.isFinite(x));
  if (bad === undefined) return;
  fail(name, 'the result must be finite in debug mode', `shape ${showShape(value.shape)} holds ${bad}`);
}

/**
 * A tensor for a graph value, which is a pair of planes where the dtype is complex64. What computes too long a chain is computed
 * here, so that a loop cannot grow without bound.
 */
export function wrap<R extends Rank = Rank>(value: Value, dtype: DataType = value.dtype): Tensor<R> {
  const tensor = new Tensor<R>(value, dtype);
  const active = recorder();
  if (active) active.record(value, dtype);
  else if (isChecking() && onStandInsOf() === null) checkNumbers(value);
  else if (value.op.depth > DEPTH_LIMIT && onStandInsOf() === null) evaluateValues([value]);
  trackTensor(tensor);
  return tensor;
}
