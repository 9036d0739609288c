/** How far float32 results lie from the truth in double precision, in units of the last place. */
import type { Value } from '../../src/graph/graph.ts';
import { parameter } from '../../src/ops/build.ts';
import type { NDArray } from '../../src/ops/row.ts';
import type { Target } from './targets.ts';

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The distance between neighbouring floats at |x|; that of the smallest normal number below it. */
export function ulpOf(x: number): number {
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(x))));
  return 2 ** (Math.min(exponent, 127) - 23);
}

/** About `count` floats of every size and sign with |x| in [low, high], evenly by their bits, and a few special ones. */
export function floats(low: number, high: number, count = 20_000, both = true): Float32Array {
  float[0] = low;
  const first = bits[0];
  float[0] = high;
  const last = bits[0];
  const step = Math.max(1, Math.floor((last - first) / count));
  const values: number[] = [low, high];
  for (let u = first; u <= last; u += step) {
    bits[0] = u;
    values.push(float[0]);
  }
  return Float32Array.from(both ? values.flatMap((x) => [x, -x]) : values);
}

/** Evenly spaced. */
export function between(low: number, high: number, count = 20_000): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}

/** What a function of elements makes of the arguments on a target. */
export function compute(target: Target, f: (...xs: Value[]) => Value, ...args: Float32Array[]): Float32Array {
  const inputs = args.map((x) => parameter('float32', [x.length]));
  const feeds = new Map(
    inputs.map((input, i) => [input, { dtype: 'float32', shape: [args[i].length], data: args[i] } as NDArray]),
  );
  return target.run([f(...inputs)], feeds)[0].data as Float32Array;
}

export interface Worst {
  /** Greatest error in ulp; Infinity where one is finite (or a number) and the other is not. */
  ulp: number;
  at: number[];
  got: number;
  wanted: number;
}

/** The place where results lie furthest from the truth. Errors below `floor` do not count: there the function cancels. */
export function worst(got: Float32Array, truth: (...xs: number[]) => number, args: Float32Array[], floor = 0): Worst {
  const found: Worst = { ulp: 0, at: [], got: 0, wanted: 0 };
  for (let i = 0; i < got.length; i++) {
    const at = args.map((x) => x[i]);
    const wanted = truth(...at);
    const rounded = Math.fround(wanted);
    let ulp = 0;
    if (Object.is(got[i], rounded) || (got[i] === rounded && wanted !== 0)) continue;
    if (!Number.isFinite(got[i]) || !Number.isFinite(rounded))
      ulp = Number.isNaN(got[i]) && Number.isNaN(wanted) ? 0 : Infinity;
    else ulp = Math.abs(got[i] - wanted) <= floor ? 0 : Math.abs(got[i] - wanted) / ulpOf(wanted);
    // The neighbour of infinity is the greatest float.
    if (ulp === Infinity && Math.abs(got[i]) > 3.4e38 && Math.abs(wanted) > 3.4e38 && got[i] > 0 === wanted > 0)
      ulp = 1;
    if (got[i] === 0 && rounded === 0) ulp = 0;
    if (ulp > found.ulp) Object.assign(found, { ulp, at, got: got[i], wanted });
  }
  return found;
}
