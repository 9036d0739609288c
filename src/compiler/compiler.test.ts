/** Every row of the op table, compiled for several lane counts and run by the IR interpreter, against the row's own evaluation. */
import { describe, expect, test } from 'vitest';
import type { Value } from '../graph/graph.ts';
import type { Capabilities } from '../kernel/capabilities.ts';
import { interpretProgram } from '../kernel/interpreter.ts';
import { gradients } from '../autodiff/gradients.ts';
import { apply } from '../ops/apply.ts';
import { add, conv as convolve, exp, matMul, maxPool, mean, mul, offset, relu, rsqrt, sub, sum } from '../ops/build.ts';
import { logSoftmax, softmax, softmaxCrossEntropyWithLogits } from '../ops/composite.ts';
import { evaluateGraph } from '../ops/evaluate.ts';
import type { NDArray, OpRow, Sample } from '../ops/row.ts';
import { table } from '../ops/table.ts';
import { newArray } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { compile } from './index.ts';

function capabilities(lanes: number, threads = 2): Capabilities {
  return {
    target: `test${lanes}`,
    lanes,
    vectorRegisters: 16,
    tile: { rows: 6, vectors: 4, accumulators: 12 },
    fma: true,
    threads,
    cacheBytes: { l1: 32768, l2: 524288 },
    native: new Set(),
  };
}

let state = 12345;
function random(): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return state / 2 ** 32;
}

function arrayFor(input: Sample['inputs'][number]): NDArray {
  const data = newArray(input.dtype, sizeOf(input.shape));
  const [low, high] = [input.low ?? -2, input.high ?? 2];
  for (let i = 0; i < data.length; i++)
    data[i] =
      input.dtype === 'bool'
        ? Number(random() < 0.5)
        : input.dtype === 'int32'
          ? Math.floor(low + random() * (high - low))
          : low + random() * (high - low);
  const [rows, columns] = input.shape.slice(-2);
  for (let i = 0; input.diagonal && i < data.length; i++) {
    if (Math.floor(i / columns) % rows === i % columns) data[i] += input.diagonal;
  }
  return { dtype: input.dtype, shape: input.shape, data };
}

function parameterFor(array: NDArray): Value {
  return apply('parameter', [], { dtype: array.dtype, shape: array.shape as number[] })[0];
}

function check(
  outputs: readonly Value[],
  inputs: readonly Value[],
  arrays: readonly NDArray[],
  tolerance: NonNullable<OpRow['tolerance']>,
  lanes: number,
): void {
  const program = compile({ name: 'test', inputs, outputs, donations: new Map(), capabilities: capabilities(lanes) });
  const expected = evaluateGraph(outputs, new Map(inputs.map((value, i) => [value, arrays[i]])));
  const actual = outputs.map((output) => newArray(output.dtype, sizeOf(output.shape)));
  interpretProgram(
    program,
    arrays.map((array) => array.data.slice()),
    actual,
  );
  actual.forEach((array, o) => {
    for (let i = 0; i < array.length; i++) {
      const [x, y] = [array[i], expected[o].data[i]];
      const close =
        Object.is(x, y) || x === y || Math.abs(x - y) <= tolerance.absolute + tolerance.relative * Math.abs(y);
      if (!close)
        expect.fail(`output ${o} element ${i}: ${x} instead of ${y}; kernels ${program.kernels.map((k) => k.name)}`);
    }
  });
}

describe.each([1, 4, 8])('every row with %i lanes', (lanes) => {
  for (const [kind, row] of Object.entries(table) as [string, OpRow][]) {
    if (row.samples.length === 0) continue;
    test(kind, () => {
      for (const sample of row.samples) {
        if (sample.inputs.reduce((sum, input) => sum + sizeOf(input.shape), 0) > 200_000) continue;
        const arrays = sample.inputs.map(arrayFor);
        const inputs = arrays.map(parameterFor);
        const outputs = apply(kind, inputs, sample.attrs ?? {});
        try {
          check(outputs, inputs, arrays, row.tolerance ?? { absolute: 0, relative: 1e-6 }, lanes);
        } catch (error) {
          throw new Error(`${JSON.stringify(sample)}: ${(error as Error).message}`, { cause: error });
        }
      }
    });
  }
});

describe('rows', () => {
  const shapes = [
    [1, 5],
    [3, 8],
    [7, 10],
    [64, 10],
    [9, 33],
    [2, 3, 17],
    [40, 1],
    [1, 3],
  ];
  for (const shape of shapes) {
    for (const lanes of [1, 8]) {
      test(`softmax, cross entropy and layer norm of [${shape}] with ${lanes} lanes`, () => {
        const arrays = [shape, shape, [shape[shape.length - 1]]].map((s) => arrayFor({ dtype: 'float32', shape: s }));
        const inputs = arrays.map(parameterFor);
        const close = { absolute: 1e-5, relative: 1e-4 };
        check([softmax(inputs[0], -1)], inputs, arrays, close, lanes);
        check([logSoftmax(inputs[0], -1), exp(inputs[1])], inputs, arrays, close, lanes);
        const last = [shape.length - 1];
        const centred = sub(inputs[0], mean(inputs[0], last, true));
        const norm = mul(mul(centred, rsqrt(offset(mean(mul(centred, centred), last, true), 0.1))), inputs[2]);
        check([norm], inputs, arrays, close, lanes);
        check([norm, centred, mean(centred, last)], inputs, arrays, close, lanes);
        const loss = add(mean(softmaxCrossEntropyWithLogits(softmax(inputs[1], -1), inputs[0])), mean(norm));
        check([loss, ...(gradients([loss], inputs) as Value[])], inputs, arrays, close, lanes);
      });
    }
  }

  test('what is kept of a row is found at once, however often its parts are read', () => {
    const x = apply('parameter', [], { dtype: 'float32', shape: [4, 40] })[0];
    let y = softmax(x, 1);
    for (let i = 0; i < 60; i++) y = mul(y, y);
    const request = { name: 'powers', inputs: [x], outputs: [y], donations: new Map() };
    expect(compile({ ...request, capabilities: capabilities(8) }).kernels.length).toBe(1);
  });

  test('lanes are halved where a kernel holds doubles, not where its operands came from some', () => {
    const x = apply('parameter', [], { dtype: 'float64', shape: [40, 64] })[0];
    const w = apply('parameter', [], { dtype: 'float32', shape: [64, 48] })[0];
    const [y] = apply('cast', [x], { dtype: 'float32' });
    const request = { name: 'product', inputs: [x, w], outputs: [matMul(y, w)], donations: new Map() };
    const { kernels } = compile({ ...request, capabilities: capabilities(8) });
    expect(kernels.map(({ name, lanes }) => [name, lanes])).toEqual([
      ['cast', 4],
      ['matMul', 8],
    ]);
  });

  test('softmax is one kernel', () => {
    const x = parameterFor(arrayFor({ dtype: 'float32', shape: [64, 100] }));
    const request = { name: 'softmax', inputs: [x], outputs: [softmax(x, 1)], donations: new Map() };
    expect(compile({ ...request, capabilities: capabilities(8) }).steps.length).toBe(1);
  });
});

describe('contractions that the table does not draw', () => {
  // A ragged last batch once chose rows whose loop stood inside of a loop over k that depended on them.
  test.each([1, 3, 5, 8])('gradient for the input of a 3x3 convolution, batch %i', (batch) => {
    const arrays = [
      arrayFor({ dtype: 'float32', shape: [batch, 5, 5, 64] }),
      arrayFor({ dtype: 'float32', shape: [3, 3, 8, 64] }),
    ];
    const inputs = arrays.map(parameterFor);
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1, inputShape: [batch, 7, 7, 8] };
    check(apply('convBackpropInput', inputs, attrs), inputs, arrays, { absolute: 1e-4, relative: 1e-5 }, 8);
  });

  const cases: [string, number[], number[], number[], number[], number[]][] = [
    ['valid, odd', [2, 11, 9, 5], [3, 3, 5, 12], [0, 0, 0, 0], [2, 2], [0, 0, 0, 0]],
    ['same', [3, 8, 8, 4], [3, 3, 4, 17], [1, 1, 1, 1], [2, 2], [0, 0, 0, 0]],
    ['one column', [1, 9, 6, 3], [2, 2, 3, 1], [0, 0, 0, 0], [2, 2], [0, 0, 0, 0]],
    ['three by two', [2, 10, 10, 3], [3, 3, 3, 8], [0, 0, 0, 0], [3, 2], [0, 0, 0, 0]],
    ['overlapping', [2, 10, 10, 3], [3, 3, 3, 8], [0, 0, 0, 0], [2, 2], [1, 0, 0, 1]],
    ['five by five', [1, 12, 12, 2], [3, 3, 2, 8], [0, 0, 0, 0], [5, 5], [0, 0, 0, 0]],
  ];
  for (const [name, x, w, pads, filter, poolPads] of cases) {
    for (const lanes of [4, 8]) {
      test(`convolution, bias, relu and pooling with gradients: ${name}, ${lanes} lanes`, () => {
        const arrays = [x, w, [w[3]]].map((shape) => arrayFor({ dtype: 'float32', shape }));
        const inputs = arrays.map(parameterFor);
        const conv = { strides: [1, 1], dilations: [1, 1], pads, groups: 1 };
        const pool = { filter, strides: filter, pads: poolPads };
        const active = relu(add(convolve(inputs[0], inputs[1], conv), inputs[2]));
        const [pooled] = maxPool(active, pool);
        const close = { absolute: 2e-4, relative: 1e-5 };
        check([pooled], inputs, arrays, close, lanes);
        check([mul(pooled, pooled), active], inputs, arrays, close, lanes);
        const loss = sum(mul(pooled, pooled));
        const grads = gradients([loss], inputs) as Value[];
        check([loss, ...grads], inputs, arrays, { absolute: 2e-3, relative: 1e-4 }, lanes);
      });
    }
  }

  test.each([
    [7, 9, 1030],
    [50, 33, 401],
    [64, 1, 700],
    [1, 64, 700],
    [61, 47, 800],
  ])('a product of %i x %i over %i', (m, n, k) => {
    for (const [transposeA, transposeB] of [
      [false, false],
      [true, false],
      [false, true],
    ]) {
      const arrays = [
        arrayFor({ dtype: 'float32', shape: transposeA ? [k, m] : [m, k] }),
        arrayFor({ dtype: 'float32', shape: transposeB ? [n, k] : [k, n] }),
      ];
      const inputs = arrays.map(parameterFor);
      const outputs = apply('matMul', inputs, { transposeA, transposeB });
      check(outputs, inputs, arrays, { absolute: 2e-4, relative: 1e-5 }, 8);
    }
  });
});
