/** Signs, rounding and conversions from bit operations, comparisons and additions, for targets that have no instruction for them. */
import type { Reg } from '../../../kernel/ir.ts';
import { type Emitter, magicBits, signMask } from './emitter.ts';

export function negF32(e: Emitter, a: Reg): Reg {
  return e.float(e.xor(e.bits(a), e.i32(signMask)));
}

export function negI32(e: Emitter, a: Reg): Reg {
  return e.sub(e.i32(0), a);
}

export function absF32(e: Emitter, a: Reg): Reg {
  return e.float(e.and(e.bits(a), e.i32(0x7fffffff)));
}

export function absI32(e: Emitter, a: Reg): Reg {
  return e.binary('max', a, e.sub(e.i32(0), a));
}

export function notI32(e: Emitter, a: Reg): Reg {
  return e.xor(a, e.i32(-1));
}

export function notMask(e: Emitter, a: Reg): Reg {
  return e.compare('eq', e.convert('maskToI32', a), e.i32(0));
}

export function min(e: Emitter, a: Reg, b: Reg): Reg {
  return e.select(e.compare('lt', a, b), a, b);
}

export function max(e: Emitter, a: Reg, b: Reg): Reg {
  return e.select(e.compare('gt', a, b), a, b);
}

/** From 2^23 on every f32 is an integer; below it, adding and subtracting 2^23 rounds as the hardware does: half to even. */
export function round(e: Emitter, a: Reg): Reg {
  return onMagnitude(e, a, (magnitude, big) => e.sub(e.add(magnitude, big), big));
}

export function floor(e: Emitter, a: Reg): Reg {
  return towards(e, a, 'gt', 1);
}

export function ceil(e: Emitter, a: Reg): Reg {
  return towards(e, a, 'lt', -1);
}

/** The nearest integer, less `step` where it lies on the wrong side. The sign of a stays, so that -0 does too. */
function towards(e: Emitter, a: Reg, wrong: 'gt' | 'lt', step: number): Reg {
  const nearest = e.unary('round', a);
  const moved = e.sub(nearest, e.select(e.compare(wrong, nearest, a), e.f32(step), e.f32(0)));
  return e.withSign(moved, e.signBit(a));
}

function onMagnitude(e: Emitter, a: Reg, below: (magnitude: Reg, big: Reg) => Reg): Reg {
  const big = e.f32(8388608);
  const magnitude = e.unary('abs', a);
  const rounded = e.withSign(below(magnitude, big), e.signBit(a));
  return e.select(e.compare('lt', magnitude, big), rounded, a);
}

/** Both 16-bit halves by the magic number, which leaves them in the low bits of an f32. */
export function f32ToI32(e: Emitter, a: Reg): Reg {
  const whole = e.select(e.compare('lt', a, e.f32(0)), e.unary('ceil', a), e.unary('floor', a));
  const clamped = e.binary('max', whole, e.f32(-2147483648)); // NaN becomes the limit, and then 0
  const high = e.unary('floor', e.mul(clamped, e.f32(2 ** -16)));
  const low = e.sub(clamped, e.mul(high, e.f32(2 ** 16)));
  const joined = e.add(e.shift('shl', e.nearest(high).bits, 16), e.sub(e.nearest(low).bits, e.i32(magicBits)));
  const saturated = e.select(e.compare('ge', a, e.f32(2147483648)), e.i32(0x7fffffff), joined);
  return e.select(e.compare('eq', a, a), saturated, e.i32(0));
}

/** The high half times 2^16 is exact, so adding the low half rounds once. */
export function i32ToF32(e: Emitter, a: Reg): Reg {
  const half = (bits: Reg): Reg => e.sub(e.float(e.add(bits, e.i32(magicBits))), e.f32(12582912));
  const high = half(e.shift('sar', a, 16));
  return e.add(e.mul(high, e.f32(2 ** 16)), half(e.and(a, e.i32(0xffff))));
}

export function maskToI32(e: Emitter, a: Reg): Reg {
  return e.select(a, e.i32(1), e.i32(0));
}

export function i32ToMask(e: Emitter, a: Reg): Reg {
  return e.compare('ne', a, e.i32(0));
}
