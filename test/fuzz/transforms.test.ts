/**
 * The graph transformations on random graphs, by the reference alone: a stack is a loop, forward and reverse mode are each
 * other's transpose, and checkpoint changes no gradient. FUZZ_COUNT (12) and FUZZ_SEED as for fuzz.test.ts.
 */
import { expect, it } from 'vitest';
import { checkpoint } from '../../src/autodiff/checkpoint.ts';
import { jvp } from '../../src/autodiff/forward.ts';
import { gradients } from '../../src/autodiff/gradients.ts';
import { Stack } from '../../src/autodiff/vmap.ts';
import type { Value } from '../../src/graph/graph.ts';
import { parameter } from '../../src/ops/build.ts';
import { evaluateGraph } from '../../src/ops/evaluate.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { newArray } from '../../src/types/dtype.ts';
import { sizeOf } from '../../src/types/shape.ts';
import { sampleArrays } from '../conformance/samples.ts';
import { difference } from '../conformance/targets.ts';
import { Generator } from './generate.ts';

const count = Number(process.env.FUZZ_COUNT ?? 12);
const start = Number(process.env.FUZZ_SEED ?? 1);
const tolerance = { absolute: 1e-3, relative: 1e-3 };

interface Made {
  readonly outputs: readonly Value[];
  readonly parameters: readonly Value[];
  readonly feeds: ReadonlyMap<Value, NDArray>;
}

/** A graph of which the float outputs that are computed remain. */
function make(seed: number): Made {
  const { outputs, parameters, feeds } = new Generator(seed * 2003).run();
  return { outputs: outputs.filter((y) => !feeds.has(y) && y.dtype === 'float32'), parameters, feeds };
}

function noise(shape: readonly number[], seed: number): NDArray {
  return sampleArrays({ inputs: [{ dtype: 'float32', shape, low: -1, high: 1 }] }, seed)[0];
}

function compare(got: readonly NDArray[], wanted: readonly NDArray[], what: string): string[] {
  return got.flatMap((array, i) => {
    const problem = difference(array, wanted[i], tolerance);
    return problem ? [`${what} ${i}: ${problem}`] : [];
  });
}

function elementOf({ dtype, shape, data }: NDArray, i: number): NDArray {
  const size = sizeOf(shape.slice(1));
  return { dtype, shape: shape.slice(1), data: data.slice(i * size, (i + 1) * size) };
}

/** Every other float parameter is stacked, the rest is shared. */
function stackIsLoop({ outputs, parameters, feeds }: Made, seed: number): string[] {
  const stack = new Stack(2);
  const given = new Map(feeds);
  const elements = [new Map(feeds), new Map(feeds)];
  for (const [i, x] of parameters.entries()) {
    if (i % 2 === seed % 2) continue;
    const draws = [feeds.get(x)!, noise(x.shape, seed + i)];
    // Small changes, so that what may be sensitive (a quotient, a power) stays in its range.
    draws[1] = { ...draws[0], data: draws[0].data.map((v, k) => v + 1e-2 * draws[1].data[k]) as Float32Array };
    const stacked = parameter('float32', [2, ...x.shape]);
    const data = newArray('float32', 2 * sizeOf(x.shape));
    for (const [k, draw] of draws.entries()) {
      data.set(draw.data, k * draw.data.length);
      elements[k].set(x, draw);
    }
    stack.give(x, stacked);
    given.set(stacked, { dtype: 'float32', shape: stacked.shape, data });
  }
  const results = evaluateGraph(stack.all(outputs), given);
  return elements.flatMap((own, k) => {
    const wanted = evaluateGraph(outputs, own);
    const got = results.map((result) => elementOf(result, k));
    return compare(got, wanted, `element ${k} of output`);
  });
}

function dot(a: readonly NDArray[], b: readonly NDArray[]): number {
  let total = 0;
  for (const [i, x] of a.entries()) for (let k = 0; k < x.data.length; k++) total += x.data[k] * b[i].data[k];
  return total;
}

/** <w, J v> = <J^T w, v>. */
function modesAgree({ outputs, parameters, feeds }: Made, seed: number): string[] {
  const given = new Map(feeds);
  const feed = (like: Value, i: number) => {
    const value = parameter('float32', like.shape);
    given.set(value, noise(like.shape, seed * 31 + i));
    return value;
  };
  const vs = parameters.map(feed);
  const ws = outputs.map((y, i) => feed(y, 100 + i));
  const pulled = gradients(outputs, parameters, ws);
  const pushed = jvp(outputs, parameters, vs);
  const side = (products: readonly (Value | null)[], others: readonly Value[]) => {
    const places = products.flatMap((p, i) => (p === null ? [] : [i]));
    const values = evaluateGraph([...places.map((i) => products[i]!), ...places.map((i) => others[i])], given);
    return dot(values.slice(0, places.length), values.slice(places.length));
  };
  const [forward, reverse] = [side(pushed, ws), side(pulled, vs)];
  if (Math.abs(forward - reverse) <= 1e-3 * (1 + Math.abs(forward))) return [];
  return [`<w, J v> is ${forward} and <J^T w, v> is ${reverse}`];
}

/** The same graph made twice: with and without checkpoint. */
function checkpointChangesNothing(seed: number): string[] {
  const results = [false, true].map((recompute) => {
    const { outputs, parameters, feeds } = make(seed);
    const ys = recompute ? checkpoint(outputs, parameters.slice(0, 2)) : outputs;
    const dxs = gradients(ys, parameters);
    return {
      there: dxs.map((dx) => dx !== null),
      values: evaluateGraph([...ys, ...dxs.filter((dx) => dx !== null)], feeds),
    };
  });
  expect(results[1].there).toEqual(results[0].there);
  return compare(results[1].values, results[0].values, 'checkpoint, value');
}

it(`${count} from seed ${start}`, { timeout: 60_000 + count * 2_000 }, () => {
  const problems: string[] = [];
  for (let seed = start; seed < start + count; seed++) {
    const made = make(seed);
    const found = [...stackIsLoop(made, seed), ...modesAgree(made, seed), ...checkpointChangesNothing(seed)];
    problems.push(...found.map((problem) => `seed ${seed}: ${problem}`));
  }
  console.log(`fuzz: vmap, jvp and checkpoint of ${count} graphs from seed ${start}: ${problems.length} problems`);
  expect(problems).toEqual([]);
});
