/** Functions of matrices [..., m, n] written with the factorisations: solving, inverses, determinants, exponentials. */
import type { DType } from '../types/dtype.ts';
import type { Value } from '../graph/graph.ts';
import { broadcastShapes } from '../types/shape.ts';
import {
  abs,
  add,
  cast,
  constantLike,
  div,
  equal,
  greater,
  iota,
  less,
  log,
  logicalAnd,
  maximum,
  mul,
  neg,
  reciprocal,
  scale,
  select,
  sign,
  sub,
} from './build-elementwise.ts';
import { cholesky, lu, singularValues, svd, triangularSolve } from './build-linalg.ts';
import { broadcastTo, reshape } from './build-movement.ts';
import { max, min, prod, sum } from './build-reduce.ts';
import { matMul } from './build-window.ts';
import { withGradient } from './custom.ts';
import {
  adjoint,
  asColumn,
  asRow,
  block,
  diagonalOf,
  eye,
  inversePermutation,
  sizes,
  takeRows,
  triangle,
} from './linalg/parts.ts';

/** Both with one set of leading axes. */
export function broadcastLead(op: string, a: Value, b: Value): [Value, Value] {
  const lead = broadcastShapes(op, a.shape.slice(0, -2), b.shape.slice(0, -2));
  return [broadcastTo(a, [...lead, ...a.shape.slice(-2)]), broadcastTo(b, [...lead, ...b.shape.slice(-2)])];
}

/** x with P A = L U known: L U x = P b, or for the transpose U^T L^T P x = b. */
function substitute(packed: Value, order: Value, b: Value, transpose: boolean): Value {
  if (!transpose) {
    const y = triangularSolve(packed, takeRows(b, order), { lower: true, unit: true });
    return triangularSolve(packed, y, { lower: false });
  }
  const y = triangularSolve(packed, b, { lower: false, transpose: true });
  const z = triangularSolve(packed, y, { lower: true, unit: true, transpose: true });
  return takeRows(z, inversePermutation(order));
}

/** X with A X = B (or A^T X = B), by LU: dB = A^-T dX, dA = -dB X^T. Leading axes must be equal. */
export function solve(a: Value, b: Value, transpose = false): Value {
  const [packed, order] = lu(a);
  const x: Value = withGradient(substitute(packed, order, b, transpose), [a, b], (dx) => {
    const db = solve(a, dx, !transpose);
    return [neg(transpose ? matMul(x, db, false, true) : matMul(db, x, false, true)), db];
  });
  return x;
}

/** L [..., m, k], U [..., k, n] and the order of the rows, k = min(m, n). */
export function lowerUpper(a: Value): { lower: Value; upper: Value; order: Value } {
  const [packed, order] = lu(a);
  const [m, n] = sizes(a);
  const k = Math.min(m, n);
  const left = block(packed, 0, m, 0, k);
  const lower = add(triangle(left, 'strictlyLower'), eye(left.dtype, a.shape.slice(0, -2), m, k));
  return { lower, upper: triangle(block(packed, 0, k, 0, n), 'upper'), order };
}

/** X with L L^T X = B. */
export function choleskySolve(l: Value, b: Value): Value {
  const y = triangularSolve(l, b, { lower: true });
  return triangularSolve(l, y, { lower: true, transpose: true });
}

/** A^-1; its gradient is -A^-T dY A^-T. */
export function inverse(a: Value): Value {
  const [packed, order] = lu(a);
  const [n] = sizes(a);
  const identity = eye(packed.dtype, a.shape.slice(0, -2), n);
  const y: Value = withGradient(substitute(packed, order, identity, false), [a], (dy) => {
    const yt = adjoint(y);
    return [neg(matMul(matMul(yt, dy), yt))];
  });
  return y;
}

/** 1 or -1 for each order [..., n] of 0 .. n-1: by the parity of the pairs that stand the wrong way round. */
export function signOfPermutation(order: Value, dtype: DType): Value {
  const n = order.shape[order.shape.length - 1];
  const wrong = greater(asColumn(order), asRow(order));
  const isBefore = less(iota([n, n], 0), iota([n, n], 1));
  const count = sum(cast(logicalAnd(wrong, broadcastTo(isBefore, wrong.shape)), 'int32'), [-1, -2]);
  const isEven = equal(sub(count, scale(div(count, constantLike(count, 2)), 2)), constantLike(count, 0));
  const one = constantLike(cast(count, dtype), 1);
  return select(isEven, one, neg(one));
}

/** Of each matrix [..., n, n] the determinant: the product of U's diagonal and the sign of the exchanges. */
export function determinant(a: Value): Value {
  const [packed, order] = lu(a);
  return mul(prod(diagonalOf(packed), [-1]), signOfPermutation(order, packed.dtype));
}

/** Sign and logarithm of the absolute value of the determinant: 0 and -Infinity where it is 0. */
export function signedLogDeterminant(a: Value): [Value, Value] {
  const [packed, order] = lu(a);
  const diagonal = diagonalOf(packed);
  return [mul(prod(sign(diagonal), [-1]), signOfPermutation(order, packed.dtype)), sum(log(abs(diagonal)), [-1])];
}

/** log det of a positive definite matrix: twice the sum of the logarithms of its Cholesky factor's diagonal. */
export function logDeterminant(a: Value): Value {
  return scale(sum(log(diagonalOf(cholesky(a))), [-1]), 2);
}

export function trace(a: Value): Value {
  return sum(diagonalOf(a), [-1]);
}

/** A^n: squarings and products along n's binary digits; a negative n takes the inverse first. */
export function matrixPower(a: Value, n: number): Value {
  if (n === 0) return eye(a.dtype, a.shape.slice(0, -2), sizes(a)[0]);
  let square = n < 0 ? inverse(a) : a;
  let result: Value | null = null;
  for (let left = Math.abs(n); ; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = result ? matMul(result, square) : square;
    if (left <= 1) return result as Value;
    square = matMul(square, square);
  }
}

/**
 * Pade approximants of e^A, [coefficients of the numerator], and the greatest 1-norm for which they have a dtype's accuracy: degree
 * 7 for float32, 13 for float64 (Higham 2005, table 2.3 and equation 2.33).
 */
const narrowPade = {
  largestNorm: 3.92572478313866,
  coefficients: [17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1],
};
const widePade = {
  largestNorm: 5.371920351148152,
  coefficients: [
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
    670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
  ],
};
const MOST_SQUARINGS = 16;

/** The sum of c_i A^2i from I, A^2, A^4 and A^6: what is beyond takes A^6 out of brackets. */
function evenPart(powers: readonly Value[], c: readonly number[]): Value {
  const terms = (from: number, list: readonly number[]) =>
    list.map((each, i) => scale(powers[from + i], each)).reduce(add);
  const low = terms(0, c.slice(0, 4));
  return c.length <= 4 ? low : add(matMul(powers[3], terms(1, c.slice(4))), low);
}

/**
 * e^A by scaling and squaring with a Pade approximant (Higham 2005). How often each matrix is halved and squared comes
 * from its 1-norm; beyond 16 times (a norm of 257,000) the result is NaN.
 */
export function matrixExponential(a: Value): Value {
  const lead = a.shape.slice(0, -2);
  const [n] = sizes(a);
  if (n === 0) return a;
  const { largestNorm, coefficients } = a.dtype === 'float64' ? widePade : narrowPade;
  const norm = max(sum(abs(a), [-2]), [-1]);
  const wanted = scale(log(maximum(scale(norm, 1 / largestNorm), constantLike(norm, 1e-30))), Math.LOG2E);
  const perMatrix = (x: Value) => reshape(x, [...lead, 1, 1]);
  let scaled = a;
  const needs: Value[] = [];
  for (let i = 0; i < MOST_SQUARINGS; i++) {
    const more = perMatrix(greater(wanted, constantLike(wanted, i)));
    needs.push(more);
    scaled = mul(scaled, select(more, constantLike(perMatrix(norm), 0.5), constantLike(perMatrix(norm), 1)));
  }
  const a2 = matMul(scaled, scaled);
  const a4 = matMul(a2, a2);
  const powers = [eye(a.dtype, lead, n), a2, a4, matMul(a4, a2)];
  const even = evenPart(
    powers,
    coefficients.filter((_, i) => i % 2 === 0),
  );
  const odd = matMul(
    scaled,
    evenPart(
      powers,
      coefficients.filter((_, i) => i % 2 === 1),
    ),
  );
  let result = solve(sub(even, odd), add(even, odd));
  for (const more of needs) result = select(more, matMul(result, result), result);
  const tooLarge = perMatrix(greater(wanted, constantLike(wanted, MOST_SQUARINGS)));
  return select(tooLarge, constantLike(result, Number.NaN), result);
}

/** All products of an element of a [..., m, n] and one of b [..., p, q], as blocks: [..., m p, n q]. */
export function kronecker(a: Value, b: Value): Value {
  const [x, y] = broadcastLead('kron', a, b);
  const lead = x.shape.slice(0, -2);
  const [[m, n], [p, q]] = [sizes(x), sizes(y)];
  const product = mul(reshape(x, [...lead, m, 1, n, 1]), reshape(y, [...lead, 1, p, 1, q]));
  return reshape(product, [...lead, m * p, n * q]);
}

// ---- with singular values ------------------------------------------------------------------------------------------------

/** What of the largest singular value counts as zero: max(m, n) eps. */
export function defaultTolerance(a: Value): number {
  return Math.max(...sizes(a)) * (a.dtype === 'float64' ? 2 ** -52 : 2 ** -23);
}

/**
 * The pseudoinverse [..., n, m]: V S^+ U^T, where singular values up to `tolerance` times the largest count as zero. The gradient
 * is Golub and Pereyra's (1973), which holds while the rank stays what it is and divides by no difference of singular values.
 */
export function pseudoInverse(a: Value, tolerance = defaultTolerance(a)): Value {
  const [m, n] = sizes(a);
  if (Math.min(m, n) === 0) return adjoint(a);
  const [u, s, vt] = svd(a);
  const counts = greater(s, scale(max(s, [-1], true), tolerance));
  const inverses = select(counts, reciprocal(select(counts, s, constantLike(s, 1))), constantLike(s, 0));
  const p: Value = withGradient(matMul(mul(adjoint(vt), asRow(inverses)), u, false, true), [a], (dp) => {
    const lead = a.shape.slice(0, -2);
    const outsideRange = sub(eye(p.dtype, lead, m), matMul(a, p));
    const outsideRows = sub(eye(p.dtype, lead, n), matMul(p, a));
    const inner = matMul(matMul(p, dp, true, false), p, false, true);
    const left = matMul(matMul(outsideRange, dp, false, true), matMul(p, p, false, true));
    const right = matMul(matMul(p, p, true, false), matMul(dp, outsideRows, true, false));
    return [add(neg(inner), add(left, right))];
  });
  return p;
}

/** How many singular values are above `tolerance`; int32. */
export function matrixRank(s: Value, tolerance: Value): Value {
  return sum(cast(greater(s, broadcastTo(tolerance, s.shape)), 'int32'), [-1]);
}

/** The largest singular value over the smallest; infinite where that is 0. */
export function conditionNumber(a: Value): Value {
  const s = singularValues(a);
  return div(max(s, [-1]), min(s, [-1]));
}
