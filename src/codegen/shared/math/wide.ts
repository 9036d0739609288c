/**
 * 64-bit integers for targets that lack instructions for them: quotients by doubles, conversions by the bits of doubles. All of it
 * is exact, or rounded once. Sums, products, logical shifts and comparisons every target has.
 */
import type { Reg } from '../../../kernel/ir.ts';
import type { Emitter } from './emitter.ts';

const leastI64 = -(2n ** 63n);

export function negI64(e: Emitter, a: Reg): Reg {
  return e.sub(e.i64(0n), a);
}

export function absI64(e: Emitter, a: Reg): Reg {
  return e.select(e.compare('lt', a, e.i64(0n)), e.unary('neg', a), a);
}

export function notI64(e: Emitter, a: Reg): Reg {
  return e.xor(a, e.i64(-1n));
}

/** The sign is shifted in by hand: (a + 2^63 >>> n) - (2^63 >>> n). */
export function sarI64(e: Emitter, a: Reg, count: Reg): Reg {
  const sign = e.i64(leastI64);
  const moved = e.binary('shr', e.xor(a, sign), count);
  return e.sub(moved, e.binary('shr', sign, count));
}

/** 2^52, whose last bit counts ones: integers in 0..2^52-1 are its fraction's bits. */
const MAGIC = 2 ** 52;
const magicBits = 0x4330_0000_0000_0000n;

/**
 * The floor of the quotient. A quotient of doubles is off by 2^-52 of itself at most, so what it leaves, divided again, is off by
 * less than one; the rest's sign says which way. 0 where the divisor is 0.
 */
export function divI64(e: Emitter, a: Reg, b: Reg): Reg {
  return quotientAndRest(e, a, b).quotient;
}

export function modI64(e: Emitter, a: Reg, b: Reg): Reg {
  return quotientAndRest(e, a, b).rest;
}

function quotientAndRest(e: Emitter, a: Reg, b: Reg): { quotient: Reg; rest: Reg } {
  const zero = e.i64(0n);
  const defined = e.compare('ne', b, zero);
  const divisor = e.convert('i64ToF64', e.select(defined, b, e.i64(1n)));
  let quotient = zero;
  let rest = a;
  for (let round = 0; round < 2; round++) {
    const part = e.convert('f64ToI64', e.binary('div', e.convert('i64ToF64', rest), divisor));
    quotient = e.add(quotient, part);
    rest = e.sub(rest, e.mul(part, b));
  }
  // Now |rest| < 2 |b|, but where that overflows, which the two comparisons with wrapping differences get right all the same.
  for (const correction of [1n, 1n, -1n]) {
    const negative = e.compare('lt', b, zero);
    const below = e.select(negative, e.compare('gt', rest, zero), e.compare('lt', rest, zero));
    const beyond = e.select(negative, e.compare('le', rest, b), e.compare('ge', rest, b));
    const wrong = correction === 1n ? below : beyond;
    const step = e.select(wrong, e.i64(correction), zero);
    quotient = e.sub(quotient, step);
    rest = e.add(rest, e.select(wrong, correction === 1n ? b : e.unary('neg', b), zero));
  }
  return { quotient: e.select(defined, quotient, zero), rest: e.select(defined, rest, zero) };
}

/** The high half times 2^32 and the low half are exact, so their sum rounds once. */
export function i64ToF64(e: Emitter, a: Reg): Reg {
  // 2^84 + 2^63 with the high half, its sign turned, in the fraction's bits that count 2^32.
  const high = e.float(e.xor(e.shift('shr', a, 32), e.i64(0x4530_0000_8000_0000n)));
  const low = e.float(e.or(e.and(a, e.i64(0xffff_ffffn)), e.i64(magicBits)));
  return e.add(e.sub(high, e.f64(2 ** 84 + 2 ** 63 + 2 ** 52)), low);
}

/** Two halves of 32 bits, each by adding 1.5 * 2^52, which leaves a signed integer in the low bits. */
export function f64ToI64(e: Emitter, a: Reg): Reg {
  const whole = e.select(e.compare('lt', a, e.f64(0)), e.unary('ceil', a), e.unary('floor', a));
  const clamped = e.binary('max', whole, e.f64(-(2 ** 63))); // NaN becomes the limit, and then 0
  const high = e.unary('floor', e.mul(clamped, e.f64(2 ** -32)));
  const low = e.sub(clamped, e.mul(high, e.f64(2 ** 32)));
  const integer = (x: Reg): Reg => {
    const magic = e.f64(1.5 * MAGIC);
    return e.sub(e.bits(e.add(x, magic)), e.bits(magic));
  };
  const joined = e.add(e.shift('shl', integer(high), 32), integer(low));
  const saturated = e.select(e.compare('ge', a, e.f64(2 ** 63)), e.i64(2n ** 63n - 1n), joined);
  return e.select(e.compare('eq', a, a), saturated, e.i64(0n));
}
