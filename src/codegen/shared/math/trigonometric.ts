/**
 * sin and cos. |x| = n pi/2 + r with pi/2 in many short parts after Cody & Waite, so that n times each is exact. All are while
 * n < 2^16, which is |x| <= 102943, and the first four are while n < 2^20, which keeps the absolute error small up to |x| = 1.6e6.
 * Beyond that it grows, and the result stays within [-1, 1]. The polynomials are from scripts/minimax.py.
 */
import type { Reg } from '../../../kernel/ir.ts';
import type { Emitter } from './emitter.ts';

/** pi/2 is the sum of all: parts of at most 4 bits, of 8 bits, and what is left. */
const coarse = [1.5, 0.0703125, 2 ** -11, -(2 ** -18)];
const fine = [-6.407499313354492e-7, 9.89530235528946e-10, 2.5579538487363607e-12];
const finest = [5.384581669432009e-15, 5.721188916458728e-18];
/** sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2/2 + r^4 P(r^2) for |r| <= pi/4. */
const sinTail = [-0.16666654, 0.008332093, -0.00019505146];
const cosTail = [0.04166664, -0.001388713, 2.4412086e-5];

export function sin(e: Emitter, x: Reg): Reg {
  const { quadrant, value } = byQuadrant(e, x, 0);
  return e.float(e.xor(e.bits(value), e.xor(quadrantSign(e, quadrant), e.signBit(x))));
}

export function cos(e: Emitter, x: Reg): Reg {
  const { quadrant, value } = byQuadrant(e, x, 1);
  return e.float(e.xor(e.bits(value), quadrantSign(e, quadrant)));
}

/** |sin| or |cos| up to its sign: cos is sin a quadrant further. */
function byQuadrant(e: Emitter, x: Reg, ahead: 0 | 1): { readonly quadrant: Reg; readonly value: Reg } {
  const a = e.unary('abs', x);
  const { rounded: n, bits } = e.nearest(a, 2 / Math.PI);
  let r = reduced(e, a, n);
  r = e.atLeast(-1, e.atMost(1, r));
  const z = e.mul(r, r);
  const sine = e.fma(e.mul(r, z), e.polynomial(sinTail, z), r);
  const cosine = e.fma(e.mul(z, z), e.polynomial(cosTail, z), e.fma(z, e.f32(-0.5), e.f32(1)));
  const quadrant = ahead === 0 ? bits : e.add(bits, e.i32(ahead));
  const odd = e.convert('i32ToMask', e.and(quadrant, e.i32(1)));
  return { quadrant, value: e.select(odd, cosine, sine) };
}

/**
 * a - n pi/2 with one rounding. With the coarse parts nothing is lost; what the next ones lose is kept and added in the end. (Where
 * the difference is smaller than the part, the loss is wrong, but there is none: such numbers fit.)
 */
function reduced(e: Emitter, a: Reg, n: Reg): Reg {
  const minusN = e.unary('neg', n);
  let high = a;
  for (const part of coarse) high = e.fma(minusN, e.f32(part), high);
  let low: Reg | null = null;
  for (const part of fine) {
    const product = e.mul(n, e.f32(part));
    const difference = e.sub(high, product);
    const lost = e.sub(e.sub(high, difference), product);
    low = low === null ? lost : e.add(low, lost);
    high = difference;
  }
  for (const part of finest) low = e.fma(minusN, e.f32(part), low!);
  return e.add(high, low!);
}

/** The sign bit of quadrants 2 and 3. */
function quadrantSign(e: Emitter, quadrant: Reg): Reg {
  return e.shift('shl', e.and(quadrant, e.i32(2)), 30);
}
