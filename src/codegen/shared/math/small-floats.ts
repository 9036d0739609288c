/**
 * Floats of 16 bits in 32-bit integers and floats, for targets that have no instruction for them. Roundings go to the nearest, half to
 * even, with denormals, infinities and NaN as IEEE 754 has them; bits and numbers convert exactly.
 */
import type { Reg } from '../../../kernel/ir.ts';
import type { Emitter } from './emitter.ts';

const QUIET = 0x00400000;
const MAGNITUDE = 0x7fffffff;

/** NaN stays NaN when its low bits go: the quiet bit is set. */
function orNaN(e: Emitter, a: Reg, rounded: Reg): Reg {
  return e.select(e.compare('eq', a, a), rounded, e.float(e.or(e.bits(a), e.i32(QUIET))));
}

/** Drops `count` bits of the fraction: half of the last kept bit is added, a little less where that bit is 0, so that ties go to even. */
function dropBits(e: Emitter, bits: Reg, count: number): Reg {
  const odd = e.and(e.shift('shr', bits, count), e.i32(1));
  const half = e.add(e.add(bits, e.i32(2 ** (count - 1) - 1)), odd);
  return e.and(half, e.i32(-(2 ** count)));
}

export function toBf16(e: Emitter, a: Reg): Reg {
  return orNaN(e, a, e.float(dropBits(e, e.bits(a), 16)));
}

/** The bits of 0.5, whose last bit counts 2^-24: the step of a float16 below 2^-14. */
const HALF = 0x3f000000;
const LEAST_NORMAL = 2 ** -14;

export function toF16(e: Emitter, a: Reg): Reg {
  const magnitude = e.unary('abs', a);
  const normal = e.float(dropBits(e, e.bits(magnitude), 13));
  const bounded = e.select(e.compare('ge', normal, e.f32(65536)), e.f32(Number.POSITIVE_INFINITY), normal);
  const tiny = e.sub(e.add(magnitude, e.f32(0.5)), e.f32(0.5));
  const rounded = e.select(e.compare('lt', magnitude, e.f32(LEAST_NORMAL)), tiny, bounded);
  return orNaN(e, a, e.withSign(rounded, e.signBit(a)));
}

function bf16Number(e: Emitter, bits: Reg): Reg {
  return e.float(e.shift('shl', bits, 16));
}

function bf16Bits(e: Emitter, a: Reg): Reg {
  return e.shift('shr', e.bits(a), 16);
}

/** In the place of an f32's exponent that of a float16 is too small by 112, denormals included; all ones stay all ones. */
function f16Number(e: Emitter, bits: Reg): Reg {
  const moved = e.shift('shl', e.and(bits, e.i32(0x7fff)), 13);
  const finite = e.mul(e.float(moved), e.f32(2 ** 112));
  const special = e.float(e.or(moved, e.i32(0x7f800000)));
  const magnitude = e.select(e.compare('ge', moved, e.i32(0x7c00 << 13)), special, finite);
  return e.withSign(magnitude, e.shift('shl', e.and(bits, e.i32(0x8000)), 16));
}

function f16Bits(e: Emitter, a: Reg): Reg {
  const word = e.bits(a);
  const magnitude = e.and(word, e.i32(MAGNITUDE));
  const moved = e.shift('shr', magnitude, 13);
  const normal = e.sub(moved, e.i32(112 << 10));
  const special = e.or(e.and(moved, e.i32(0x3ff)), e.i32(0x7c00));
  const tiny = e.sub(e.bits(e.add(e.float(magnitude), e.f32(0.5))), e.i32(HALF));
  const large = e.select(e.compare('ge', magnitude, e.i32(0x7f800000)), special, normal);
  const bits = e.select(e.compare('lt', magnitude, e.i32(113 << 23)), tiny, large);
  return e.or(bits, e.and(e.shift('shr', word, 16), e.i32(0x8000)));
}

/** The number that 16 bits in an i32 are. */
export const number = { f16: f16Number, bf16: bf16Number } as const;
/** The 16 bits of one of the format's numbers. */
export const bits = { f16: f16Bits, bf16: bf16Bits } as const;
