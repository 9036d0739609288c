/**
 * pow(x, y) = 2^(y log2 x), where log2 x and its product with y are sums of two f32, because the exponent's absolute error is the
 * result's relative one. Splitting numbers by masks makes products exact, after fdlibm's e_powf (Sun Microsystems, 1993), and
 * does not need a fused multiply-add. The polynomials are from scripts/minimax.py (log2, exp2).
 */
import type { Reg } from '../../../kernel/ir.ts';
import { type Emitter, magicBits } from './emitter.ts';
import { splitExponent } from './logarithm.ts';

/** 2 log2(e), in 12 bits and the rest. */
const twoLog2eHigh = 2.884765625;
const twoLog2eLow = 0.0006244567779268;
/** log2((1 + s) / (1 - s)) = 2 log2(e) s + s^3 P(s^2). */
const log2Tail = [0.9617967, 0.5770789, 0.41192123, 0.33663487];
/** 2^z = 1 + z P(z) for |z| <= 1/2. */
const exp2Tail = [0.69314724, 0.24022655, 0.05550273, 0.0096170325, 0.0013418236, 0.00015832044];

/** The unevaluated sum of two floats. */
export interface Pair {
  readonly high: Reg;
  readonly low: Reg;
}

export function pow(e: Emitter, x: Reg, y: Reg): Reg {
  return withExceptions(e, x, y, (a) => exp2(e, exponent(e, log2(e, a), logAtEnds(e, a), y)));
}

/** pow(x, y) of f32 or f64 from pow(|x|, y), which may be anything where that is 1 to the infinite: signs, and IEEE's exceptions. */
export function withExceptions(e: Emitter, x: Reg, y: Reg, ofMagnitude: (a: Reg) => Reg): Reg {
  const a = e.unary('abs', x);
  const [zero, one] = [e.like(x, 0), e.like(x, 1)];
  let value = ofMagnitude(a);
  // (-1)^(+-infinity) is 1, where y log2 x is infinity times 0.
  value = e.select(e.and(e.compare('eq', a, one), e.compare('eq', y, y)), one, value);
  // A negative x to an odd power is negative, -0 too.
  const sign = e.signBit(x);
  value = e.float(e.xor(e.bits(value), e.select(isOdd(e, y), sign, e.like(sign, 0))));
  const negative = e.and(e.compare('lt', x, zero), e.compare('lt', a, e.like(x, Infinity)));
  const fraction = e.compare('ne', e.unary('floor', y), y);
  value = e.select(e.and(negative, fraction), e.like(x, NaN), value);
  return e.select(e.or(e.compare('eq', x, one), e.compare('eq', y, zero)), one, value);
}

/** From 2^24 (f64: 2^53) on every float is even. */
function isOdd(e: Emitter, y: Reg): Reg {
  const half = e.mul(y, e.like(y, 0.5));
  const whole = e.compare('eq', e.unary('floor', y), y);
  return e.and(whole, e.compare('ne', e.unary('floor', half), half));
}

/** log2 where it has one f32: of 0 and infinity, NaN for NaN; elsewhere 0. */
function logAtEnds(e: Emitter, a: Reg): { readonly regular: Reg; readonly value: Reg } {
  const zero = e.f32(0);
  const finite = e.compare('lt', a, e.f32(Infinity));
  const regular = e.and(finite, e.compare('gt', a, zero));
  return { regular, value: e.select(finite, e.f32(-Infinity), a) };
}

/** log2(a) to about 2^-32 relative, for finite a > 0. */
function log2(e: Emitter, a: Reg): Pair {
  const { exponent: k, mantissa: m } = splitExponent(e, a);
  const { s, high: sHigh, low: sLow } = ratio(e, m, upperBits);
  const z = e.mul(s, s);
  const tail = e.mul(e.mul(s, z), e.polynomial(log2Tail, z));
  const main = e.mul(sHigh, e.f32(twoLog2eHigh));
  const rest = e.add(e.add(e.mul(sLow, e.f32(twoLog2eHigh)), e.mul(s, e.f32(twoLog2eLow))), tail);
  const sum = exactSum(e, e.convert('i32ToF32', k), main);
  return exactSum(e, sum.high, e.add(sum.low, rest));
}

/** s = (m - 1) / (m + 1), and in two parts: the remainder of the division by the high one, cut by `upper`, is exact. */
export function ratio(e: Emitter, m: Reg, upper: (e: Emitter, a: Reg) => Reg): Pair & { readonly s: Reg } {
  const one = e.like(m, 1);
  const f = e.sub(m, one);
  const d = e.add(m, one);
  const s = e.binary('div', f, d);
  const high = upper(e, s);
  const dHigh = upper(e, d);
  const dLow = e.sub(m, e.sub(dHigh, one));
  return { s, high, low: e.binary('div', e.sub(e.sub(f, e.mul(high, dHigh)), e.mul(high, dLow)), d) };
}

/** y log2 a, brought to -200..200 where it is beyond what 2^ can give. */
function exponent(e: Emitter, log: Pair, ends: { readonly regular: Reg; readonly value: Reg }, y: Reg): Pair {
  const logHigh = upperBits(e, log.high);
  const logLow = e.add(e.sub(log.high, logHigh), log.low);
  const yHigh = upperBits(e, y);
  const high = e.mul(yHigh, logHigh);
  const low = e.add(e.mul(y, logLow), e.mul(e.sub(y, yHigh), logHigh));
  const rough = e.mul(y, e.select(ends.regular, log.high, ends.value));
  const inRange = e.compare('lt', e.unary('abs', rough), e.f32(160));
  const limited = e.atLeast(-200, e.atMost(200, rough));
  return { high: e.select(inRange, high, limited), low: e.select(inRange, low, e.f32(0)) };
}

function exp2(e: Emitter, { high, low }: Pair): Reg {
  const { rounded, bits } = e.nearest(e.add(high, low));
  const z = e.add(e.sub(high, rounded), low);
  return e.scale(e.fma(z, e.polynomial(exp2Tail, z), e.f32(1)), e.sub(bits, e.i32(magicBits)));
}

/** a + b and what rounding lost, for |a| >= |b| or a = 0. */
export function exactSum(e: Emitter, a: Reg, b: Reg): Pair {
  const high = e.add(a, b);
  return { high, low: e.sub(b, e.sub(high, a)) };
}

/** The number cut to 12 bits: the product of two such is exact. */
function upperBits(e: Emitter, a: Reg): Reg {
  return e.float(e.and(e.bits(a), e.i32(-0x1000)));
}
