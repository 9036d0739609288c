/**
 * What every layer must pass: shapes as it infers them, its config, a file, one training step, gradients against differences,
 * equal numbers on every target, masks, several sizes. A new layer gets a row in `cases`; the last test finds layers without one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cases, type LayerCase } from '../../../test/layer-cases.ts';
import { values } from '../../../test/values.ts';
import { io, loadLayersModel } from '../../io/index.ts';
import {
  getBackend,
  mul,
  reshape,
  type Scalar,
  setBackend,
  setSeed,
  sum,
  type Tensor,
  tensor,
  valueAndGrads,
  variableGrads,
} from '../../tensor/index.ts';
import { models } from '../models/from_json.ts';
import { Functional, input, model } from '../models/functional.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { train } from '../optimizers/index.ts';
import { layerClasses } from './classes.ts';
import { layers } from './index.ts';
import type { Layer } from './layer.ts';
import { type Config, fromPythonic, toPythonic } from '../keras_config.ts';
import { deserializeLayer } from './registry.ts';

const home = getBackend();
beforeAll(() => setSeed(1));
afterAll(async () => {
  await setBackend(home);
});

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function inputsOf({ shapes, integers, positive }: LayerCase): Tensor[] {
  return shapes.map((shape, i) => {
    const numbers = values(sizeOf(shape), i + 3);
    if (integers)
      return tensor(
        Int32Array.from(numbers, (x) => Math.floor(((x + 1) / 2) * integers)),
        [...shape],
        'int32',
      );
    // Away from the kinks of relu and the like, where differences and gradients disagree.
    const apart = numbers.map((x) => Math.sign(x) * (0.1 + Math.abs(x)));
    return tensor(positive ? apart.map(Math.abs) : apart, [...shape]);
  });
}

function build(row: LayerCase): { whole: LayersModel; layer: Layer } {
  const inputs = row.shapes.map((shape) => input({ shape: shape.slice(1), dtype: row.integers ? 'int32' : 'float32' }));
  const layer = row.make();
  const output: unknown = row.shapes.length > 1 ? layer.apply(inputs) : layer.apply(inputs[0]);
  return { whole: model({ inputs, outputs: output as never }), layer };
}

const listOf = (value: unknown): Tensor[] => (Array.isArray(value) ? (value as Tensor[]) : [value as Tensor]);
const numbersOf = (value: unknown): number[] => listOf(value).flatMap((x) => [...x.dataSync()]);

function expectClose(got: readonly number[], want: readonly number[], tolerance: number, what: string): void {
  expect(got.length, what).toBe(want.length);
  got.forEach((value, i) => {
    const error = Math.abs(value - want[i]) / (1 + Math.abs(want[i]));
    expect(error, `${what}: value ${i} is ${value}, not ${want[i]}`).toBeLessThan(tolerance);
  });
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

/** A scalar that depends on every output, with weights that tell them apart. */
function score(output: unknown): Scalar {
  const terms = listOf(output).map((x, i) => sum(mul(reshape(x, [x.size]), tensor(values(x.size, i + 11)))) as Scalar);
  return terms.reduce((a, b) => a.add(b) as Scalar);
}

describe('every layer', () => {
  const compiled = cases.filter(({ strings, hostOnly }) => !strings && !hostOnly);

  test.each(cases.filter((row) => !compiled.includes(row)))('$name, on the host', (row) => {
    const layer = row.make();
    const again = deserializeLayer('test', {
      className: layer.getClassName(),
      config: fromPythonic(toPythonic(layer.getConfig())) as Config,
    });
    expect(again.getConfig()).toEqual(layer.getConfig());
    const xs = row.strings ? row.shapes.map(() => tensor(['Ab', 'cD snake_case'])) : inputsOf(row);
    const [got, same] = [layer, again].map((one) => numbersOf(xs.length > 1 ? one.apply(xs) : one.apply(xs[0])));
    expect(same).toEqual(got);
    const shape = layer.computeOutputShape(xs.length > 1 ? xs.map((x) => x.shape) : xs[0].shape);
    const output = (xs.length > 1 ? layer.apply(xs) : layer.apply(xs[0])) as Tensor;
    expect(output.shape.every((n, axis) => (shape[axis] ?? n) === n)).toBe(true);
  });

  test.each(compiled)('$name', async (row) => {
    const { whole, layer } = build(row);
    const xs = inputsOf(row);
    const arg = xs.length > 1 ? xs : xs[0];

    // Shapes: what it says is what it gives, for this batch and for another.
    const first = listOf(whole.predict(arg));
    const says = layer.inboundNodes.at(-1)!.outputs.map(({ shape }) => shape);
    first.forEach((output, i) => {
      expect(output.shape.length).toBe(says[i].length);
      says[i].forEach((n, axis) => expect(n === null || n === output.shape[axis]).toBe(true));
    });
    const single = listOf(whole.predict(xs.map((x) => x.slice(0, 1))));
    expect(single.map((x) => x.shape[0])).toEqual(first.map((x) => (x.shape[0] === xs[0].shape[0] ? 1 : x.shape[0])));
    if (!row.mixesBatch) {
      single.forEach((x, i) => {
        expectClose([...x.dataSync()], [...first[i].slice(0, 1).dataSync()], 1e-4, 'one sample alone');
      });
    }
    const numbers = numbersOf(first);
    for (const value of numbers) expect(Number.isFinite(value)).toBe(true);

    // Config and file.
    if (!row.unsaved) {
      expect((await models.modelFromJSON(JSON.parse(whole.toJSON()))).toJSON()).toBe(whole.toJSON());
      let saved: Parameters<typeof io.fromMemory>[0] | undefined;
      await whole.save({ save: async (artifacts: never) => (saved = artifacts) });
      const loaded = await loadLayersModel(io.fromMemory(saved!));
      expect(numbersOf(loaded.predict(arg))).toEqual(numbers);
      loaded.dispose();
    }

    // Gradients against differences along a random direction.
    const training = row.gradientInTraining ?? false;
    const forward = (inputs: Tensor[]) =>
      score(layer.apply(inputs.length > 1 ? inputs : inputs[0], { ...row.options, training }));
    if (!row.integers && !row.noGradient) checkInputGradient(forward, xs);
    if (layer.trainableWeights.length > 0 && !row.noWeightGradient) checkWeightGradients(() => forward(xs), layer);

    // One training step.
    if (layer.trainableWeights.length > 0 && layer.inboundNodes.at(-1)!.outputs.length === 1) {
      const before = layer.trainableWeights.map((weight) => [...weight.val.dataSync()]);
      whole.compile({ optimizer: train.sgd(0.05), loss: 'meanSquaredError' });
      const loss = await whole.trainOnBatch(arg, tensor(values(numbers.length, 9), first[0].shape as number[]));
      expect(Number.isFinite(loss as number)).toBe(true);
      const moved = layer.trainableWeights.some((weight, i) =>
        weight.val.dataSync().some((v, k) => v !== before[i][k]),
      );
      expect(moved).toBe(true);
    }
    whole.dispose();
  });

  function checkInputGradient(forward: (inputs: Tensor[]) => Scalar, xs: Tensor[]): void {
    const { grads } = valueAndGrads((...inputs) => forward(inputs))(xs);
    const directions = xs.map((x, i) => values(x.size, i + 21));
    const at = (step: number) =>
      forward(
        xs.map((x, i) =>
          tensor(
            x.dataSync().map((v, k) => v + step * directions[i][k]),
            x.shape as number[],
          ),
        ),
      ).dataSync()[0];
    const step = 2e-3;
    const difference = (at(step) - at(-step)) / (2 * step);
    const product = grads.reduce((total, dx, i) => total + dot(dx.dataSync(), directions[i]), 0);
    const scale = 1 + Math.abs(difference) + Math.abs(at(0));
    expect(Math.abs(product - difference) / scale, `gradient ${product}, difference ${difference}`).toBeLessThan(2e-2);
  }

  function checkWeightGradients(forward: () => Scalar, layer: Layer): void {
    const variables = layer.trainableWeights.map((weight) => weight.val);
    const { grads } = variableGrads(forward, variables);
    const starts = variables.map((w) => w.dataSync().slice());
    const directions = variables.map((w, i) => values(w.size, i + 31));
    const at = (step: number) => {
      variables.forEach((w, i) => {
        w.assign(
          tensor(
            starts[i].map((v, k) => v + step * directions[i][k]),
            w.shape as number[],
          ),
        );
      });
      return forward().dataSync()[0];
    };
    const step = 2e-3;
    const difference = (at(step) - at(-step)) / (2 * step);
    const scale = 1 + Math.abs(difference) + Math.abs(at(0));
    const product = variables.reduce((total, w, i) => total + dot(grads[w.name]?.dataSync() ?? [], directions[i]), 0);
    expect(Math.abs(product - difference) / scale, `gradient ${product}, difference ${difference}`).toBeLessThan(2e-2);
  }

  test('gives the same numbers on every target', async () => {
    const built = compiled.map((row) => ({
      ...build(row),
      row,
      xs: inputsOf(row).map((x) => ({ data: x.dataSync(), x })),
    }));
    const run = () =>
      built.map(({ whole, row, xs }) => {
        const inputs = xs.map(({ data, x }) => tensor(data, x.shape as number[], row.integers ? 'int32' : 'float32'));
        return numbersOf(whole.predict(inputs.length > 1 ? inputs : inputs[0]));
      });
    const want = run();
    for (const target of ['wasm', 'reference']) {
      await setBackend(target as never);
      run().forEach((got, i) => {
        expectClose(got, want[i], 2e-4, `${built[i].row.name} on ${target}`);
      });
    }
    await setBackend(home);
  });

  test('has a row in this battery', () => {
    const tested = new Set(cases.map(({ make }) => make().getClassName()));
    const untested = layerClasses()
      .map(({ className }) => className)
      .filter((name) => !tested.has(name));
    expect(untested).toEqual(['InputLayer']);
    // Every factory makes a layer that files know.
    expect(Object.keys(layers).length).toBeGreaterThan(60);
    expect(build(cases[0]).whole).toBeInstanceOf(Functional);
  });
});
