/** Loads a model over http(s): model.json and the weight files beside it. */
import { fail } from '../../base/errors.ts';
import { type ModelArtifacts, parseModelJson, weightBytes } from '../formats/layers_model.ts';
import { totalBytes } from '../formats/weights.ts';
import type { IOHandler } from './types.ts';

export interface LoadOptions {
  requestInit?: RequestInit;
  /** Used in place of fetch. */
  fetchFunc?: typeof fetch;
}

export function isHTTPScheme(url: string): boolean {
  return /^https?:\/\//i.test(url);
}

/** Source: tf.io.http. */
export function http(url: string, options: LoadOptions = {}): IOHandler {
  return { load: () => load(url, options) };
}

async function load(url: string, options: LoadOptions): Promise<ModelArtifacts> {
  const op = 'loadLayersModel';
  const get = async (from: string): Promise<Response> => {
    const fetchFunc = options.fetchFunc ?? fetch;
    const response = await fetchFunc(from, options.requestInit).catch((error: Error) =>
      fail(op, `${from} must be reachable`, error.message),
    );
    if (!response.ok) fail(op, `${from} must be there`, `the server says ${response.status} ${response.statusText}`);
    return response;
  };
  const { weightsManifest, ...json } = parseModelJson(op, await (await get(url)).text());
  const parts: ArrayBuffer[] = [];
  for (const { paths, weights } of weightsManifest) {
    const expected = totalBytes(weights);
    let left = expected;
    for (const path of paths) {
      const response = await get(new URL(path, url).href);
      const announced = Number(response.headers.get('content-length') ?? 0);
      const encoded = response.headers.get('content-encoding');
      if (!encoded && announced > left)
        fail(op, `${path} must hold at most ${left} bytes`, `the server sends ${announced}`);
      const bytes = await response.arrayBuffer();
      left -= bytes.byteLength;
      parts.push(bytes);
    }
    if (left !== 0) {
      fail(op, `${paths.join(', ')} must hold ${expected} bytes, as model.json says`, `there are ${expected - left}`);
    }
  }
  const weightData = weightBytes(parts).buffer as ArrayBuffer;
  return { ...json, weightSpecs: weightsManifest.flatMap((group) => group.weights), weightData };
}
