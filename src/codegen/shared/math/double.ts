/**
 * exp, log, sin, cos, tanh and erf of doubles: branch-free, without tables, and the same whether fma rounds once or twice. Argument
 * reductions after Cody & Waite; the polynomials are from scripts/minimax.py (expm64, log64, sin64, cos64, erf64, erfc64).
 */
import type { Reg } from '../../../kernel/ir.ts';
import type { Emitter } from './emitter.ts';

/** 40 bits, so that n times it is exact while |n| < 2^13, and the rest. */
const ln2High = 0.6931471805592082;
const ln2Low = 7.371002565167799e-13;
/** expm1(r) = r + r^2 P(r) for |r| <= ln(2)/2. */
const expm1Tail = [
  0.5, 0.16666666666666677, 0.04166666666666649, 0.008333333333320739, 0.0013888888888968377, 0.0001984126988868396,
  2.4801587164703806e-5, 2.7557241368580957e-6, 2.755740598491492e-7, 2.511011004352323e-8, 2.0875303077563045e-9,
];
/** log((1 + s) / (1 - s)) = 2 s + s z P(z) with z = s^2. */
const logTail = [
  0.6666666666666666, 0.4000000000000624, 0.28571428569086726, 0.22222222646731318, 0.18181775666400696,
  0.15387090886173857, 0.13250111876096562, 0.13251413309722312,
];
/** sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2/2 + r^4 P(r^2) for |r| <= pi/4. */
const sinTail = [
  -0.16666666666666666, 0.00833333333333332, -0.00019841269841251494, 2.7557319212357435e-6, -2.5052104439083617e-8,
  1.6058307022336653e-10, -7.575771123075391e-13,
];
const cosTail = [
  0.041666666666666664, -0.0013888888888888868, 2.4801587301566837e-5, -2.7557319213439333e-7, 2.0876753942936658e-9,
  -1.1470246548278948e-11, 4.736054968636826e-14,
];
/** erf(x) = x + x P(x^2) on [0, 1]. */
const erfInner = [
  0.1283791670955126, -0.37612638903183754, 0.11283791670955126, -0.026866170645131218, 0.005223977625441638,
  -0.0008548327023400182, 0.00012055332978734866, -1.4925650231926003e-5, 1.646211065944985e-6, -1.6365766548461206e-7,
  1.4806001878395142e-8, -1.227752565331574e-9, 9.322594396850427e-11, -6.193140306435206e-12, 2.801597853291075e-13,
];
/** erf(x) = 1 - exp(P(x - 1)) on [1, 6]. */
const erfOuter = [
  -1.8496055099332482, -2.6389675142347886, -0.8431072563586591, -0.0415610980421804, 0.010033825378438494,
  -0.0019779025939194467, 0.00023732259028383235, 2.627756329475716e-5, -2.715847785311306e-5, 9.607961096080072e-6,
  -2.0587441851084697e-6, 1.420372870573786e-7, 9.80569963578067e-8, -5.226739887753839e-8, 1.4986759721801498e-8,
  -2.8814951687249985e-9, 3.7095057461357366e-10, -2.9065887076900242e-11, 1.0495726352185864e-12,
];
/** pi/2 is the sum of all: three parts of 30 bits, so that n times each is exact while n < 2^23, and what is left. */
const halfPi = [1.570796325802803, 9.920935791635221e-10, 5.17018297889025e-19, 2.9038559739793605e-28];

const ROUND = 1.5 * 2 ** 52;
const COUNT = 2 ** 52;
/** The bits of 2^52: integers in 0..2^52-1 are those of its fraction. */
const countBits = 0x4330_0000_0000_0000n;
const sqrtHalfBits = 0x3fe6_a09e_667f_3bcdn;

// ---- idioms ------------------------------------------------------------------------------------------------------------

/** The nearest integer of a, |a| < 2^51, as f64 and in the low bits of an i64. */
export function nearest(e: Emitter, a: Reg): { readonly rounded: Reg; readonly low: Reg } {
  const magic = e.f64(ROUND);
  const shifted = e.add(a, magic);
  return { rounded: e.sub(shifted, magic), low: e.bits(shifted) };
}

/** 2^n for an integer n in -1022..1023, given as f64. */
function powerOfTwo(e: Emitter, n: Reg): Reg {
  return e.float(e.shift('shl', e.bits(e.add(n, e.f64(ROUND + 1023))), 52));
}

/** a 2^n for an integer n in -2044..2046, rounded once, also where the result is denormal. */
export function scale(e: Emitter, a: Reg, n: Reg): Reg {
  const half = e.unary('floor', e.mul(n, e.f64(0.5)));
  return e.mul(e.mul(a, powerOfTwo(e, half)), powerOfTwo(e, e.sub(n, half)));
}

/** x = 2^exponent mantissa with the mantissa in [sqrt(1/2), sqrt(2)), for finite x > 0, denormal ones too. Both are f64. */
export function splitExponent(e: Emitter, x: Reg): { readonly exponent: Reg; readonly mantissa: Reg } {
  const denormal = e.compare('lt', x, e.f64(2 ** -1022));
  const normal = e.bits(e.select(denormal, e.mul(x, e.f64(2 ** 54)), x));
  // 1024 more than the exponent, which is not negative.
  const bias = 2n ** 62n;
  const k = e.shift('shr', e.add(normal, e.i64(bias - sqrtHalfBits)), 52);
  const mantissa = e.float(e.add(e.sub(normal, e.shift('shl', k, 52)), e.i64(bias)));
  const counted = e.sub(e.float(e.or(k, e.i64(countBits))), e.f64(COUNT + 1024));
  return { exponent: e.add(counted, e.select(denormal, e.f64(-54), e.f64(0))), mantissa };
}

// ---- functions ---------------------------------------------------------------------------------------------------------

/** exp(x) = 2^n (1 + q), where q = expm1(r). For |x| < 5000. */
function reducedExp(e: Emitter, x: Reg): { readonly n: Reg; readonly q: Reg } {
  const { rounded: n } = nearest(e, e.mul(x, e.f64(Math.LOG2E)));
  const r = e.fma(n, e.f64(-ln2Low), e.fma(n, e.f64(-ln2High), x));
  return { n, q: e.fma(e.mul(r, r), e.polynomial(expm1Tail, r), r) };
}

/** Beyond the limits the result is 0 or infinite in any case. */
export function exp(e: Emitter, x: Reg): Reg {
  const { n, q } = reducedExp(e, e.atLeast(-746, e.atMost(710, x)));
  return scale(e, e.add(q, e.f64(1)), n);
}

/** log(1 + f) = f - (f^2/2 - s (f^2/2 + R)) with s = f / (2 + f) and R = z P(z): only small terms are rounded. */
export function log(e: Emitter, x: Reg): Reg {
  const { exponent: k, mantissa } = splitExponent(e, x);
  const f = e.sub(mantissa, e.f64(1));
  const s = e.binary('div', f, e.add(f, e.f64(2)));
  const z = e.mul(s, s);
  const half = e.mul(e.mul(f, f), e.f64(0.5));
  const tail = e.fma(s, e.fma(z, e.polynomial(logTail, z), half), e.mul(k, e.f64(ln2Low)));
  const value = e.sub(e.mul(k, e.f64(ln2High)), e.sub(e.sub(half, tail), f));
  const finite = e.select(e.compare('lt', x, e.f64(Infinity)), value, x);
  const zeroOrNegative = e.select(e.compare('eq', x, e.f64(0)), e.f64(-Infinity), e.f64(NaN));
  return e.select(e.compare('gt', x, e.f64(0)), finite, zeroOrNegative);
}

/** t / (t + 2) with t = expm1(2|x|), which is 1 in f64 from 19.1 on. */
export function tanh(e: Emitter, x: Reg): Reg {
  const a = e.atMost(22, e.unary('abs', x));
  const { n, q } = reducedExp(e, e.add(a, a));
  const power = powerOfTwo(e, n);
  const t = e.fma(power, q, e.sub(power, e.f64(1)));
  return e.withSign(e.binary('div', t, e.add(t, e.f64(2))), e.signBit(x));
}

/** From 6 on the result is 1 in f64. */
export function erf(e: Emitter, x: Reg): Reg {
  const a = e.atMost(6, e.unary('abs', x));
  const one = e.f64(1);
  const near = e.fma(a, e.polynomial(erfInner, e.mul(a, a)), a);
  const { n, q } = reducedExp(e, e.polynomial(erfOuter, e.sub(a, one)));
  const far = e.sub(one, e.mul(e.add(q, one), powerOfTwo(e, n)));
  return e.withSign(e.select(e.compare('lt', a, one), near, far), e.signBit(x));
}

export function sin(e: Emitter, x: Reg): Reg {
  const { quadrant, value } = byQuadrant(e, x, 0n);
  return e.float(e.xor(e.bits(value), e.xor(quadrantSign(e, quadrant), e.signBit(x))));
}

export function cos(e: Emitter, x: Reg): Reg {
  const { quadrant, value } = byQuadrant(e, x, 1n);
  return e.float(e.xor(e.bits(value), quadrantSign(e, quadrant)));
}

/** |sin| or |cos| up to its sign: cos is sin a quadrant further. */
function byQuadrant(e: Emitter, x: Reg, ahead: bigint): { readonly quadrant: Reg; readonly value: Reg } {
  const a = e.unary('abs', x);
  const { rounded: n, low } = nearest(e, e.mul(a, e.f64(2 / Math.PI)));
  const r = e.atLeast(-1, e.atMost(1, reduced(e, a, n)));
  const z = e.mul(r, r);
  const sine = e.fma(e.mul(r, z), e.polynomial(sinTail, z), r);
  // 1 - z/2 loses what it rounds, which is exact again and is added where the terms are small.
  const half = e.mul(z, e.f64(0.5));
  const rough = e.sub(e.f64(1), half);
  const lost = e.sub(e.sub(e.f64(1), rough), half);
  const cosine = e.add(rough, e.fma(e.mul(z, z), e.polynomial(cosTail, z), lost));
  const quadrant = ahead === 0n ? low : e.add(low, e.i64(ahead));
  const odd = e.compare('ne', e.and(quadrant, e.i64(1n)), e.i64(0n));
  return { quadrant, value: e.select(odd, cosine, sine) };
}

/**
 * a - n pi/2 with one rounding while n < 2^23. With the first part nothing is lost; what the next two lose is kept and added in the
 * end.
 */
function reduced(e: Emitter, a: Reg, n: Reg): Reg {
  let high = e.sub(a, e.mul(n, e.f64(halfPi[0])));
  let low: Reg | null = null;
  for (const part of halfPi.slice(1, 3)) {
    const product = e.mul(n, e.f64(part));
    const difference = e.sub(high, product);
    const lost = e.sub(e.sub(high, difference), product);
    low = low === null ? lost : e.add(low, lost);
    high = difference;
  }
  return e.add(high, e.fma(n, e.f64(-halfPi[3]), low!));
}

/** The sign bit of quadrants 2 and 3. */
function quadrantSign(e: Emitter, quadrant: Reg): Reg {
  return e.shift('shl', e.and(quadrant, e.i64(2n)), 62);
}
