/** Weights without a model: a manifest and a function that fetches its files, or a stream of bytes. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { decodeWeights } from '../adapters/weights.ts';
import { CompositeArrayBuffer } from '../formats/composite_array_buffer.ts';
import { getWeightSpecs, type WeightsGroup } from '../formats/layers_model.ts';
import { bytesOf, checkWeightSpecs, totalBytes, type WeightSpec } from '../formats/weights.ts';
import { fetchBytes } from './http.ts';

export type WeightsManifest = readonly WeightsGroup[];
type NamedTensors = { [name: string]: Tensor };

/**
 * A function `(manifest, filePathPrefix = '', weightNames?)` that fetches the files of the groups in which a wanted weight lies
 * and gives its tensors by name; without names all of them.
 *
 * @param fetchWeights gets the paths, each with the prefix before it, and gives a buffer for each
 * Source: tf.io.weightsLoaderFactory.
 */
export function weightsLoaderFactory(
  fetchWeights: (paths: string[]) => Promise<ArrayBuffer[]>,
): (manifest: WeightsManifest, filePathPrefix?: string, weightNames?: readonly string[]) => Promise<NamedTensors> {
  const op = 'loadWeights';
  return async (manifest, filePathPrefix = '', weightNames) => {
    const specs = checkWeightSpecs(op, getWeightSpecs(manifest));
    const known = new Set(specs.map((spec) => spec.name));
    const missing = weightNames?.filter((name) => !known.has(name)) ?? [];
    if (missing.length > 0) {
      fail(op, 'the manifest must list each wanted weight', `${missing.join(', ')} not in ${[...known].join(', ')}`);
    }
    const wanted = new Set(weightNames ?? known);
    const groups = manifest.filter((group) => group.weights.some((spec) => wanted.has(spec.name)));
    const slash = filePathPrefix === '' || filePathPrefix.endsWith('/') ? '' : '/';
    const paths = groups.flatMap((group) => group.paths.map((path) => `${filePathPrefix}${slash}${path}`));
    const buffers = await fetchWeights(paths);
    if (buffers.length !== paths.length) {
      fail(op, 'a buffer must come for each path', `${buffers.length} for ${paths.length}`);
    }
    const tensors: NamedTensors = {};
    let next = 0;
    for (const { paths: own, weights } of groups) {
      const bytes = new CompositeArrayBuffer(buffers.slice(next, next + own.length));
      next += own.length;
      const expected = totalBytes(weights);
      if (bytes.byteLength !== expected) {
        fail(op, `${own.join(', ')} must hold ${expected} bytes, as the manifest says`, `got ${bytes.byteLength}`);
      }
      let offset = 0;
      for (const spec of weights) {
        const end = offset + bytesOf(spec);
        if (wanted.has(spec.name)) Object.assign(tensors, decodeWeights(bytes.slice(offset, end), [spec]));
        offset = end;
      }
    }
    return tensors;
  };
}

/** The tensors of a manifest whose files are fetched over http(s). Source: tf.io.loadWeights. */
export function loadWeights(
  manifest: WeightsManifest,
  filePathPrefix = '',
  weightNames?: readonly string[],
  requestInit?: RequestInit,
): Promise<NamedTensors> {
  const fetchWeights = (paths: string[]) =>
    Promise.all(paths.map((path) => fetchBytes('loadWeights', path, { requestInit })));
  return weightsLoaderFactory(fetchWeights)(manifest, filePathPrefix, weightNames);
}

/**
 * The tensors of a stream: each is made as soon as its bytes are there, so never more than one weight waits in memory beside its
 * tensor. Source: tf.io.decodeWeightsStream.
 */
export async function decodeWeightsStream(
  weightStream: ReadableStream<ArrayBuffer | Uint8Array>,
  specs: readonly WeightSpec[],
): Promise<NamedTensors> {
  const op = 'decodeWeightsStream';
  const reader = weightStream.getReader();
  const tensors: NamedTensors = {};
  let chunk = new Uint8Array(0);
  for (const spec of checkWeightSpecs(op, specs)) {
    const bytes = new Uint8Array(bytesOf(spec));
    for (let filled = 0; filled < bytes.byteLength; ) {
      if (chunk.byteLength === 0) {
        const { done, value } = await reader.read();
        if (done)
          fail(op, `${spec.name} must have ${bytes.byteLength} bytes`, `the stream ends after ${filled} of them`);
        chunk = new Uint8Array(value);
        continue;
      }
      const part = chunk.subarray(0, bytes.byteLength - filled);
      bytes.set(part, filled);
      filled += part.byteLength;
      chunk = chunk.subarray(part.byteLength);
    }
    Object.assign(tensors, decodeWeights(bytes.buffer, [spec]));
  }
  reader.releaseLock();
  return tensors;
}
