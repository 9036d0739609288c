/** TensorBuffer: elements that can be read and written by coordinates, before they become a tensor. */
import { fail } from '../base/errors.ts';
import type { DType } from '../types/dtype.ts';
import { newArray } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { checkShape, showShape, sizeOf, stridesOf } from '../types/shape.ts';
import { makeTensor } from './convert.ts';
import type { Tensor } from './tensor.ts';
import type { DataTypeMap, Rank, ShapeMap } from './types.ts';

export class TensorBuffer<R extends Rank = Rank, D extends DType = DType> {
  readonly shape: ShapeMap[R];
  readonly dtype: D;
  readonly size: number;
  readonly values: DataTypeMap[D];
  readonly #strides: readonly number[];

  constructor(shape: Shape, dtype: D, values?: DataTypeMap[D]) {
    checkShape('buffer', shape);
    this.shape = [...shape] as ShapeMap[R];
    this.dtype = dtype;
    this.size = sizeOf(shape);
    if (values && values.length !== this.size) {
      fail('buffer', `shape ${showShape(shape)} needs ${this.size} values`, `got ${values.length}`);
    }
    this.values = values ?? (newArray(dtype, this.size) as DataTypeMap[D]);
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

  get(...locations: number[]): number {
    return this.values[this.locToIndex(locations.length === 0 && this.rank > 0 ? [0] : locations)];
  }

  set(value: number, ...locations: number[]): void {
    this.values[this.locToIndex(locations.length === 0 && this.rank > 0 ? [0] : locations)] = value;
  }

  toTensor(): Tensor<R> {
    return makeTensor<R>(this.values, this.shape, this.dtype);
  }
}

/** A buffer of zeros, or over `values`, to fill and turn into a tensor. */
export function buffer<R extends Rank, D extends DType = 'float32'>(
  shape: ShapeMap[R],
  dtype: D = 'float32' as D,
  values?: DataTypeMap[D],
): TensorBuffer<R, D> {
  return new TensorBuffer<R, D>(shape, dtype, values);
}
