/**
 * exp and tanh. Argument reduction after Cody & Waite (Software Manual for the Elementary Functions, 1980): x = n ln 2 + r with
 * ln 2 in two parts, the first so short that n times it is exact. The polynomial is from scripts/minimax.py (expm1).
 */
import type { Reg } from '../../../kernel/ir.ts';
import { type Emitter, magicBits } from './emitter.ts';

const ln2High = 0.693359375; // 9 bits
const ln2Low = -2.1219444005469057e-4;
/** expm1(r) = r + r^2 P(r) for |r| <= ln(2)/2. */
const expm1 = [0.49999997, 0.16666535, 0.04166771, 0.008367702, 0.0013842311];

/** exp(x) = 2^n (1 + q), where q = expm1(r). For |x| < 10^6. */
export function reducedExp(e: Emitter, x: Reg): { readonly n: Reg; readonly q: Reg } {
  const { rounded, bits } = e.nearest(x, Math.LOG2E);
  const r = e.fma(rounded, e.f32(-ln2Low), e.fma(rounded, e.f32(-ln2High), x));
  const q = e.fma(e.mul(r, r), e.polynomial(expm1, r), r);
  return { n: e.sub(bits, e.i32(magicBits)), q };
}

/** Beyond the limits the result is 0 or infinite in any case. */
export function exp(e: Emitter, x: Reg): Reg {
  const { n, q } = reducedExp(e, e.atLeast(-104, e.atMost(89, x)));
  return e.scale(e.add(q, e.f32(1)), n);
}

/** tanh(x) = x + x^3 P(x^2) on [0, 0.55]. */
const tanhTail = [-0.33333316, 0.13332544, -0.053847548, 0.021050714, -0.0062428494];

/** Below atanh(1/2) an odd polynomial, above 1 - 2 / (exp(2x) + 1), which is 1 in f32 from 9.1 on. */
export function tanh(e: Emitter, x: Reg): Reg {
  const a = e.atMost(10, e.unary('abs', x));
  const z = e.mul(a, a);
  const near = e.fma(e.mul(a, z), e.polynomial(tanhTail, z), a);
  const { n, q } = reducedExp(e, e.add(a, a));
  const one = e.f32(1);
  const power = e.mul(e.add(q, one), e.powerOfTwo(n));
  const far = e.sub(one, e.binary('div', e.f32(2), e.add(power, one)));
  return e.withSign(e.select(e.compare('lt', a, e.f32(0.55)), near, far), e.signBit(x));
}
