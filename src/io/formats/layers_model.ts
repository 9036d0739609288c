/**
 * TensorFlow.js's layers format: model.json (topology and a manifest of weight files) and the weight files beside it. Knows
 * plain objects, neither files nor models.
 */
import { fail } from '../../base/errors.ts';
import { checkWeightSpecs, type WeightSpec } from './weights.ts';

/** What a model is outside of memory; the same object as TensorFlow.js's. */
export interface ModelArtifacts {
  modelTopology?: object | ArrayBuffer;
  format?: string;
  generatedBy?: string;
  convertedBy?: string | null;
  weightSpecs?: WeightSpec[];
  weightData?: ArrayBuffer | ArrayBuffer[];
  trainingConfig?: object;
  userDefinedMetadata?: { [key: string]: unknown };
}

/** A group of weights and the files that hold its bytes, one after the other. */
export interface WeightsGroup {
  readonly paths: string[];
  readonly weights: WeightSpec[];
}

export interface ModelJson extends Omit<ModelArtifacts, 'weightSpecs' | 'weightData'> {
  weightsManifest: WeightsGroup[];
}

/** The bytes of artifacts as one array. */
export function weightBytes(data: ArrayBuffer | readonly ArrayBuffer[] | undefined): Uint8Array {
  if (data === undefined) return new Uint8Array(0);
  if (!Array.isArray(data)) return new Uint8Array(data as ArrayBuffer);
  const parts = data as readonly ArrayBuffer[];
  const out = new Uint8Array(parts.reduce((total, part) => total + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(new Uint8Array(part), offset);
    offset += part.byteLength;
  }
  return out;
}

/** model.json for artifacts whose weights lie in one file. */
export function modelJsonOf(artifacts: ModelArtifacts, weightsPath: string): ModelJson {
  const { weightSpecs, weightData: _, ...rest } = artifacts;
  return { ...rest, weightsManifest: [{ paths: [weightsPath], weights: weightSpecs ?? [] }] };
}

/** Reads model.json and checks everything that is used later. */
export function parseModelJson(op: string, text: string): ModelJson {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    fail(op, 'model.json must be JSON', (error as Error).message, 'is the file truncated?');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    fail(op, 'model.json must hold an object', `got ${Array.isArray(json) ? 'a list' : typeof json}`);
  }
  const { modelTopology, weightsManifest, format, ...rest } = json as { [key: string]: unknown };
  if (format === 'graph-model') {
    fail(
      op,
      "the model must be in the 'layers-model' format",
      "got 'graph-model'",
      'graph models cannot be loaded yet',
    );
  }
  if (typeof modelTopology !== 'object' || modelTopology === null) {
    fail(op, 'model.json must have a modelTopology', `got ${JSON.stringify(modelTopology) ?? 'none'}`);
  }
  return {
    ...rest,
    ...(typeof format === 'string' ? { format } : {}),
    modelTopology,
    weightsManifest: checkManifest(op, weightsManifest),
  };
}

/** The weights of all groups. Source: tf.io.getWeightSpecs. */
export function getWeightSpecs(weightsManifest: readonly WeightsGroup[]): WeightSpec[] {
  return weightsManifest.flatMap((group) => group.weights);
}

/** model.json and its weights as artifacts. Source: tf.io.getModelArtifactsForJSONSync. */
export function getModelArtifactsForJSONSync(
  modelJSON: ModelJson,
  weightSpecs?: WeightSpec[],
  weightData?: ModelArtifacts['weightData'],
): ModelArtifacts {
  const { weightsManifest, ...artifacts } = modelJSON;
  if (!weightsManifest) return artifacts;
  if (weightSpecs && weightData) return { ...artifacts, weightSpecs, weightData };
  const missing = weightSpecs ? 'weightData' : 'weightSpecs';
  return fail(
    'getModelArtifactsForJSONSync',
    'a model with a weightsManifest needs its weights',
    `${missing} is missing`,
  );
}

/**
 * model.json as artifacts, its weights got by a function of the manifest, which is not called where there is none.
 * Source: tf.io.getModelArtifactsForJSON.
 */
export async function getModelArtifactsForJSON(
  modelJSON: ModelJson,
  loadWeights: (weightsManifest: WeightsGroup[]) => Promise<[WeightSpec[], ModelArtifacts['weightData']]>,
): Promise<ModelArtifacts> {
  const { weightsManifest } = modelJSON;
  const [specs, data] = weightsManifest ? await loadWeights(weightsManifest) : [];
  return getModelArtifactsForJSONSync(modelJSON, specs, data);
}

function checkManifest(op: string, value: unknown): WeightsGroup[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) fail(op, 'weightsManifest must be a list', `got ${typeof value}`);
  const groups = value.map((item: unknown) => {
    const { paths, weights } = (item ?? {}) as { [key: string]: unknown };
    if (!Array.isArray(paths))
      fail(op, 'each group of weights must list its paths', `got ${JSON.stringify(paths) ?? 'none'}`);
    return { paths: paths.map((path) => checkWeightPath(op, path)), weights: checkWeightSpecs(op, weights) };
  });
  // Names must differ across groups too.
  checkWeightSpecs(
    op,
    groups.flatMap((group) => group.weights),
  );
  return groups;
}

/** A weight path is a file's name inside the model's folder: nothing absolute, no way up, no other scheme. */
export function checkWeightPath(op: string, path: unknown): string {
  // TensorFlow.js's downloads begin with ./
  const name = typeof path === 'string' ? path.replace(/^\.\//, '') : '';
  const inside = !/[\\:\0]/.test(name) && name.split('/').every((part) => part !== '' && part !== '..' && part !== '.');
  if (inside) return name;
  fail(op, "a weight file must lie in the model's folder", `its path is ${JSON.stringify(path) ?? 'missing'}`);
}
