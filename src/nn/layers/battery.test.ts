/**
 * What every layer must pass: shapes as it infers them, its config, a file, one training step, gradients against differences,
 * equal numbers on every target, masks, several sizes. A new layer gets a row in `cases`; the last test finds layers without one.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
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
import { maskOf } from './call_context.ts';
import type { Layer } from './layer.ts';
import type { SymbolicTensor } from './symbolic.ts';
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

    await checkTrainingStep(row, xs);
    whole.dispose();
  });

  /** All outputs are trained on. Before the layer, and behind one without weights, stand layers that have some. */
  async function checkTrainingStep(row: LayerCase, xs: readonly Tensor[]): Promise<void> {
    const layer = row.make();
    const inputs = row.shapes.map((shape) =>
      input({ shape: shape.slice(1), dtype: row.integers ? 'int32' : 'float32' }),
    );
    const alone = row.integers !== undefined || row.noGradient;
    // Gives what it gets.
    const before = layers.dense({ units: row.shapes[0].at(-1)!, kernelInitializer: 'identity' });
    const entries = alone ? inputs : [before.apply(inputs[0]), ...inputs.slice(1)];
    const drawn: unknown = layer.apply(entries.length > 1 ? entries : entries[0]);
    const after = layers.dense({ units: 2 });
    const outputs = (Array.isArray(drawn) ? (drawn as SymbolicTensor[]) : [drawn as SymbolicTensor]).map((output, i) =>
      i === 0 && layer.trainableWeights.length === 0 ? after.apply(output) : output,
    );
    const net = model({ inputs, outputs });
    const watched = layer.trainableWeights.length > 0 ? [layer] : [after];
    const weights = watched.flatMap((one) => one.trainableWeights);
    const starts = weights.map((weight) => [...weight.val.dataSync()]);
    const arg = xs.length > 1 ? [...xs] : xs[0];
    const y = listOf(net.predict(arg)).map((one, i) => tensor(values(one.size, 9 + i), one.shape as number[]));
    net.compile({ optimizer: train.sgd(0.05), loss: 'meanSquaredError' });
    const losses = [await net.trainOnBatch(arg, y.length > 1 ? y : y[0])].flat();
    for (const loss of losses) expect(Number.isFinite(loss)).toBe(true);
    const moved = weights.some((weight, i) => weight.val.dataSync().some((v, k) => v !== starts[i][k]));
    expect(moved, 'weights move').toBe(true);
    net.dispose();
  }

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

  test('masks: what is masked out is not seen, or the mask is dropped with a warning', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const kinds = {
      unsupported: new Set<string>(),
      passes: new Set<string>(),
      consumes: new Set<string>(),
      sees: new Set<string>(),
    };
    const rows = compiled.filter(
      ({ shapes, integers }) => shapes[0].length > 2 || (integers && shapes[0].length === 2),
    );
    for (const row of rows) {
      const layer = row.make();
      const xs = inputsOf(row);
      const [batch, steps] = xs[0].shape as number[];
      const keep = Array.from({ length: batch * steps }, (_, i) => i % steps < steps - 1);
      const mask = tensor(keep, [batch, steps], 'bool');
      const per = xs[0].size / keep.length;
      const changed = tensor(
        xs[0].dataSync().map((v, i) => (keep[Math.floor(i / per)] ? v : row.integers ? (v + 1) % row.integers : v + 3)),
        xs[0].shape as number[],
        row.integers ? 'int32' : 'float32',
      );
      const run = (x: Tensor) => {
        const list = [x, ...xs.slice(1)];
        const masks = [mask, ...xs.slice(1).map(() => null)];
        const output: unknown =
          list.length > 1
            ? layer.apply(list, { ...row.options, mask: masks as never })
            : layer.apply(x, { ...row.options, mask });
        return listOf(output);
      };
      const [outputs, others] = [run(xs[0]), run(changed)];
      const name = layer.getClassName();
      if (warn.mock.calls.flat().join().includes(`[${layer.label}] drops the mask`)) {
        expect(layer.supportsMasking, name).toBe(false);
        for (const output of outputs) expect(maskOf(output), name).toBeNull();
        kinds.unsupported.add(name);
        continue;
      }
      let seen = false;
      let passed = true;
      outputs.forEach((output, i) => {
        const own = maskOf(output);
        if (!own) passed = false;
        // The mask of an output has its leading extents.
        if (own) expect(own.shape, name).toEqual(output.shape.slice(0, own.rank));
        const flags = own ? own.dataSync() : [1];
        const size = output.size / flags.length;
        const [a, b] = [output.dataSync(), others[i].dataSync()];
        if (a.some((v, k) => flags[Math.floor(k / size)] && Math.abs(v - b[k]) > 1e-6)) seen = true;
      });
      (seen ? kinds.sees : passed ? kinds.passes : kinds.consumes).add(name);
    }
    warn.mockRestore();
    const sorted = (names: Set<string>) => [...names].sort().join(' ');
    expect(sorted(kinds.consumes)).toBe(
      'Bidirectional ConvLSTM1D ConvLSTM3D GRU GlobalAveragePooling1D LSTM RNN SimpleRNN',
    );
    // Those that make a mask of their own from the inputs; dot and group normalization, as in Keras.
    expect(sorted(kinds.sees)).toBe('Dot Embedding GroupNormalization Masking ReversibleEmbedding');
    expect(kinds.passes.size).toBeGreaterThan(25);
    expect(kinds.unsupported).toContain('GlobalMaxPooling1D');
  });

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
