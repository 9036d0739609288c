/** Models as files that a browser's user picks or downloads. */
import { fail } from '../../base/errors.ts';
import {
  getWeightSpecs,
  type ModelArtifacts,
  modelJsonOf,
  parseModelJson,
  weightBytes,
} from '../formats/layers_model.ts';
import { getModelArtifactsInfoForJSON, type IOHandler } from './types.ts';

/** Hands a file to the user's downloads: a link to its bytes, clicked. */
function download(name: string, bytes: BlobPart, type: string): void {
  const link = document.createElement('a');
  link.download = name;
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.click();
  // The browser has taken the bytes by the end of this turn.
  setTimeout(() => URL.revokeObjectURL(link.href));
}

/**
 * `downloads://name`: saving downloads name.json and name.weights.bin.
 *
 * @param prefix default 'model'
 * Source: tf.io.browserDownloads.
 */
export function browserDownloads(prefix = 'model'): IOHandler {
  const name = prefix === '' ? 'model' : prefix;
  return {
    save: async (artifacts) => {
      if (typeof document === 'undefined') {
        fail('save', 'downloads:// needs a browser', 'there is no document', 'use file://folder in Node');
      }
      const weights = `${name}.weights.bin`;
      download(`${name}.json`, JSON.stringify(modelJsonOf(artifacts, `./${weights}`)), 'application/json');
      download(weights, weightBytes(artifacts.weightData) as BlobPart, 'application/octet-stream');
      return { modelArtifactsInfo: getModelArtifactsInfoForJSON(artifacts) };
    },
  };
}

/**
 * Loads from files that the user picked: model.json first, then the weight files, in any order; without them the topology only.
 * Source: tf.io.browserFiles.
 */
export function browserFiles(files: readonly File[]): IOHandler {
  const op = 'browserFiles';
  if (!files || files.length === 0) fail(op, 'files must hold at least model.json', 'got none');
  return { load: () => fromFiles(op, [...files]) };
}

async function fromFiles(op: string, [jsonFile, ...weightFiles]: File[]): Promise<ModelArtifacts> {
  const { weightsManifest, ...json } = parseModelJson(op, await jsonFile.text());
  if (weightFiles.length === 0) return json;
  const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
  const byName = new Map(weightFiles.map((file) => [file.name, file]));
  const wanted = weightsManifest.flatMap((group) => group.paths.map(nameOf));
  const missing = wanted.filter((name) => !byName.has(name));
  if (missing.length > 0 || wanted.length !== byName.size) {
    fail(
      op,
      `the weight files must be ${wanted.join(', ')}, as model.json says`,
      `got ${[...byName.keys()].join(', ')}`,
    );
  }
  const buffers = await Promise.all(wanted.map((name) => byName.get(name)!.arrayBuffer()));
  return { ...json, weightSpecs: getWeightSpecs(weightsManifest), weightData: buffers };
}
