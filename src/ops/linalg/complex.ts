/** Complex matrices as pairs of real ones: products and systems of equations. Knows no complex dtype. */
import type { Value } from '../../graph/graph.ts';
import { add, matMul, neg, sub } from '../build.ts';
import { solve } from '../composite-linalg.ts';
import { block, blocks2x2, sizes, stackRows } from './parts.ts';

/** Real and imaginary parts, of one shape. */
export type Pair = readonly [Value, Value];

/** The product of two pairs: of matrices, or by elements where `product` says so. */
export function timesComplex(a: Pair, b: Pair, product: (x: Value, y: Value) => Value = matMul): Pair {
  return [sub(product(a[0], b[0]), product(a[1], b[1])), add(product(a[0], b[1]), product(a[1], b[0]))];
}

/** X with A X = B, from [Re A, -Im A; Im A, Re A] [Re X; Im X] = [Re B; Im B]. */
export function solveComplex(a: Pair, b: Pair): Pair {
  const x = solve(blocks2x2(a[0], neg(a[1]), a[1], a[0]), stackRows(b));
  const [n, columns] = sizes(b[0]);
  return [block(x, 0, n, 0, columns), block(x, n, 2 * n, 0, columns)];
}
