/** Dense row-major arrays for the reference evaluation: walking indices, and reading by coordinates. */
import type { TypedArray } from '../types/dtype.ts';
import { elementOf, newArray } from '../types/dtype.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { sizeOf, stridesOf } from '../types/shape.ts';
import type { NDArray } from './row.ts';

/** Calls visit(coordinates, flat index) for each element, last axis fastest. The coordinates array is reused. */
export function forEachIndex(shape: Shape, visit: (at: number[], flat: number) => void): void {
  const size = sizeOf(shape);
  const at = new Array<number>(shape.length).fill(0);
  for (let flat = 0; flat < size; flat++) {
    visit(at, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
}

export function flatIndex(at: readonly number[], strides: readonly number[]): number {
  let flat = 0;
  for (let axis = 0; axis < at.length; axis++) flat += at[axis] * strides[axis];
  return flat;
}

/** Element by coordinates; outside of the shape it is `outside`. */
export function reader(array: NDArray, outside = 0): (...at: number[]) => number {
  const strides = stridesOf(array.shape);
  return (...at) => {
    let flat = 0;
    for (let axis = 0; axis < at.length; axis++) {
      if (at[axis] < 0 || at[axis] >= array.shape[axis]) return outside;
      flat += at[axis] * strides[axis];
    }
    return array.data[flat];
  };
}

/** A new array of `type`, element by element; stored with the rounding of its dtype. */
export function fill(type: TensorType, element: (at: readonly number[], flat: number) => number): TypedArray {
  const out = newArray(type.dtype, sizeOf(type.shape));
  forEachIndex(type.shape, (at, flat) => {
    out[flat] = elementOf(type.dtype, element(at, flat));
  });
  return out;
}
