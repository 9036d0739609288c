/**
 * pow(x, y) = 2^(y log2 x) of doubles. log2 x is the unevaluated sum of two doubles, good to about 2^-65, because the exponent's
 * absolute error is the result's relative one. Products are made exact by splitting numbers with masks, so no fused multiply-add is
 * counted on. The polynomials are from scripts/minimax.py (log2_64, exp2_64).
 */
import type { Reg } from '../../../kernel/ir.ts';
import { nearest, scale, splitExponent } from './double.ts';
import type { Emitter } from './emitter.ts';
import { exactSum, type Pair, ratio, withExceptions } from './power.ts';

/** 2 log2(e). */
const twoLog2e = { high: 2.8853900817779268, low: 4.0710547481862066e-17 };
/** log2((1 + s) / (1 - s)) = s (2 log2(e) + z (c + z P(z))) with z = s^2; c in two parts. */
const third = { high: 0.9617966939259756, low: 5.0577616648125907e-17 };
const log2Tail = [
  0.5770780163555854, 0.41219858311112717, 0.32059889797680796, 0.26230818901224795, 0.22195310727034723,
  0.19235780194909774, 0.16979152689477395, 0.15028651157366044, 0.15944358529097952,
];
/** 2^z = 1 + z P(z) for |z| <= 1/2. */
const exp2Tail = [
  0.6931471805599453, 0.24022650695910072, 0.05550410866482175, 0.00961812910762857, 0.0013333558146377757,
  0.00015403530393153842, 1.5252733868691987e-5, 1.3215487017037892e-6, 1.0178045924404488e-7, 7.0548107236137964e-9,
  4.4574811633960004e-10, 2.5859027890885022e-11,
];

export function pow(e: Emitter, x: Reg, y: Reg): Reg {
  return withExceptions(e, x, y, (a) => exp2(e, exponent(e, a, y)));
}

/** log2(a) for finite a > 0. */
function log2(e: Emitter, a: Reg): Pair {
  const { exponent: k, mantissa: m } = splitExponent(e, a);
  const parts = ratio(e, m, upperBits);
  const quotient = exactSum(e, parts.high, parts.low);
  const z = product(e, quotient, quotient);
  const tail = e.mul(z.high, e.polynomial(log2Tail, z.high));
  const series = product(e, z, exactSum(e, e.f64(third.high), e.add(e.f64(third.low), tail)));
  const factor = sum(e, { high: e.f64(twoLog2e.high), low: e.f64(twoLog2e.low) }, series);
  return sum(e, { high: k, low: e.f64(0) }, product(e, quotient, factor));
}

/** y log2 a, brought to -1200..1200 where it is beyond what 2^ can give; of 0 and infinity too, NaN for NaN. */
function exponent(e: Emitter, a: Reg, y: Reg): Pair {
  const log = log2(e, a);
  const logHigh = upperBits(e, log.high);
  const logLow = e.add(e.sub(log.high, logHigh), log.low);
  const yHigh = upperBits(e, y);
  const high = e.mul(yHigh, logHigh);
  const low = e.add(e.mul(y, logLow), e.mul(e.sub(y, yHigh), logHigh));
  const finite = e.compare('lt', a, e.f64(Infinity));
  const regular = e.and(finite, e.compare('gt', a, e.f64(0)));
  const rough = e.mul(y, e.select(regular, log.high, e.select(finite, e.f64(-Infinity), a)));
  const inRange = e.compare('lt', e.unary('abs', rough), e.f64(1100));
  const limited = e.atLeast(-1200, e.atMost(1200, rough));
  return { high: e.select(inRange, high, limited), low: e.select(inRange, low, e.f64(0)) };
}

function exp2(e: Emitter, { high, low }: Pair): Reg {
  const { rounded } = nearest(e, e.add(high, low));
  const z = e.add(e.sub(high, rounded), low);
  return scale(e, e.fma(z, e.polynomial(exp2Tail, z), e.f64(1)), rounded);
}

/** a + b for |a| >= |b| or a = 0. */
function sum(e: Emitter, a: Pair, b: Pair): Pair {
  const { high, low } = exactSum(e, a.high, b.high);
  return exactSum(e, high, e.add(low, e.add(a.low, b.low)));
}

function product(e: Emitter, a: Pair, b: Pair): Pair {
  const high = e.mul(a.high, b.high);
  const [aHigh, bHigh] = [upperBits(e, a.high), upperBits(e, b.high)];
  const [aLow, bLow] = [e.sub(a.high, aHigh), e.sub(b.high, bHigh)];
  const lost = e.add(e.sub(e.mul(aHigh, bHigh), high), e.add(e.mul(aHigh, bLow), e.mul(aLow, bHigh)));
  const cross = e.add(e.mul(a.high, b.low), e.mul(a.low, b.high));
  return exactSum(e, high, e.add(e.add(lost, e.mul(aLow, bLow)), cross));
}

/** The number cut to 26 bits: the product of two such is exact. */
function upperBits(e: Emitter, a: Reg): Reg {
  return e.float(e.and(e.bits(a), e.i64(-(2n ** 27n))));
}
