/** `file://` in Node. The file system is imported only when it is used, so that browsers can bundle this. */
import { fail } from '../../base/errors.ts';
import { getModelArtifactsInfoForJSON, type IOHandler, type ModelStore } from './types.ts';

const scheme = 'file://';

/** `file://./folder` -> ./folder; `file:///C:/folder` -> C:/folder */
function pathOf(url: string): string {
  const path = url.slice(scheme.length);
  return /^\/[A-Za-z]:[\\/]/.test(path) ? path.slice(1) : path;
}

async function folderAdapter(op: string) {
  if (!(globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node) {
    fail(op, 'file:// needs Node', 'this is a browser', 'load with http(s)://, or pass an object with a load method');
  }
  return import('../node/model_folder.ts');
}

/**
 * Saves into a folder (model.json and a weights file), loads from its model.json.
 */
export function fileSystem(url: string): IOHandler {
  const path = url.toLowerCase().startsWith(scheme) ? pathOf(url) : url;
  return {
    save: async (artifacts) => {
      const { saveModelFolder } = await folderAdapter('save');
      await saveModelFolder(path, artifacts);
      return { modelArtifactsInfo: getModelArtifactsInfoForJSON(artifacts) };
    },
    load: async () => {
      const { loadModelFolder } = await folderAdapter('loadLayersModel');
      return loadModelFolder(path);
    },
  };
}

export function fileModels(): ModelStore {
  return {
    available: () => true,
    handler: (path) => fileSystem(scheme + path),
    remove: async (path) => {
      const { removeModelFolder } = await folderAdapter('removeModel');
      const artifacts = await removeModelFolder(pathOf(scheme + path));
      return artifacts && getModelArtifactsInfoForJSON(artifacts);
    },
  };
}
