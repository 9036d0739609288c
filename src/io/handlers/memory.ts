/** Handlers without a medium: artifacts that are in memory already, and a function that takes them. */
import type { ModelArtifacts } from '../formats/layers_model.ts';
import type { WeightSpec } from '../formats/weights.ts';
import type { IOHandler, SaveHandler } from './types.ts';

/** A handler that loads these artifacts, or a topology with its weights. Source: tf.io.fromMemory. */
export function fromMemory(
  modelArtifacts: ModelArtifacts | object,
  weightSpecs?: WeightSpec[],
  weightData?: ArrayBuffer,
  trainingConfig?: object,
): IOHandler {
  const whole = weightSpecs === undefined && ('modelTopology' in modelArtifacts || 'weightSpecs' in modelArtifacts);
  const artifacts: ModelArtifacts = whole
    ? (modelArtifacts as ModelArtifacts)
    : { modelTopology: modelArtifacts, weightSpecs, weightData, trainingConfig };
  return { load: async () => artifacts };
}

/** A handler that gives the artifacts to a function. Source: tf.io.withSaveHandler. */
export function withSaveHandler(save: SaveHandler): IOHandler {
  return { save };
}
