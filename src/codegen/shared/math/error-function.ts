/** erf: below 1 an odd polynomial, above 1 - exp of a polynomial. Both are from scripts/minimax.py (erf, erfc). */
import type { Reg } from '../../../kernel/ir.ts';
import type { Emitter } from './emitter.ts';
import { reducedExp } from './exponential.ts';

/** erf(x) = x + x P(x^2) on [0, 1]. */
const inner = [0.12837917, -0.37612626, 0.11283579, -0.026853347, 0.005187162, -0.00079978525, 7.8068966e-5];
/** erf(x) = 1 - exp(P(x)) on [1, 4]. */
const outer = [-0.0003415635, -1.127089, -0.6381451, -0.10310656, 0.021837983, -0.002947641, 0.00018637769];

/** From 4 on the result is 1 in f32. */
export function erf(e: Emitter, x: Reg): Reg {
  const a = e.atMost(4, e.unary('abs', x));
  const near = e.fma(a, e.polynomial(inner, e.mul(a, a)), a);
  const { n, q } = reducedExp(e, e.polynomial(outer, a));
  const far = e.sub(e.f32(1), e.mul(e.add(q, e.f32(1)), e.powerOfTwo(n)));
  return e.withSign(e.select(e.compare('lt', a, e.f32(1)), near, far), e.signBit(x));
}
