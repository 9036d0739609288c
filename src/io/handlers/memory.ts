/** Handlers without a medium: artifacts that are in memory already, and a function that takes them. */
import type { ModelArtifacts } from '../formats/layers_model.ts';
import type { WeightSpec } from '../formats/weights.ts';
import type { IOHandler, SaveHandler, SaveResult } from './types.ts';

/** Artifacts as they are, or put together from a topology with its weights. */
function artifactsIn(
  modelArtifacts: ModelArtifacts | object,
  weightSpecs?: WeightSpec[],
  weightData?: ArrayBuffer,
  trainingConfig?: object,
): ModelArtifacts {
  const whole = weightSpecs === undefined && ('modelTopology' in modelArtifacts || 'weightSpecs' in modelArtifacts);
  return whole
    ? (modelArtifacts as ModelArtifacts)
    : { modelTopology: modelArtifacts, weightSpecs, weightData, trainingConfig };
}

/** A handler that loads these artifacts, or a topology with its weights. Source: tf.io.fromMemory. */
export function fromMemory(...args: Parameters<typeof artifactsIn>): IOHandler {
  const artifacts = artifactsIn(...args);
  return { load: async () => artifacts };
}

/** Loads without a promise. Source: tf.io.fromMemorySync. */
export interface IOHandlerSync {
  save?: (artifacts: ModelArtifacts) => SaveResult;
  load?: () => ModelArtifacts;
}

/** As fromMemory, with a load that gives the artifacts at once. Source: tf.io.fromMemorySync. */
export function fromMemorySync(...args: Parameters<typeof fromMemory>): IOHandlerSync {
  const artifacts = artifactsIn(...args);
  return { load: () => artifacts };
}

/** A handler whose save calls a function that answers at once. Source: tf.io.withSaveHandlerSync. */
export function withSaveHandlerSync(save: (artifacts: ModelArtifacts) => SaveResult): IOHandlerSync {
  return { save };
}

/** A handler that gives the artifacts to a function. Source: tf.io.withSaveHandler. */
export function withSaveHandler(save: SaveHandler): IOHandler {
  return { save };
}
