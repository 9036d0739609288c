/** log. x = 2^k m with m in [sqrt(1/2), sqrt(2)); the form of the sum is Cephes' logf, the polynomial from scripts/minimax.py. */
import type { Reg } from '../../../kernel/ir.ts';
import type { Emitter } from './emitter.ts';

const ln2High = 0.693359375; // 9 bits: k times it is exact
const ln2Low = -2.1219444005469057e-4;
/** log(1 + f) = f - f^2/2 + f^3 P(f). */
const log1p = [
  0.33333313, -0.25000167, 0.20002224, -0.16659367, 0.14209689, -0.12549953, 0.12097228, -0.10931874, 0.054493718,
];
const sqrtHalfBits = 0x3f3504f3;

/** x = 2^exponent * mantissa, for finite x > 0, denormal ones too. The exponent is an i32. */
export function splitExponent(e: Emitter, x: Reg): { readonly exponent: Reg; readonly mantissa: Reg } {
  const denormal = e.compare('lt', x, e.f32(2 ** -126));
  const normal = e.bits(e.select(denormal, e.mul(x, e.f32(2 ** 24)), x));
  const k = e.shift('sar', e.sub(normal, e.i32(sqrtHalfBits)), 23);
  const mantissa = e.float(e.sub(normal, e.shift('shl', k, 23)));
  return { exponent: e.add(k, e.select(denormal, e.i32(-24), e.i32(0))), mantissa };
}

export function log(e: Emitter, x: Reg): Reg {
  const { exponent, mantissa } = splitExponent(e, x);
  const k = e.convert('i32ToF32', exponent);
  const f = e.sub(mantissa, e.f32(1));
  const square = e.mul(f, f);
  const tail = e.fma(k, e.f32(ln2Low), e.mul(e.mul(f, square), e.polynomial(log1p, f)));
  const small = e.fma(square, e.f32(-0.5), tail);
  const value = e.fma(k, e.f32(ln2High), e.add(f, small));
  const infinity = e.f32(Infinity);
  const finite = e.select(e.compare('lt', x, infinity), value, x);
  const zeroOrNegative = e.select(e.compare('eq', x, e.f32(0)), e.f32(-Infinity), e.f32(NaN));
  return e.select(e.compare('gt', x, e.f32(0)), finite, zeroOrNegative);
}
