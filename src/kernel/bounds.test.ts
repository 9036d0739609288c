import { describe, expect, it } from 'vitest';
import { Bounds } from './bounds.ts';
import { type Affine, constant, type Loop, type LoopVar, plus, shift, times, variable } from './ir.ts';

const v = (id: number): LoopVar => ({ id, name: `v${id}` });
const loop = (at: LoopVar, lo: Affine[], hi: Affine[], step = 1): Loop => ({
  op: 'loop',
  v: at,
  lo,
  hi,
  step,
  body: [],
});
const [a, b, c] = [v(0), v(1), v(2)];

function inside(...loops: Loop[]): Bounds {
  const bounds = new Bounds();
  for (const each of loops) bounds.enterLoop(each);
  return bounds;
}

function rangeOf(bounds: Bounds, at: Affine): [number, number] {
  return [bounds.min(at), bounds.max(at)];
}

describe('Bounds', () => {
  it('proves the address of a padded convolution', () => {
    const bounds = inside(
      loop(a, [constant(0)], [constant(13)]),
      loop(b, [constant(0), shift(variable(a), -10)], [constant(3), shift(variable(a), 1)]),
    );
    expect(rangeOf(bounds, plus(variable(a), variable(b, -1)))).toEqual([0, 10]);
  });

  it('knows the last value of a loop with a step', () => {
    const tiles = loop(a, [constant(0)], [constant(70)], 16);
    expect(rangeOf(inside(tiles), variable(a))).toEqual([0, 64]);
    const rest = loop(b, [variable(a)], [shift(variable(a), 16)], 6);
    expect(rangeOf(inside(tiles, rest), variable(b))).toEqual([0, 76]);
    const ragged = loop(b, [variable(a)], [constant(70), shift(variable(a), 16)], 8);
    expect(rangeOf(inside(tiles, ragged), variable(b))).toEqual([0, 64]);
    expect(rangeOf(inside(loop(a, [constant(3)], [constant(10)], 3)), variable(a))).toEqual([3, 9]);
  });

  it('takes a loop that may run once for a condition on outer variables', () => {
    const when = loop(b, [constant(0)], [constant(1), shift(variable(a, -1), 11)]);
    expect(rangeOf(inside(loop(a, [constant(0)], [constant(13)]), when), variable(a))).toEqual([0, 10]);
    const twice = loop(b, [constant(0)], [constant(1), shift(variable(a, -2), 11)]);
    expect(rangeOf(inside(loop(a, [constant(0)], [constant(13)]), twice), variable(a))).toEqual([0, 5]);
  });

  it('combines bounds that are only tight together', () => {
    const tent = loop(b, [constant(0)], [shift(variable(a), 1), shift(variable(a, -1), 11)]);
    expect(rangeOf(inside(loop(a, [constant(0)], [constant(11)]), tent), variable(b))).toEqual([0, 5]);
  });

  it('forgets what a loop said when it is left', () => {
    const bounds = inside(loop(a, [constant(0)], [constant(13)]));
    bounds.enterLoop(loop(b, [constant(0)], [constant(1), shift(variable(a, -1), 11)]));
    bounds.leave();
    expect(rangeOf(bounds, variable(a))).toEqual([0, 12]);
    expect(bounds.knows(b)).toBe(false);
  });

  it('gives up where numbers are too large to be exact', () => {
    const huge = loop(a, [constant(0)], [constant(2 ** 40)]);
    const next = loop(b, [variable(a)], [shift(variable(a), 1)]);
    const cancelled = plus(variable(a, 2 ** 45), variable(b, -(2 ** 45)));
    expect(rangeOf(inside(huge, next), cancelled)).toEqual([0, 0]);
    expect(rangeOf(inside(huge, next), variable(a, 2 ** 45))).toEqual([0, Infinity]);
  });

  it('sees that a loop never runs', () => {
    const bounds = inside(loop(a, [constant(0)], [constant(4)]));
    expect(bounds.enterLoop(loop(b, [shift(variable(a), 5)], [constant(5), constant(9)]))).toBe(false);
    expect(bounds.enterLoop(loop(c, [variable(a)], [constant(1)]))).toBe(true);
  });

  it.each([
    { nests: 'with unit coefficients', wild: false, exactAtLeast: 0.97 },
    { nests: 'with steps and coefficients up to 2', wild: true, exactAtLeast: 0.8 },
  ])('is never too tight, and seldom too wide, for random nests $nests', ({ wild, exactAtLeast }) => {
    const random = generator(12345);
    let exact = 0;
    let total = 0;
    for (let trial = 0; trial < 2000; trial++) {
      const loops = randomNest(random, wild);
      const at = randomAffine(random, [a, b, c], 9);
      const truth = enumerate(loops, at);
      const bounds = new Bounds();
      const runs = loops.map((each) => bounds.enterLoop(each)).every(Boolean);
      if (!truth) continue; // whatever is said of a nest that never runs is true
      expect(runs, `trial ${trial} runs`).toBe(true);
      const [min, max] = rangeOf(bounds, at);
      if (min > truth[0] || max < truth[1]) {
        throw new Error(`trial ${trial}: [${min}, ${max}] does not hold ${truth} in ${JSON.stringify(loops)}`);
      }
      total += 2;
      exact += (min === truth[0] ? 1 : 0) + (max === truth[1] ? 1 : 0);
    }
    expect(total).toBeGreaterThan(2000);
    expect(exact / total).toBeGreaterThan(exactAtLeast);
  });
});

type Random = (below: number) => number;

function generator(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomAffine(random: Random, vars: readonly LoopVar[], spread: number): Affine {
  let at: Affine = constant(random(2 * spread) - spread);
  for (const each of vars) if (random(3) > 0) at = plus(at, times(variable(each), random(7) - 3));
  return at;
}

/** Three loops with one or two bounds on each side, affine in the outer variables. */
function randomNest(random: Random, wild: boolean): Loop[] {
  const small = (vars: readonly LoopVar[], offset: number): Affine => {
    let at = constant(offset);
    for (const each of vars)
      if (random(3) === 0) at = plus(at, times(variable(each), wild ? random(5) - 2 : random(3) - 1));
    return at;
  };
  return [a, b, c].map((each, depth) => {
    const outer = [a, b, c].slice(0, depth);
    const lo = Array.from({ length: 1 + random(2) }, () => small(outer, random(6) - 3));
    const hi = Array.from({ length: 1 + random(2) }, () => small(outer, 2 + random(10)));
    return loop(each, lo, hi, wild ? 1 + random(3) : 1);
  });
}

function enumerate(loops: readonly Loop[], at: Affine): [number, number] | null {
  const values = new Map<number, number>();
  const valueOf = (affine: Affine): number =>
    affine.terms.reduce((sum, term) => sum + term.coef * values.get(term.v.id)!, affine.offset);
  let result: [number, number] | null = null;
  const visit = (depth: number): void => {
    if (depth === loops.length) {
      const value = valueOf(at);
      result = result ? [Math.min(result[0], value), Math.max(result[1], value)] : [value, value];
      return;
    }
    const {
      v: { id },
      lo,
      hi,
      step,
    } = loops[depth];
    const end = Math.min(...hi.map(valueOf));
    for (let x = Math.max(...lo.map(valueOf)); x < end; x += step) {
      values.set(id, x);
      visit(depth + 1);
    }
  };
  visit(0);
  return result;
}
