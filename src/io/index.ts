/** Saving and loading models, with TensorFlow.js's names. */
import { fail } from '../base/errors.ts';
import { installModelSaver, type LayersModel } from '../nn/index.ts';
import { artifactsOf, type LoadModelOptions, modelFromArtifacts } from './adapters/layers_model.ts';
import { decodeWeights, encodeWeights } from './adapters/weights.ts';
import { CompositeArrayBuffer } from './formats/composite_array_buffer.ts';
import {
  getModelArtifactsForJSON,
  getModelArtifactsForJSONSync,
  getWeightSpecs,
  type ModelArtifacts,
  weightBytes,
} from './formats/layers_model.ts';
import { browserFiles } from './handlers/browser_files.ts';
import { fileSystem } from './handlers/file.ts';
import { http, isHTTPScheme, type LoadOptions } from './handlers/http.ts';
import { copyModel, listModels, moveModel, removeModel } from './handlers/manager.ts';
import { fromMemory, fromMemorySync, withSaveHandler, withSaveHandlerSync } from './handlers/memory.ts';
import {
  getLoadHandlers,
  getSaveHandlers,
  handlerFor,
  registerLoadRouter,
  registerSaveRouter,
} from './handlers/router.ts';
import { getModelArtifactsInfoForJSON, type IOHandler, type SaveResult } from './handlers/types.ts';
import { decodeWeightsStream, loadWeights, weightsLoaderFactory } from './handlers/weights_loader.ts';

installModelSaver(async (model, target, config): Promise<SaveResult> => {
  const handler = typeof target === 'string' ? handlerFor('save', 'save', target) : (target as IOHandler);
  if (typeof handler?.save !== 'function') {
    fail('save', 'the handler must have a save method', `got ${typeof handler}`, "pass 'file://folder'");
  }
  return handler.save(await artifactsOf(model, config));
});

/**
 * Loads a model that was saved in TensorFlow.js's layers format, by tensorloom or by TensorFlow.js.
 *
 * @param pathOrIOHandler `file://folder/model.json`, `https://.../model.json`, `indexeddb://name`, `localstorage://name`, or an
 *   object with a load method
 * @param options strict (default true): the weights of the file and of the model must match one to one; over http(s) also
 *   onProgress, requestInit, fetchFunc, weightPathPrefix, weightUrlConverter
 */
export async function loadLayersModel(
  pathOrIOHandler: string | IOHandler,
  options: LoadModelOptions & LoadOptions = {},
): Promise<LayersModel> {
  const op = 'loadLayersModel';
  const handler =
    typeof pathOrIOHandler === 'string' ? handlerFor(op, 'load', pathOrIOHandler, options) : pathOrIOHandler;
  if (typeof handler?.load !== 'function') {
    fail(op, 'the handler must have a load method', `got ${typeof handler}`, "pass 'file://folder/model.json'");
  }
  return modelFromArtifacts(await handler.load(), options);
}

/** tf.io */
export const io = {
  encodeWeights,
  decodeWeights,
  decodeWeightsStream,
  loadWeights,
  weightsLoaderFactory,
  CompositeArrayBuffer,
  concatenateArrayBuffers: (buffers: ArrayBuffer[] | ArrayBuffer): ArrayBuffer =>
    weightBytes(buffers).slice().buffer as ArrayBuffer,
  getModelArtifactsInfoForJSON,
  getModelArtifactsForJSON,
  getModelArtifactsForJSONSync,
  getWeightSpecs,
  fileSystem,
  http,
  browserHTTPRequest: http,
  isHTTPScheme,
  browserFiles,
  fromMemory,
  fromMemorySync,
  withSaveHandler,
  withSaveHandlerSync,
  copyModel,
  listModels,
  moveModel,
  removeModel,
  registerLoadRouter,
  registerSaveRouter,
  getLoadHandlers,
  getSaveHandlers,
};

export type { LoadModelOptions } from './adapters/layers_model.ts';
export type { ModelJson, WeightsGroup } from './formats/layers_model.ts';
export type { WeightSpec } from './formats/weights.ts';
export type { IORouter } from './handlers/router.ts';
export type { IOHandler, LoadHandler, SaveHandler } from './handlers/types.ts';
export type { ModelArtifacts };
export { BackupAndRestore, type BackupAndRestoreArgs } from './backup.ts';
