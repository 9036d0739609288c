/**
 * Arithmetic of two tensors. Shapes broadcast as in NumPy; dtypes are promoted (bool < int32 < float32 < complex64); numbers and lists may
 * stand for tensors. Each throws where the shapes do not broadcast.
 */
import * as build from '../../ops/build.ts';
import * as complex from '../../ops/complex.ts';
import * as composite from '../../ops/composite.ts';
import { isComplex, joinParts, partsOf } from '../complex-tensor.ts';
import { fail } from '../../base/errors.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import type { Input } from './lift.ts';
import { binary, lift, valuesOf } from './lift.ts';

/** a + b. */
export function add<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('add', a, b, build.add);
}

/** The sum of a list of tensors of one shape and dtype. */
export function addN<T extends Tensor = Tensor>(tensors: readonly Input[]): T {
  if (Array.isArray(tensors) && tensors.some(isComplex)) {
    return joinParts<T>(tensors.map((x: Input, i) => partsOf(x, `tensors[${i}]`, 'addN')).reduce(complex.add));
  }
  const values = valuesOf(tensors, 'tensors', 'addN');
  const [first] = values;
  const other = values.find((value) => value.dtype !== first.dtype || !sameShape(value.shape, first.shape));
  if (other) {
    const came = `got ${first.dtype}${showShape(first.shape)} and ${other.dtype}${showShape(other.shape)}`;
    fail('addN', 'all tensors must have one shape and one dtype', came, 'add broadcasts');
  }
  return lift<T>(values.reduce(build.add));
}

/** a - b. */
export function sub<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('sub', a, b, build.sub);
}

/** a * b, element by element. */
export function mul<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('mul', a, b, build.mul);
}

/** a / b; of two int32 tensors the floor of the quotient. */
export function div<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('div', a, b, build.div);
}

/** a / b, and 0 where b is 0. */
export function divNoNan<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('divNoNan', a, b, composite.divNoNan);
}

/** floor(a / b), as int32; of int64 as that. */
export function floorDiv<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('floorDiv', a, b, (x, y) => {
    const quotient = build.floorDiv(x, y);
    return quotient.dtype === 'int64' ? quotient : build.cast(quotient, 'int32');
  });
}

/** a - b floor(a / b): the remainder, with the sign of b. */
export function mod<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('mod', a, b, build.mod);
}

/** base to the power of exponent. */
export function pow<T extends Tensor = Tensor>(base: Tensor | TensorLike, exponent: Tensor | TensorLike): T {
  return binary<T>('pow', base, exponent, build.pow);
}

/** The larger of a and b; NaN where either is. */
export function maximum<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('maximum', a, b, build.maximum);
}

/** The smaller of a and b; NaN where either is. */
export function minimum<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('minimum', a, b, build.minimum);
}

/** (a - b)^2. */
export function squaredDifference<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('squaredDifference', a, b, build.squaredDifference);
}

/** The angle of the point (b, a) in (-pi, pi]. */
export function atan2<T extends Tensor = Tensor>(a: Tensor | TensorLike, b: Tensor | TensorLike): T {
  return binary<T>('atan2', a, b, composite.atan2);
}
