/** TensorBuffer: elements that can be read and written by coordinates, before they become a tensor. */
import { fail } from '../base/errors.ts';
import { checkDType, newArray } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { checkShape, showShape, sizeOf, stridesOf } from '../types/shape.ts';
import type { Tensor } from './tensor.ts';
import type { DataType, DataTypeMap, Rank, ShapeMap, SingleValueMap, TensorLike } from './types.ts';

type TensorMaker = (values: TensorLike, shape: Shape, dtype: DataType) => Tensor;
let makeTensor: TensorMaker;

/** convert.ts, which makes tensors and knows string tensors, would be a cycle of imports from here. */
export function setTensorMaker(maker: TensorMaker): void {
  makeTensor = maker;
}

export class TensorBuffer<R extends Rank = Rank, D extends DataType = DataType> {
  readonly shape: ShapeMap[R];
  readonly dtype: D;
  readonly size: number;
  readonly values: DataTypeMap[D];
  readonly #strides: readonly number[];

  constructor(shape: Shape, dtype: D, values?: DataTypeMap[D]) {
    checkShape('buffer', shape);
    if (dtype === 'complex64') {
      fail('buffer', 'the dtype must not be complex64', 'got complex64', 'use one buffer for each part and tf.complex');
    }
    this.shape = [...shape] as ShapeMap[R];
    this.dtype = dtype;
    this.size = sizeOf(shape);
    if (values && values.length !== this.size) {
      fail('buffer', `shape ${showShape(shape)} needs ${this.size} values`, `got ${values.length}`);
    }
    this.values = values ?? zeros(dtype, this.size);
    this.#strides = stridesOf(shape);
  }

  get rank(): number {
    return this.shape.length;
  }

  get strides(): number[] {
    return this.#strides.slice(0, -1);
  }

  /** Place in `values` of the element at these coordinates. */
  locToIndex(locations: readonly number[]): number {
    if (locations.length !== this.shape.length) {
      fail('buffer', `a place in ${showShape(this.shape)} has ${this.rank} coordinates`, `got ${locations.length}`);
    }
    let index = 0;
    for (let axis = 0; axis < locations.length; axis++) {
      const at = locations[axis];
      if (!(at >= 0 && at < this.shape[axis])) {
        fail('buffer', `coordinates must lie inside ${showShape(this.shape)}`, `got [${locations.join()}]`);
      }
      index += at * this.#strides[axis];
    }
    return index;
  }

  indexToLoc(index: number): number[] {
    let rest = index;
    return this.#strides.map((stride) => {
      const at = Math.floor(rest / stride);
      rest -= at * stride;
      return at;
    });
  }

  /** The element at these coordinates; without any at [0]. */
  get(...locations: number[]): SingleValueMap[D] {
    return this.values[this.#place(locations)] as SingleValueMap[D];
  }

  /** Writes the element at these coordinates; without any at [0]. */
  set(value: SingleValueMap[D], ...locations: number[]): void {
    const elements = this.values as unknown as SingleValueMap[D][];
    elements[this.#place(locations)] = value;
  }

  /** A scalar may also be named by [0], as in TensorFlow.js. */
  #place(locations: readonly number[]): number {
    if (this.rank === 0 && locations.length === 1 && locations[0] === 0) return 0;
    return this.locToIndex(locations.length === 0 && this.rank > 0 ? [0] : locations);
  }

  toTensor(): Tensor<R> {
    return makeTensor(this.values as TensorLike, this.shape, this.dtype) as Tensor<R>;
  }
}

function zeros<D extends DataType>(dtype: D, size: number): DataTypeMap[D] {
  const values = dtype === 'string' ? new Array<string>(size).fill('') : newArray(checkDType('buffer', dtype), size);
  return values as DataTypeMap[D];
}

/** A buffer of zeros (of empty strings), or over `values`, to fill and turn into a tensor. */
export function buffer<R extends Rank, D extends DataType = 'float32'>(
  shape: ShapeMap[R],
  dtype: D = 'float32' as D,
  values?: DataTypeMap[D],
): TensorBuffer<R, D> {
  return new TensorBuffer<R, D>(shape, dtype, values);
}
