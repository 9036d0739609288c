/**
 * Generated from what the package exports: every function that makes int32 of int32 arguments makes int64 of the same numbers as int64,
 * with the same values, or refuses int64 by name. Places, counts and shapes are int32 whatever they are of: these are listed.
 */
import { expect, it } from 'vitest';
import * as tf from '../src/index.ts';
import { UserError } from '../src/base/errors.ts';

/** What is int32 of int64 too, and why. */
const int32Always: { readonly [name: string]: string } = {
  argMax: 'places',
  argMin: 'places',
  argsort: 'places',
  bitcast: 'the caller says the dtype',
  bincount: 'counts, or of the dtype of the weights',
  confusionMatrix: 'counts',
  countNonZero: 'counts',
  denseBincount: 'counts, or of the dtype of the weights',
  histogramFixedWidth: 'counts',
  lowerBound: 'places',
  'math.confusionMatrix': 'counts',
  oneHot: 'the caller says the dtype',
  searchSorted: 'places',
  topk: 'places, beside values of int64',
  cummax: 'places, beside values of int64',
  cummin: 'places, beside values of int64',
  histogram: 'counts',
  kthValue: 'places, beside values of int64',
  'linalg.lu': 'places, of a factorization in floats',
  'linalg.matrixRank': 'counts',
  maxPoolWithArgmax: 'places',
  nonzero: 'places',
  'sparse.sparseFillEmptyRows': 'places',
  sparseFillEmptyRows: 'places',
  unique: 'places, beside values of int64',
  uniqueWithCounts: 'places and counts, beside values of int64',
  upperBound: 'places',
  where: 'places, where there is a condition alone',
  whereAsync: 'places',
};

/** What is compared elsewhere, and why. */
const elsewhere: { readonly [name: string]: string } = {
  floorDiv: 'int32 where either is a float, which lists and the numbers beside int32 are: int64.test.ts',
  nextRandomKey: 'a key, whatever it is called with',
};

type Dtype = 'int32' | 'int64';
type Make = (values: readonly number[], shape?: number[]) => tf.Tensor;

/** Arguments of every kind that functions of integers take. */
const templates: readonly ((make: Make) => readonly unknown[])[] = [
  (t) => [t([3, 1, 2, 0])],
  (t) => [t([3, 1, 2, 0], [2, 2])],
  (t) => [t([3, 1, 2, 0, 7, 5, 4, 6], [2, 2, 2])],
  (t) => [t([3, 1, 2, 0], [1, 2, 2, 1])],
  (t) => [t([5], [])],
  (t) => [t([3, 1, 2, 0]), t([2, 1, 1, 3])],
  (t) => [t([3, 1, 2, 0], [2, 2]), t([2, 1, 1, 3], [2, 2])],
  (t) => [t([3, 1, 2, 0], [2, 2]), t([1, 0])],
  (t) => [[t([3, 1]), t([2, 4])]],
  (t) => [[t([3, 1], [1, 2]), t([2, 4], [1, 2])], 1],
  (t) => [t([3, 1, 2, 0]), 1],
  (t) => [t([3, 1, 2, 0]), 0],
  (t) => [t([3, 1, 2, 0], [2, 2]), 1],
  (t) => [t([3, 1, 2, 0]), 2],
  (t) => [t([3, 1, 2, 0]), [2, 2]],
  (t) => [t([3, 1, 2, 0], [2, 2]), [1, 0]],
  (t) => [t([3, 1, 2, 0]), [[1, 1]]],
  (t) => [t([3, 1, 2, 0]), [1]],
  (t) => [t([3, 1, 2, 0], [2, 2]), [4]],
  (t) => [t([3, 1, 2, 0]), 1, 2],
  (t) => [t([3, 1, 2, 0], [2, 2]), 1, 1],
  (t) => [t([3, 1, 2, 0]), [1], [2]],
  (t) => [t([3, 1, 2, 0], [2, 2]), [0, 0], [1, 2]],
  (t) => [t([3, 1, 2, 0], [2, 2]), [0, 0], [2, 2], [1, 1]],
  (t) => [t([3, 1, 2, 0]), t([0, 0, 1, 1]), 2],
  (t) => [t([3, 1, 2, 0]), t([0, 2]), t([0, 1])],
  (t) => [t([3, 1, 2, 0]), t([1, 1, 0, 2]), t([4, 4, 4, 4])],
  (t) => [t([[0], [2]].flat(), [2, 1]), t([7, 8]), [4]],
  (t) => [t([3, 1, 2, 0]), t([0, 2], [2, 1]), t([7, 8])],
  (t) => [t([3, 1, 2, 0]), [0, 2], t([7, 8]), 0],
  (t) => [t([3, 1, 2, 0]), tf.tensor1d([true, false, true, false], 'bool')],
  (t) => ['ij,jk->ik', t([3, 1, 2, 0], [2, 2]), t([2, 1, 1, 3], [2, 2])],
  (t) => [t([0, 2, 1]), 4],
  (t) => [t([3, 1, 2, 0]), t([1, 1, 1, 1]), 4],
  (t) => [t([0, 0, 1, 1], [2, 2]), t([7, 8]), [2, 2]],
  (t) => [t([0, 0, 1, 1], [2, 2]), [2, 2], t([7, 8]), t([0], [])],
  (t) => [t([3, 1, 2, 0], [1, 2, 2, 1]), 2, 1, 'same'],
  (t) => [t([3, 1, 2, 0], [1, 2, 2, 1]), t([1], [1, 1, 1, 1]), 1, 'same'],
  (t) => [t([3, 1, 2, 0], [1, 2, 2, 1]), [2, 2]],
  (t) => [t([3, 1, 2, 0], [2, 2, 1])],
  (t) => [t([3, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 3])],
  (t) => [(x: tf.Tensor) => x.add(x), t([3, 1])],
  (t) => [(c: tf.Tensor, x: tf.Tensor) => [c.add(x), c], t([5], []), t([3, 1, 2])],
  (t) => [(x: tf.Tensor) => x.less(x.mul(0).add(9)), (x: tf.Tensor) => x.add(x), t([3], [])],
];

/** Not functions of tensors: they change what the process does, or read what stands outside. */
const apart =
  /^(set|get|enable|disable|register|unregister|remove|dispose|env$|engine|ready|deprecation|print|start|end|nextFrame|memory|time|profile|copy|backend|find|keep|custom|fetch|tidy|load|save|variable|is|as|Graph|Session|list|move|model|sequential|input|enterScope)/;
const rooms =
  /^(layers|data|io|util|browser|env|models|callbacks|initializers|regularizers|constraints|metrics|train|applications|version.*|test_util|ENV|device_util|experimental|losses)$/;

function functionsOf(): [string, (...args: unknown[]) => unknown][] {
  const found: [string, (...args: unknown[]) => unknown][] = [];
  const visit = (holder: object, prefix: string) => {
    for (const [name, value] of Object.entries(holder)) {
      if (typeof value === 'function' && !apart.test(name) && !/^[A-Z]/.test(name)) found.push([prefix + name, value]);
      else if (prefix === '' && typeof value === 'object' && value !== null && !rooms.test(name))
        visit(value, `${name}.`);
    }
  };
  visit(tf, '');
  return found;
}

function tensorsIn(result: unknown): tf.Tensor[] {
  if (result instanceof tf.Tensor) return [result];
  if (Array.isArray(result)) return result.flatMap(tensorsIn);
  if (typeof result === 'object' && result !== null && Object.getPrototypeOf(result) === Object.prototype) {
    return Object.values(result).flatMap(tensorsIn);
  }
  return [];
}

async function results(f: (...args: unknown[]) => unknown, template: (typeof templates)[number], dtype: Dtype) {
  const args = template((values, shape) => tf.tensor([...values], shape, dtype));
  const tensors = tensorsIn(await f(...args));
  return Promise.all(
    tensors.map(async (x) => ({ dtype: x.dtype, shape: x.shape, data: Array.from(await x.data(), Number) })),
  );
}

it('what gives int32 of int32 gives int64 of int64, or refuses it by name', async () => {
  const [checked, refused, problems] = [new Set<string>(), new Set<string>(), new Map<string, string>()];
  for (const [name, f] of functionsOf()) {
    if (name in elsewhere) continue;
    for (const [at, template] of templates.entries()) {
      const short = await results(f, template, 'int32').catch(() => []);
      // What is drawn differs from call to call.
      if (!short.some(({ dtype }) => dtype === 'int32') || /^rand|random|multinomial|dropout|shuffle/.test(name))
        continue;
      checked.add(name);
      try {
        const long = await results(f, template, 'int64');
        const allowed = name in int32Always;
        long.forEach(({ dtype, shape, data }, i) => {
          const want = short[i];
          const right = want.dtype === 'int32' ? (allowed ? ['int32', 'int64'] : ['int64']) : [want.dtype];
          if (!right.includes(dtype)) problems.set(name, `${at}: ${dtype} where int32 gives ${want.dtype}`);
          if (shape.join() !== want.shape.join() || data.some((x, k) => x !== want.data[k] && !Number.isNaN(x))) {
            problems.set(name, `${at}: [${data}] where int32 gives [${want.data}]`);
          }
        });
      } catch (error) {
        refused.add(name);
        if (!(error instanceof UserError && error.message.includes('int64'))) problems.set(name, `${at}: ${error}`);
      }
    }
  }
  console.log(
    `int64: ${checked.size} functions give int32 of int32; refusing int64: ${[...refused].sort().join(', ')}`,
  );
  expect(Object.fromEntries(problems)).toEqual({});
  expect(checked.size).toBeGreaterThan(100);
});
