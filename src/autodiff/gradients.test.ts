/** Every row's gradient against central differences of its own evaluation, to second order; and the transformation's rules. */
import { describe, expect, it } from 'vitest';
import { sampleArrays, uniform } from '../../test/conformance/samples.ts';
import type { Value } from '../graph/graph.ts';
import { add, apply, cast, constant, identity, mul, parameter, reshape, sin, stopGradient, sum } from '../ops/build.ts';
import * as composite from '../ops/composite.ts';
import { evaluateGraph } from '../ops/evaluate.ts';
import type { NDArray, OpRow } from '../ops/row.ts';
import { table } from '../ops/table.ts';
import { sizeOf } from '../types/shape.ts';
import { gradients } from './gradients.ts';

const random = uniform(20240607);

function noise(shape: readonly number[]): NDArray {
  return { dtype: 'float32', shape, data: Float32Array.from({ length: sizeOf(shape) }, () => random() * 2 - 1) };
}

function dot(a: NDArray, b: NDArray): number {
  let total = 0;
  for (let i = 0; i < a.data.length; i++) total += a.data[i] * b.data[i];
  return total;
}

/**
 * Checks d(y . w) along a random direction of all float inputs: central differences of the evaluation against the gradients'
 * values. float32 arithmetic on both sides, so the step is large and the tolerance follows the size of what is differentiated.
 */
function checkDirection(
  y: Value,
  xs: readonly Value[],
  feeds: Map<Value, NDArray>,
  step: number,
  tolerance: number,
): void {
  const weights = noise(y.shape);
  const w = parameter('float32', y.shape);
  const grads = gradients([y], xs, [w]);
  const given = new Map(feeds).set(w, weights);
  const directions = xs.map((x) => noise(x.shape));
  const values = evaluateGraph(
    grads.filter((g) => g !== null),
    given,
  );
  let analytic = 0;
  for (const [i, g] of grads.entries()) if (g !== null) analytic += dot(values.shift()!, directions[i]);
  const at = (t: number) => {
    const moved = new Map(given);
    for (const [i, x] of xs.entries()) {
      const base = feeds.get(x)!;
      moved.set(x, { ...base, data: Float32Array.from(base.data, (v, k) => v + t * directions[i].data[k]) });
    }
    return dot(evaluateGraph([y], moved)[0], weights);
  };
  const numeric = (at(step) - at(-step)) / (2 * step);
  const size = Math.sqrt(Math.max(1, sizeOf(y.shape)));
  expect(Math.abs(numeric - analytic)).toBeLessThanOrEqual(tolerance * (size + Math.abs(numeric)));
}

/** Piecewise linear rows jump where a difference crosses a kink; these samples keep away from it by a small step. */
const kinkedRows = new Set(['abs', 'relu', 'maximum', 'minimum', 'max', 'min', 'maxPool', 'mod']);

/** So do running extrema and scattered ones. */
function isKinked(row: OpRow, index: number): boolean {
  const { fn, mode } = row.samples[index].attrs ?? {};
  return kinkedRows.has(row.name) || [fn, mode].some((name) => name === 'max' || name === 'min');
}

function build(row: OpRow, index: number): { y: Value; xs: Value[]; feeds: Map<Value, NDArray> } | null {
  const sample = row.samples[index];
  const size = sample.inputs.reduce((n, input) => n + sizeOf(input.shape), 0);
  if (size > 2000 || !sample.inputs.some((input) => input.dtype === 'float32')) return null;
  const inputs = sample.inputs.map((input) => parameter(input.dtype, input.shape));
  const [y] = apply(row.name, inputs, sample.attrs);
  if (y.dtype !== 'float32' || ((row.name === 'max' || row.name === 'min') && size === 0)) return null;
  const arrays = sampleArrays(sample, index + 1);
  const feeds = new Map(inputs.map((input, i) => [input, arrays[i]]));
  return { y, xs: inputs.filter((input) => input.dtype === 'float32'), feeds };
}

const differentiable = Object.entries<OpRow>(table).filter(([, row]) => row.gradient !== 'constant' && row.arity !== 0);

describe.each(differentiable)('gradient of %s', (_name, row) => {
  it('agrees with differences', () => {
    for (const i of row.samples.keys()) {
      const built = build(row, i);
      const kinked = isKinked(row, i);
      if (built) checkDirection(built.y, built.xs, built.feeds, kinked ? 1e-4 : 2e-3, kinked ? 5e-2 : 5e-3);
    }
  });

  it('agrees with differences once more', () => {
    for (const i of row.samples.keys()) {
      const built = isKinked(row, i) ? null : build(row, i);
      if (!built) continue;
      const { y, xs, feeds } = built;
      const w = parameter('float32', y.shape);
      feeds.set(w, noise(y.shape));
      const first = gradients([y], xs, [w]).find((g) => g !== null);
      if (first) checkDirection(first, xs, feeds, 2e-3, 2e-2);
    }
  });
});

describe('composites', () => {
  const unary: Record<string, [(x: Value) => Value, number, number]> = {
    softmax: [(x) => composite.softmax(x, 1), -3, 3],
    logSoftmax: [(x) => composite.logSoftmax(x, 1), -3, 3],
    logSumExp: [(x) => composite.logSumExp(x, [1]), -3, 3],
    elu: [composite.elu, -3, 3],
    selu: [composite.selu, -3, 3],
    gelu: [composite.gelu, -3, 3],
    geluApproximate: [(x) => composite.gelu(x, true), -3, 3],
    softplus: [composite.softplus, -5, 5],
    logSigmoid: [composite.logSigmoid, -5, 5],
    mish: [composite.mish, -3, 3],
    swish: [composite.swish, -3, 3],
    tan: [composite.tan, -1, 1],
    atan: [composite.atan, -5, 5],
    asin: [composite.asin, -0.9, 0.9],
    acos: [composite.acos, -0.9, 0.9],
    sinh: [composite.sinh, -2, 2],
    cosh: [composite.cosh, -2, 2],
    asinh: [composite.asinh, -5, 5],
    acosh: [composite.acosh, 1.2, 5],
    atanh: [composite.atanh, -0.9, 0.9],
    erfInverse: [composite.erfInverse, -0.9, 0.9],
  };
  it.each(Object.entries(unary))('%s', (_name, [f, low, high]) => {
    const x = parameter('float32', [3, 7]);
    const data = Float32Array.from({ length: 21 }, () => low + (high - low) * random());
    const feeds = new Map<Value, NDArray>([[x, { dtype: 'float32', shape: [3, 7], data }]]);
    const y = f(x);
    checkDirection(y, [x], feeds, 1e-3, 1e-2);
    const w = parameter('float32', y.shape);
    feeds.set(w, noise(y.shape));
    checkDirection(gradients([y], [x], [w])[0]!, [x], feeds, 1e-3, 3e-2);
  });

  it('cross entropies', () => {
    const x = parameter('float32', [3, 7]);
    const z = parameter('float32', [3, 7]);
    const feeds = new Map([
      [x, noise([3, 7])],
      [z, noise([3, 7])],
    ]);
    checkDirection(composite.softmaxCrossEntropyWithLogits(z, x), [x, z], feeds, 2e-3, 1e-2);
    checkDirection(composite.sigmoidCrossEntropyWithLogits(z, x), [x, z], feeds, 2e-3, 1e-2);
  });
});

describe('the transformation', () => {
  const value = (v: Value | null, feeds: Map<Value, NDArray>) => Array.from(evaluateGraph([v!], feeds)[0].data);
  const x = parameter('float32', [2]);
  const feeds = new Map<Value, NDArray>([[x, { dtype: 'float32', shape: [2], data: Float32Array.of(3, -2) }]]);

  it('adds up all ways from x to y', () => {
    expect(value(gradients([add(mul(x, x), x)], [x])[0], feeds)).toEqual([7, -3]);
  });
  it('gives null where nothing depends on x, and for integers', () => {
    const other = parameter('float32', [2]);
    const n = parameter('int32', [2]);
    expect(gradients([mul(x, cast(n, 'float32'))], [other, n])).toEqual([null, null]);
  });
  it('stops at stopGradient', () => {
    expect(value(gradients([mul(x, stopGradient(x))], [x])[0], feeds)).toEqual([3, -2]);
  });
  it('takes gradients for values inside the graph too', () => {
    const y = mul(x, x);
    const [dx, dy] = gradients([mul(y, y)], [x, y]);
    expect(value(dx, feeds)).toEqual([4 * 27, 4 * -8]);
    expect(value(dy, feeds)).toEqual([18, 8]);
  });
  it('uses custom gradients', () => {
    const y = composite.withGradient(mul(x, x), [x], (dy) => [mul(dy, constant(10, 'float32', [2]))]);
    expect(value(gradients([y], [x])[0], feeds)).toEqual([10, 10]);
  });
  it('goes to any order', () => {
    let g: Value = sin(x);
    for (let order = 0; order < 4; order++) g = gradients([g], [x])[0]!;
    expect(value(g, feeds)[0]).toBeCloseTo(Math.sin(3), 6);
  });
  it('leaves no users behind of what is not asked for', () => {
    const a = parameter('float32', [2]);
    const b = parameter('float32', [2]);
    const y = sum(mul(a, b));
    const before = a.uses;
    gradients([y], [a]);
    expect(a.uses).toBe(before);
  });
  it('refuses integers and wrong dys', () => {
    expect(() => gradients([parameter('int32', [2])], [x])).toThrow(/float32/);
    expect(() => gradients([reshape(identity(x), [2, 1])], [x], [x])).toThrow(/shape/);
  });
});
