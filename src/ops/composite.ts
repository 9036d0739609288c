/** Functions on graph values that are written in terms of the table's ops: activations, softmax, losses, moments. */
import type { Value } from '../graph/graph.ts';
import { constantLike, log1p, mul, neg, offset, select, less, sqrt, square } from './build-elementwise.ts';

/** sum of coefficients[i] * x^(n - i), by Horner's rule. */
function polynomial(x: Value, coefficients: readonly number[]): Value {
  return coefficients.slice(1).reduce((sum, c) => offset(mul(sum, x), c), constantLike(x, coefficients[0]));
}

/** Inverse of erf on (-1, 1), good to a few units in the last place of float32 (Giles 2010). */
export function erfInverse(x: Value): Value {
  const w = neg(log1p(neg(square(x))));
  const central = polynomial(
    offset(w, -2.5),
    [
      2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
      0.246640727, 1.50140941,
    ],
  );
  const tail = polynomial(
    offset(sqrt(w), -3),
    [
      -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
      1.00167406, 2.83297682,
    ],
  );
  return mul(select(less(w, constantLike(w, 5)), central, tail), x);
}
