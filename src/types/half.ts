/**
 * The small floats as numbers and as bits: float16 is IEEE 754 binary16, bfloat16 the upper half of a binary32. Rounding goes to
 * the nearest, halves to even, straight from the number that is given. Knows no arrays and no tensors.
 */

/** A binary floating-point format: bits of the fraction, and the exponents of its smallest and largest normal numbers. */
export interface FloatFormat {
  readonly fraction: number;
  readonly least: number;
  readonly most: number;
}

export const floatFormats = {
  float16: { fraction: 10, least: -14, most: 15 },
  bfloat16: { fraction: 7, least: -126, most: 127 },
  float32: { fraction: 23, least: -126, most: 127 },
  float64: { fraction: 52, least: -1022, most: 1023 },
} as const satisfies { readonly [name: string]: FloatFormat };

const wide = new Float64Array(1);
const wideBits = new Uint32Array(wide.buffer);
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);
/** Adding and taking it away rounds what is below 2^51 to an integer, halves to even. */
const ROUNDER = 1.5 * 2 ** 52;

/** The number of the format that is nearest to x; what is too large becomes an infinity. */
export function roundToFormat(x: number, { fraction, least, most }: FloatFormat): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  wide[0] = x;
  const exponent = ((wideBits[1] >>> 20) & 0x7ff) - 1023;
  const unit = 2 ** (Math.max(exponent, least) - fraction);
  const rounded = (x / unit + ROUNDER - ROUNDER) * unit;
  if (Math.abs(rounded) >= 2 ** most * 2) return x < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  // What rounds to zero keeps its sign.
  return rounded === 0 && x < 0 ? -0 : rounded;
}

export function roundToFloat16(x: number): number {
  return roundToFormat(x, floatFormats.float16);
}

export function roundToBfloat16(x: number): number {
  return roundToFormat(x, floatFormats.bfloat16);
}

/** The 16 bits of the float16 nearest to x. NaN has one pattern, 0x7e00. */
export function float16Bits(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  single[0] = roundToFloat16(x);
  const sign = (singleBits[0] >>> 16) & 0x8000;
  const size = Math.abs(single[0]);
  if (size === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  // Below 2^-14 the bits count units of 2^-24.
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  return sign | (((singleBits[0] >>> 13) - (112 << 10)) & 0x7fff);
}

/** The number that 16 bits are as a float16. */
export function float16Number(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The 16 bits of the bfloat16 nearest to x. NaN has one pattern, 0x7fc0. */
export function bfloat16Bits(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  single[0] = roundToBfloat16(x);
  return singleBits[0] >>> 16;
}

/** The number that 16 bits are as a bfloat16. */
export function bfloat16Number(bits: number): number {
  singleBits[0] = bits << 16;
  return single[0];
}
