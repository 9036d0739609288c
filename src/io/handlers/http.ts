/** Models over http(s): model.json and the weight files beside it, loaded; posted as a form with both. */
import { fail } from '../../base/errors.ts';
import {
  getWeightSpecs,
  type ModelArtifacts,
  modelJsonOf,
  parseModelJson,
  weightBytes,
} from '../formats/layers_model.ts';
import { totalBytes } from '../formats/weights.ts';
import { getModelArtifactsInfoForJSON, type IOHandler, type SaveResult } from './types.ts';

export interface LoadOptions {
  requestInit?: RequestInit;
  /** Used in place of fetch. */
  fetchFunc?: typeof fetch;
  /** Told after each file how much of the model is there, from 0 to 1. */
  onProgress?: (fraction: number) => void;
  /** Stands before the names of weight files; default: the folder of model.json. */
  weightPathPrefix?: string;
  /** Gives the URL of a weight file by its name; goes before weightPathPrefix. */
  weightUrlConverter?: (weightFileName: string) => Promise<string>;
}

export function isHTTPScheme(url: string): boolean {
  return /^https?:\/\//i.test(url);
}

/** Source: tf.io.http. */
export function http(url: string, options: LoadOptions = {}): IOHandler {
  return { load: () => load(url, options), save: (artifacts) => post(url, artifacts, options) };
}

async function get(op: string, url: string, options: LoadOptions): Promise<Response> {
  const fetchFunc = options.fetchFunc ?? fetch;
  const response = await fetchFunc(url, options.requestInit).catch((error: Error) =>
    fail(op, `${url} must be reachable`, error.message),
  );
  if (!response.ok) fail(op, `${url} must be there`, `the server says ${response.status} ${response.statusText}`);
  return response;
}

/** The bytes at a URL; fails before they are read if the server announces more than `limit`. */
export async function fetchBytes(
  op: string,
  url: string,
  options: LoadOptions,
  limit = Number.POSITIVE_INFINITY,
): Promise<ArrayBuffer> {
  const response = await get(op, url, options);
  const announced = Number(response.headers.get('content-length') ?? 0);
  const encoded = response.headers.get('content-encoding');
  if (!encoded && announced > limit)
    fail(op, `${url} must hold at most ${limit} bytes`, `the server sends ${announced}`);
  return response.arrayBuffer();
}

async function load(url: string, options: LoadOptions): Promise<ModelArtifacts> {
  const op = 'loadLayersModel';
  const { onProgress, weightPathPrefix, weightUrlConverter } = options;
  const { weightsManifest, ...json } = parseModelJson(op, await (await get(op, url, options)).text());
  const weightSpecs = getWeightSpecs(weightsManifest);
  const urlOf = async (path: string): Promise<string> => {
    if (weightUrlConverter) return weightUrlConverter(path);
    if (weightPathPrefix !== undefined) return weightPathPrefix + path;
    const beside = new URL(path, url);
    // A token in the query of model.json opens the weights too.
    beside.search = new URL(url).search;
    return beside.href;
  };
  const all = totalBytes(weightSpecs);
  const parts: ArrayBuffer[] = [];
  let loaded = 0;
  onProgress?.(0);
  for (const { paths, weights } of weightsManifest) {
    const expected = totalBytes(weights);
    let left = expected;
    for (const path of paths) {
      const bytes = await fetchBytes(op, await urlOf(path), options, left);
      left -= bytes.byteLength;
      loaded += bytes.byteLength;
      parts.push(bytes);
      onProgress?.(Math.min(loaded / all, 1));
    }
    if (left !== 0) {
      fail(op, `${paths.join(', ')} must hold ${expected} bytes, as model.json says`, `there are ${expected - left}`);
    }
  }
  if (all === 0) onProgress?.(1);
  return { ...json, weightSpecs, weightData: weightBytes(parts).buffer as ArrayBuffer };
}

/** Posts a form with the files model.json and model.weights.bin, as TensorFlow.js does; servers written for it understand. */
async function post(url: string, artifacts: ModelArtifacts, options: LoadOptions): Promise<SaveResult> {
  const { fetchFunc = fetch, requestInit = {} } = options;
  const form = new FormData();
  const json = JSON.stringify(modelJsonOf(artifacts, 'model.weights.bin'));
  form.append('model.json', new Blob([json], { type: 'application/json' }), 'model.json');
  const weights = new Blob([weightBytes(artifacts.weightData) as Uint8Array<ArrayBuffer>], {
    type: 'application/octet-stream',
  });
  form.append('model.weights.bin', weights, 'model.weights.bin');
  const response = await fetchFunc(url, { method: 'POST', ...requestInit, body: form }).catch((error: Error) =>
    fail('save', `${url} must be reachable`, error.message),
  );
  if (!response.ok)
    fail('save', `${url} must take the model`, `the server says ${response.status} ${response.statusText}`);
  return { modelArtifactsInfo: getModelArtifactsInfoForJSON(artifacts), responses: [response] };
}
