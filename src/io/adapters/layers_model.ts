/** Models <-> artifacts. */
import { fail } from '../../base/errors.ts';
import {
  LayersModel,
  type LayerVariable,
  modelFromTopology,
  type SaveConfig,
  type WeightSource,
} from '../../nn/index.ts';
import { type Tensor, tensor } from '../../tensor/index.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import { type ModelArtifacts, weightBytes } from '../formats/layers_model.ts';
import { checkWeightSpecs, decodeArrays, encodeArrays, type NamedArray } from '../formats/weights.ts';
import { namedArray } from './weights.ts';

declare const __TENSORLOOM_VERSION__: string | undefined;
const version = typeof __TENSORLOOM_VERSION__ === 'string' ? __TENSORLOOM_VERSION__ : 'development';

/** A model as artifacts, with copies of its weights as they are now. */
export async function artifactsOf(model: LayersModel, config: SaveConfig): Promise<ModelArtifacts> {
  const weights = config.trainableOnly ? model.trainableWeights : model.weights;
  const names = fileNames(model);
  const arrays = weights.map((weight) => namedArray(names.get(weight)!, weight.read()));
  const artifacts: ModelArtifacts = {
    modelTopology: model.toJSON(undefined, false),
    format: 'layers-model',
    generatedBy: `tensorloom ${version}`,
    convertedBy: null,
  };
  if (config.includeOptimizer) {
    if (!model.isCompiled)
      fail('save', 'includeOptimizer needs a compiled model', undefined, 'call model.compile first');
    artifacts.trainingConfig = model.getTrainingConfig();
    for (const { name: owner, optimizer } of model.optimizers) {
      for (const { name, tensor: value } of await optimizer.getWeights()) {
        arrays.push(namedArray(owner ? `${owner}/${name}` : name, value, 'optimizer'));
      }
    }
  }
  const metadata = model.getUserDefinedMetadata();
  if (metadata) artifacts.userDefinedMetadata = metadata;
  const { specs, bytes } = encodeArrays(arrays);
  return { ...artifacts, weightSpecs: specs, weightData: bytes.buffer };
}

/** The name of each weight in a file: its own, or with the models it is in where two models inside have equal names. */
function fileNames(model: LayersModel): Map<LayerVariable, string> {
  const paths = new Map<LayerVariable, string>();
  const visit = (inside: LayersModel, path: readonly string[]) => {
    for (const layer of inside.layers) {
      if (layer instanceof LayersModel) visit(layer, [...path, layer.name]);
      else for (const weight of layer.weights) paths.set(weight, [...path, weight.originalName].join('/'));
    }
  };
  visit(model, []);
  const { weights } = model;
  const uses = new Map<string, number>();
  for (const { originalName } of weights) uses.set(originalName, (uses.get(originalName) ?? 0) + 1);
  return new Map(
    weights.map((weight) => {
      const own = weight.originalName;
      return [weight, uses.get(own) === 1 ? own : (paths.get(weight) ?? own)];
    }),
  );
}

export interface LoadModelOptions {
  /** Every weight of the model must be in the file and every one of the file in the model; default true. */
  strict?: boolean;
}

/** Artifacts -> a model with its weights. Nothing is made for a weight before its shape was found in the file. */
export async function modelFromArtifacts(artifacts: ModelArtifacts, options: LoadModelOptions): Promise<LayersModel> {
  const op = 'loadLayersModel';
  const strict = options.strict ?? true;
  const { modelTopology, weightSpecs, weightData, trainingConfig, userDefinedMetadata } = artifacts;
  if (modelTopology instanceof ArrayBuffer) fail(op, 'the topology must be JSON', 'it is bytes');
  if (weightData !== undefined && weightSpecs === undefined) fail(op, 'weights must come with their specs', 'got none');
  if (weightData === undefined) return modelFromTopology(op, modelTopology);
  const arrays = decodeArrays(op, weightBytes(weightData), checkWeightSpecs(op, weightSpecs));
  const given = new GivenWeights(
    op,
    arrays.filter(({ group }) => group !== 'optimizer'),
    strict,
  );
  const model = modelFromTopology(op, modelTopology, given.source);
  try {
    given.checkAllUsed();
    if (userDefinedMetadata) model.setUserDefinedMetadata(userDefinedMetadata);
    if (trainingConfig) {
      model.loadTrainingConfig(trainingConfig);
      await restoreOptimizer(model, arrays);
    }
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

async function restoreOptimizer(model: LayersModel, arrays: readonly NamedArray[]): Promise<void> {
  const state = arrays.filter(({ group }) => group === 'optimizer');
  for (const { name: owner, optimizer, weights: owned } of model.optimizers) {
    const prefix = owner ? `${owner}/` : '';
    const weights = state
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, values, shape, dtype }) => ({
        name: name.slice(prefix.length),
        tensor: tensor(values, [...shape], dtype),
      }));
    if (weights.length === 0) continue;
    await optimizer.setWeights(
      weights,
      owned.map((weight) => weight.val),
    );
    for (const weight of weights) weight.tensor.dispose();
  }
}

/** Hands the weights of a file to the layers that are being built, by name and only in the right shape. */
class GivenWeights {
  readonly #op: string;
  readonly #strict: boolean;
  readonly #unused = new Set<NamedArray>();
  readonly #exact = new Map<string, NamedArray>();
  /** By the names a layer may ask for: the file's, and the file's without a model's or a cell's name in it. */
  readonly #byName = new Map<string, NamedArray>();

  constructor(op: string, arrays: readonly NamedArray[], strict: boolean) {
    this.#op = op;
    this.#strict = strict;
    for (const array of arrays) {
      this.#byName.set(array.name, array);
      this.#exact.set(array.name, array);
      this.#unused.add(array);
    }
    for (const array of arrays) {
      const parts = array.name.split('/');
      const shorter = [[...parts.slice(0, -2), parts[parts.length - 1]], parts.slice(1), parts.slice(-2)];
      for (const name of shorter.map((tokens) => tokens.join('/'))) {
        if (name !== '' && !this.#byName.has(name)) this.#byName.set(name, array);
      }
    }
  }

  readonly source: WeightSource = (
    name: string,
    shape: readonly number[],
    models: readonly string[],
  ): Tensor | null => {
    const path = [...models, name].join('/');
    const array = this.#exact.get(path) ?? this.#byName.get(name);
    if (!array || !this.#unused.has(array)) {
      if (!this.#strict) return null;
      const hint = 'is it the model.json of these weights?';
      return fail(this.#op, `the file must hold the weight ${name} ${showShape(shape)}`, 'it does not', hint);
    }
    if (!sameShape(array.shape, shape)) {
      const came = `the file holds ${showShape(array.shape)}`;
      fail(
        this.#op,
        `${name} must be ${showShape(shape)}, as the topology says`,
        came,
        'is one of the files another model?',
      );
    }
    this.#unused.delete(array);
    return tensor(array.values, [...array.shape], array.dtype);
  };

  checkAllUsed(): void {
    if (!this.#strict || this.#unused.size === 0) return;
    const names = [...this.#unused].map(({ name }) => name).join(', ');
    fail(
      this.#op,
      'every weight of the file must belong to a layer',
      `these do not: ${names}`,
      'load with {strict: false}',
    );
  }
}
