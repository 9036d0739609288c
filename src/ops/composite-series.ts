/** Polynomials and Chebyshev series on graph values. */
import type { Value } from '../graph/graph.ts';
import { constantLike, mul, offset, scale, sub } from './build-elementwise.ts';

/** c[0] + c[1] x + c[2] x^2 + ... */
export function horner(x: Value, c: readonly number[]): Value {
  let sum = constantLike(x, c[c.length - 1]);
  for (let i = c.length - 2; i >= 0; i--) sum = offset(mul(sum, x), c[i]);
  return sum;
}

/** Coefficients for float32, and more of them for float64. */
export interface Series {
  readonly narrow: readonly number[];
  readonly wide: readonly number[];
}

/** Those that a value of this dtype needs. */
export function seriesFor(x: Value, { narrow, wide }: Series): readonly number[] {
  return x.dtype === 'float64' ? wide : narrow;
}

/**
 * c[0] / 2 + c[1] T1(u) + c[2] T2(u) + ... for u = v - 1 in [-1, 1], by Clenshaw's recurrence in Reinsch's form: it takes v, so
 * that what happens near u = -1 is not lost in the rounding of u.
 */
export function chebyshev(v: Value, series: Series): Value {
  const c = seriesFor(v, series);
  const twice = scale(v, 2);
  let sum = constantLike(v, c[c.length - 1]);
  let difference = sum;
  for (let i = c.length - 2; i > 0; i--) {
    difference = sub(offset(mul(twice, sum), c[i]), difference);
    sum = sub(difference, sum);
  }
  return sub(offset(mul(v, sum), c[0] / 2), difference);
}
