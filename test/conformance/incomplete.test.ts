/** The incomplete gamma and beta functions against SciPy's values (a, x, P, Q and a, b, x, I), and their gradients for every argument. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import type { Value } from '../../src/graph/graph.ts';
import { parameter } from '../../src/ops/build.ts';
import { betainc, igamma, igammac } from '../../src/ops/composite.ts';
import type { NDArray } from '../../src/ops/row.ts';
import type { Target } from './targets.ts';
import { availableTargets, reference } from './targets.ts';
import { compute } from './ulp.ts';

const fixture = JSON.parse(readFileSync(new URL('fixtures/incomplete-values.json', import.meta.url), 'utf8')) as {
  igamma: number[][];
  betainc: number[][];
};
let targets: Target[] = [];
beforeAll(async () => {
  targets = [reference, ...(await availableTargets()).filter(({ name }) => name !== 'interpreter')];
});

function check(f: (...xs: Value[]) => Value, rows: number[][], wanted: number[], absolute: number, relative: number) {
  const args = rows[0].map((_, k) => Float32Array.from(rows, (row) => row[k]));
  for (const target of targets) {
    const got = compute(target, f, ...args);
    for (const [i, value] of wanted.entries()) {
      const where = `${target.name}: f(${rows[i]}) is ${got[i]}, not ${value}`;
      expect(Math.abs(got[i] - value), where).toBeLessThanOrEqual(absolute);
      const small = value > 1e-30 && value < 0.5;
      if (small) expect(Math.abs(got[i] - value) / value, where).toBeLessThanOrEqual(relative);
    }
  }
}

describe('values', () => {
  const pairs = fixture.igamma.map(([a, x]) => [a, x]);
  it('igamma', () =>
    check(
      igamma,
      pairs,
      fixture.igamma.map(([, , p]) => p),
      2e-6,
      1e-4,
    ));
  it('igammac', () =>
    check(
      igammac,
      pairs,
      fixture.igamma.map(([, , , q]) => q),
      2e-6,
      1e-4,
    ));
  it('betainc', () => {
    const triples = fixture.betainc.map(([a, b, x]) => [a, b, x]);
    check(
      betainc,
      triples,
      fixture.betainc.map(([, , , value]) => value),
      5e-6,
      1,
    );
  });

  it('at the ends', () => {
    const ends = [
      [2, 0],
      [2, Infinity],
      [2, -1],
      [0, 1],
      [NaN, 1],
      [2, NaN],
    ];
    for (const target of targets) {
      const args = [0, 1].map((k) => Float32Array.from(ends, (row) => row[k]));
      expect([...compute(target, igamma, ...args)]).toEqual([0, 1, NaN, NaN, NaN, NaN]);
      expect([...compute(target, igammac, ...args)]).toEqual([1, 0, NaN, NaN, NaN, NaN]);
      const xs = Float32Array.of(0, 1, -1, 2, NaN);
      const twos = xs.map(() => 2);
      expect([...compute(target, betainc, twos, twos, xs)]).toEqual([0, 1, NaN, NaN, NaN]);
    }
  });
});

/** f and its gradients for all arguments, on the reference. */
function slopes(f: (...xs: Value[]) => Value, point: readonly number[]): { value: number; gradient: number[] } {
  const inputs = point.map(() => parameter('float32', [1]));
  const y = f(...inputs);
  const found = gradients([y], inputs).map((dx) => dx!);
  const feeds = new Map(
    inputs.map((x, i) => [x, { dtype: 'float32', shape: [1], data: Float32Array.of(point[i]) } as NDArray]),
  );
  const [value, ...gradient] = reference.run([y, ...found], feeds).map(({ data }) => data[0]);
  return { value, gradient };
}

describe('gradients are those of central differences', () => {
  it.each<[string, (...xs: Value[]) => Value, number[]]>([
    ['igamma, series', igamma, [2.5, 1.5]],
    ['igamma, fraction', igamma, [2.5, 5]],
    ['igamma, Temme', igamma, [40, 43]],
    ['igammac, Temme at the middle', igammac, [30, 30]],
    ['betainc', betainc, [2, 3, 0.3]],
    ['betainc, turned', betainc, [2, 3, 0.7]],
  ])('%s', (_name, f, point) => {
    const { gradient } = slopes(f, point);
    for (const [k, dx] of gradient.entries()) {
      const h = point[k] / 64;
      const [up, down] = [h, -h].map((by) => slopes(f, point.with(k, point[k] + by)).value);
      const wanted = (up - down) / (2 * h);
      expect(Math.abs(dx - wanted), `argument ${k}: ${dx}, not ${wanted}`).toBeLessThan(3e-3 * Math.abs(wanted) + 2e-5);
    }
  });
});
