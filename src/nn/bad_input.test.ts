/**
 * Bad input, for every layer: a wrong rank, an input that is not connected, a cycle, a mask of the wrong shape, labels that do not
 * fit, unknown names, weights that do not fit. Each is a UserError that names the layer and its place in the model. Generated from
 * the layers' cases, which cover every class (see layers/battery.test.ts), and from the tables of names.
 */
import '../index.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cases, type LayerCase } from '../../test/layer-cases.ts';
import { UserError } from '../base/errors.ts';
import type { ModelArtifacts } from '../io/formats/layers_model.ts';
import { io, loadLayersModel } from '../io/index.ts';
import { getBackend, ones, setBackend, type Tensor, tensor, zeros } from '../tensor/index.ts';
import { activationNames } from './activations.ts';
import { layerClasses } from './layers/classes.ts';
import { layers } from './layers/index.ts';
import { Layer } from './layers/layer.ts';
import { deserializeLayer } from './layers/registry.ts';
import type { SymbolicTensor } from './layers/symbolic.ts';
import { lossNames } from './losses.ts';
import { metricNames } from './metrics/index.ts';
import { models } from './models/from_json.ts';
import { input, model } from './models/functional.ts';
import type { LayersModel } from './models/layers_model.ts';
import { sequential } from './models/sequential.ts';
import { optimizerNames } from './optimizers/index.ts';

const home = getBackend();
// One program for each wrong shape: the interpreter is the fastest to run once.
beforeAll(() => setBackend('reference'));
afterAll(() => setBackend(home));

const drawable = cases.filter(({ strings, hostOnly }) => !strings && !hostOnly);
const single = drawable.filter(({ shapes }) => shapes.length === 1);

/** What `body` says of a user's mistake; null where it says nothing. */
function complaint(body: () => unknown): string | null {
  try {
    body();
    return null;
  } catch (error) {
    // Anything else is a crash, and fails the test with its stack.
    if (!(error instanceof UserError)) throw error;
    return error.message;
  }
}
async function laterComplaint(body: () => Promise<unknown>): Promise<string | null> {
  try {
    await body();
    return null;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message;
  }
}

const dtypeOf = (row: LayerCase) => (row.integers ? 'int32' : row.strings ? 'string' : 'float32');
const data = (shape: readonly number[], row: LayerCase): Tensor =>
  row.strings
    ? tensor(new Array<string>(shape.reduce((a, b) => a * b, 1)).fill('a'), [...shape], 'string')
    : ones([...shape], dtypeOf(row) as 'float32');
const given = <T>(list: readonly T[]): T | readonly T[] => (list.length > 1 ? list : list[0]);
const listOf = <T>(value: T | readonly T[]): T[] => (Array.isArray(value) ? [...value] : [value as T]);
const drawn = (layer: Layer, xs: readonly SymbolicTensor[]): SymbolicTensor[] =>
  listOf(layer.apply(given(xs) as SymbolicTensor) as SymbolicTensor | SymbolicTensor[]);
const entries = (row: LayerCase, shapes = row.shapes): SymbolicTensor[] =>
  shapes.map((shape) => input({ shape: shape.slice(1), dtype: row.integers ? 'int32' : 'float32' }));
/** A shape of another rank that keeps the extents where it can. */
const reshaped = (row: LayerCase, rank: number): number[] =>
  Array.from({ length: rank }, (_, axis) => row.shapes[0][axis] ?? 3);

function built(row: LayerCase): { whole: LayersModel; layer: Layer; outputs: SymbolicTensor[] } {
  const layer = row.make();
  const inputs = entries(row);
  const outputs = drawn(layer, inputs);
  return { whole: model({ inputs, outputs }), layer, outputs };
}

test('every layer class is here', () => {
  const covered = new Set(cases.map(({ make }) => make().getClassName()));
  expect(
    layerClasses()
      .map(({ className }) => className)
      .filter((name) => !covered.has(name)),
  ).toEqual(['InputLayer']);
});

describe('a wrong rank', () => {
  const wrong = (row: LayerCase) => [0, 1, 2, 3, 4, 5, 6, 7].filter((rank) => rank !== row.shapes[0].length);

  test.each(cases)('$name, called', (row) => {
    for (const rank of wrong(row)) {
      const layer = row.make();
      const xs = [reshaped(row, rank), ...row.shapes.slice(1)].map((shape) => data(shape, row));
      const said = complaint(() => layer.apply(given(xs) as Tensor));
      if (said !== null) expect(said.slice(0, layer.label.length + 2), said).toBe(`[${layer.label}]`);
    }
  });

  test.each(drawable)('$name, in a model', (row) => {
    for (const rank of wrong(row).filter((rank) => rank > 0)) {
      const layer = row.make();
      const shape = reshaped(row, rank);
      const inputs = entries(row, [shape, ...row.shapes.slice(1)]);
      const before = layers.identity({ name: 'before' });
      const said = complaint(() => {
        const outputs = drawn(layer, [before.apply(inputs[0]), ...inputs.slice(1)]);
        // What can be drawn can be run, or says where not.
        const net = model({ inputs, outputs, name: 'net' });
        const xs = [shape, ...row.shapes.slice(1)].map((one) => data(one, row));
        net.apply(given(xs) as Tensor, { training: false });
      });
      if (said === null) continue;
      expect(said.slice(0, layer.label.length + 2), said).toBe(`[${layer.label}]`);
      expect(said).toMatch(/; it is applied to before|; it is layer \d+ of \d+ of model net, after before/);
    }
  });

  test.each(single)('$name, added to a sequential model', (row) => {
    for (const rank of wrong(row).filter((rank) => rank > 0)) {
      const layer = row.make();
      const said = complaint(() => {
        const first = layers.inputLayer({ inputShape: reshaped(row, rank).slice(1), dtype: dtypeOf(row) as 'float32' });
        const net = sequential({ name: 'net', layers: [first, layers.identity({ name: 'before' })] });
        net.add(layer);
        net.apply(data(reshaped(row, rank), row), { training: false });
      });
      if (said === null) continue;
      expect(said.slice(0, layer.label.length + 2), said).toBe(`[${layer.label}]`);
      expect(said).toMatch(/; it is layer 3( of 3)? of model net/);
    }
  });

  test('layers that take any rank are known', () => {
    const refusing = new Set<string>();
    const all = new Set<string>();
    for (const row of cases) {
      const name = row.make().getClassName();
      all.add(name);
      const refuses = [1, 2, 3, 4, 5, 6].some((rank) => {
        const xs = [reshaped(row, rank), ...row.shapes.slice(1)].map((shape) => data(shape, row));
        return complaint(() => row.make().apply(given(xs) as Tensor)) !== null;
      });
      if (refuses) refusing.add(name);
    }
    // Elementwise layers, and what looks single values up.
    expect([...all].filter((name) => !refusing.has(name)).sort()).toEqual(
      [
        ...[
          'Activation',
          'ActivityRegularization',
          'AlphaDropout',
          'Dropout',
          'ELU',
          'GaussianDropout',
          'GaussianNoise',
        ],
        ...['Identity', 'Lambda', 'LeakyReLU', 'Masking', 'PReLU', 'ReLU', 'ThresholdedReLU', 'UnitNormalization'],
        ...['Discretization', 'CategoryEncoding', 'Embedding', 'Hashing', 'IntegerLookup', 'ReversibleEmbedding'],
        ...['StringLookup'],
      ].sort(),
    );
  });

  test.each(drawable)('$name, fed to the model', (row) => {
    const { whole } = built(row);
    const wrongRank = data(reshaped(row, row.shapes[0].length + 1), row);
    const xs = [wrongRank, ...row.shapes.slice(1).map((shape) => data(shape, row))];
    for (const run of [() => whole.predict(given(xs)), () => whole.predictOnBatch(given(xs))]) {
      const said = complaint(run);
      expect(said).toContain(`for input layer ${whole.inputNames[0]} of model ${whole.name}, must be`);
    }
  });
});

describe('a graph that does not hold together', () => {
  test.each(drawable)('an input of $name is not among the inputs', (row) => {
    const layer = row.make();
    const xs = entries(row);
    const outputs = drawn(layer, xs);
    xs.forEach((missing, i) => {
      const inputs = xs.length > 1 ? xs.filter((x) => x !== missing) : entries(row);
      const said = complaint(() => model({ inputs, outputs, name: 'net' }));
      expect(said).toMatch(/^\[model\] every output of model net must follow from its inputs/);
      expect(said).toContain(`layer ${layer.name} needs input ${missing.sourceLayer.name}`);
      expect(said).toContain(`add ${xs[i].sourceLayer.name} to inputs`);
    });
  });

  test.each(drawable)('$name does not read an input', (row) => {
    const layer = row.make();
    const inputs = entries(row);
    const outputs = drawn(layer, inputs);
    const stray = input({ shape: [3], name: `stray_${layer.name}` });
    const said = complaint(() => model({ inputs: [...inputs, stray], outputs, name: 'net' }));
    expect(said).toContain('every input of model net must lead to an output');
    expect(said).toContain(`(layer stray_${layer.name}) leads to none of them`);
  });

  test.each(drawable.filter(({ unsaved }) => !unsaved))('$name waits for itself', async (row) => {
    const { whole, layer } = built(row);
    const topology = JSON.parse(whole.toJSON()) as {
      config: { layers: { name: string; inbound_nodes: unknown[][][] }[] };
    };
    const own = topology.config.layers.find(({ name }) => name === layer.name)!;
    own.inbound_nodes[0][0][0] = layer.name;
    const said = await laterComplaint(() => models.modelFromJSON(topology));
    expect(said).toContain(`model ${whole.name} must have no cycle`);
    expect(said).toContain(`${layer.name} (for ${layer.name}`);
  });
});

/** Says that its output has a mask, which does not fit. */
class WrongMask extends Layer {
  static override readonly className = 'WrongMask';
  override call(x: Tensor): Tensor {
    return x.clone();
  }
  override computeMask(): Tensor {
    return ones([5, 13], 'bool');
  }
}

describe('a mask of the wrong shape', () => {
  const masks = drawable.filter(({ shapes }) => shapes[0].length > 1);
  test.each(masks)('$name', (row) => {
    const layer = row.make();
    const xs = row.shapes.map((shape) => data(shape, row));
    xs.forEach((x, i) => {
      const wrong = ones([...x.shape.slice(0, 1), 17], 'bool');
      const mask = xs.length > 1 ? xs.map((_, k) => (k === i ? wrong : null)) : wrong;
      const said = complaint(() => layer.apply(given(xs) as Tensor, { ...row.options, mask: mask as Tensor }));
      expect(said).toContain(`[${layer.label}] a mask must have the leading extents of its input`);
      expect(said).toContain(`got [${x.shape[0]},17]`);
    });
    if (xs.length > 1) {
      const one = complaint(() => layer.apply(xs, { mask: ones([5, 13], 'bool') }));
      expect(one).toContain(`[${layer.label}] a mask must have`);
      const many = complaint(() => layer.apply(xs, { mask: [...xs, null].map(() => null).concat([null]) }));
      expect(many).toContain(`[${layer.label}] there must be a mask, or null, for each input`);
    }
  });

  test.each(masks)('that comes to $name in a model', (row) => {
    const layer = row.make();
    const inputs = entries(row);
    const masked = new WrongMask().apply(inputs[0]);
    const net = model({ inputs, outputs: drawn(layer, [masked, ...inputs.slice(1)]), name: 'net' });
    const xs = row.shapes.map((shape) => data(shape, row));
    const said = complaint(() => net.predict(given(xs)));
    expect(said).toContain(`[${layer.label}] a mask must have the leading extents of its input`);
    expect(said).toMatch(/; it is layer \d+ of \d+ of model net, after wrong_mask/);
  });
});

describe('labels that do not fit the output', () => {
  const oneOutput = drawable.filter((row) => built(row).outputs.length === 1);

  test.each(oneOutput)('of $name', async (row) => {
    const { whole, layer, outputs } = built(row);
    whole.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const xs = row.shapes.map((shape) => data(shape, row));
    // What it gives has 13 nowhere.
    const y = zeros([xs[0].shape[0], ...outputs[0].shape.slice(1).map(() => 1), 13]);
    for (const run of [() => whole.testOnBatch(given(xs), y), () => whole.evaluate(given(xs), y)]) {
      const said = await laterComplaint(async () => run());
      expect(said).toMatch(/labels must have the shape of the model's output; labels are/);
      expect(said).toContain(
        `layer ${layer.name} (${whole.layers.length} of ${whole.layers.length} of model ${whole.name})`,
      );
    }
  });

  const dense = () =>
    sequential({ layers: [layers.dense({ units: 4, activation: 'softmax', inputShape: [3] })], name: 'net' });
  // Losses over pairs take what broadcasts, and CTC other labels than outputs: they have tests of their own.
  test.each(lossNames)('with the loss %s', async (loss) => {
    const net = dense();
    net.compile({ optimizer: 'sgd', loss });
    const said = await laterComplaint(() => net.testOnBatch(ones([2, 3]), ones([2, 5, 7])));
    expect(said).toContain(`layer ${net.layers[0].name} (1 of 1 of model net)`);
  });
});

/** Typing errors of a name: letters changed places, one is missing, one is twice there. */
function typos(name: string): string[] {
  const at = Math.max(1, Math.floor(name.length / 2));
  return [
    `${name.slice(0, at - 1)}${name[at]}${name[at - 1]}${name.slice(at + 1)}`,
    name.slice(0, at) + name.slice(at + 1),
    name.slice(0, at) + name[at] + name.slice(at),
  ].filter((typo) => typo !== name && typo.length > 2);
}

describe('an unknown name', () => {
  const net = () => sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
  const kinds: [string, readonly string[], (name: string) => unknown][] = [
    ['optimizer', optimizerNames, (name) => net().compile({ optimizer: name, loss: 'meanSquaredError' })],
    ['loss', lossNames, (name) => net().compile({ optimizer: 'sgd', loss: name })],
    ['metric', metricNames, (name) => net().compile({ optimizer: 'sgd', loss: 'meanSquaredError', metrics: [name] })],
    ['activation', activationNames, (name) => layers.dense({ units: 2, activation: name as 'relu' })],
  ];
  test.each(kinds)('of an %s gives the nearest', (kind, names, use) => {
    expect(names.length).toBeGreaterThan(10);
    const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
    const known = new Set(names.map(plain));
    for (const name of names) {
      for (const typo of typos(name).filter((one) => !known.has(plain(one)))) {
        const said = complaint(() => use(typo));
        expect(said, typo).toContain(`${kind} must be a known name; got ${JSON.stringify(typo)}`);
        expect(said, typo).toMatch(new RegExp(`did you mean [^?]*\\b${name}\\b[^?]*\\?`, 'i'));
      }
    }
  });

  const named =
    /(activation|Initializer|Regularizer|Constraint|padding|dataFormat|interpolation|fillMode|mergeMode|outputMode)$/i;
  test.each(cases.filter(({ unsaved }) => !unsaved))('in the arguments of $name', (row) => {
    const layer = row.make();
    const config = layer.getConfig();
    for (const key of Object.keys(config).filter((one) => named.test(one) && !Array.isArray(config[one]))) {
      const said = complaint(() =>
        deserializeLayer('test', {
          className: layer.getClassName(),
          config: { ...config, name: 'mine', [key]: 'nonesuch' },
        }),
      );
      expect(said, key).toMatch(/^\[mine(_cell|_layer)?: /);
      expect(said, key).toMatch(/must be a known name; got "nonesuch"; .*the known ones are /);
    }
  });

  test.each(layerClasses().map(({ className }) => className))('of the class %s in a file', async (className) => {
    const typo = `${className.slice(0, -1)}${className.at(-1)}x`;
    const topology = { class_name: 'Sequential', config: { name: 'net', layers: [{ class_name: typo, config: {} }] } };
    const said = await laterComplaint(() => models.modelFromJSON(topology));
    expect(said).toMatch(
      new RegExp(`layer class must be a known name; got "${typo}"; did you mean [^?]*\\b${className}\\b`),
    );
  });
});

describe('weights that do not fit', () => {
  const weighted = drawable.filter((row) => built(row).layer.weights.length > 0);
  test('are tried for many layers', () => expect(weighted.length).toBeGreaterThan(40));

  test.each(weighted)('$name', async (row) => {
    const { whole, layer } = built(row);
    const values = layer.getWeights();
    const place = /; it belongs to layer (\d+) of \d+ of model /;
    const before = values.map((value) => [...value.dataSync()]);
    for (const [i, weight] of layer.weights.entries()) {
      const wrong = [...values];
      wrong[i] = zeros([...weight.shape, 2]);
      const must = `${weight.originalName} must be [${weight.shape.join(',')}]`;
      expect(complaint(() => layer.setWeights(wrong))).toMatch(`[${layer.label}] [setWeights] ${must}`);
      const said = complaint(() => whole.setWeights(wrong));
      expect(said).toContain(must);
      expect(said).toMatch(place);
      expect(said).toContain(`, ${layer.label}`);
      expect(whole.layers[Number(place.exec(said!)![1]) - 1]).toBe(layer);
      const byName = Object.fromEntries(whole.weights.map(({ originalName }, k) => [originalName, wrong[k]]));
      const loading = complaint(() => whole.loadWeights(byName));
      expect(loading).toContain(must);
      expect(loading).toMatch(place);
    }
    const short = values.slice(1);
    expect(complaint(() => layer.setWeights(short))).toContain(`[${layer.label}] setWeights needs one tensor for each`);
    expect(complaint(() => whole.setWeights(short))).toContain(`model ${whole.name} needs ${values.length} tensors`);
    const missing = Object.fromEntries(whole.weights.slice(1).map((weight, k) => [weight.originalName, values[k + 1]]));
    expect(complaint(() => whole.loadWeights(missing))).toMatch(
      /1 are missing: .*; it belongs to|1 are missing: .*, it belongs to/,
    );
    // A mistake changes nothing.
    expect(layer.getWeights().map((value) => [...value.dataSync()])).toEqual(before);
  });

  test.each(weighted.filter(({ unsaved }) => !unsaved))('$name, from a file', async (row) => {
    const { whole, layer } = built(row);
    let saved: ModelArtifacts | undefined;
    await whole.save({ save: async (artifacts: never) => (saved = artifacts) });
    const [first, ...rest] = saved!.weightSpecs!;
    const grown = { ...first, shape: [...first.shape, 1] };
    const said = await laterComplaint(() =>
      loadLayersModel(io.fromMemory({ ...saved!, weightSpecs: [grown, ...rest] })),
    );
    expect(said).toContain(`${first.name} must be [${first.shape.join(',')}], as the topology says`);
    expect(said).toContain(layer.name);
    expect(said).toMatch(/; it is layer \d+ of \d+ of model /);
  });
});
