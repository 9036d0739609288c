/** What saves and loads artifacts; the same shapes as TensorFlow.js's, so that its handlers fit. */
import type { ModelArtifactsInfo, SaveResult } from '../../nn/index.ts';
import type { ModelArtifacts } from '../formats/layers_model.ts';

export type { ModelArtifactsInfo, SaveResult };

export type SaveHandler = (artifacts: ModelArtifacts) => Promise<SaveResult>;
export type LoadHandler = () => Promise<ModelArtifacts>;

export interface IOHandler {
  save?: SaveHandler;
  load?: LoadHandler;
}

/** A kind of place that holds models by name. */
export interface ModelStore {
  /** Whether the engine has it. */
  readonly available: () => boolean;
  readonly handler: (name: string) => IOHandler;
  /** The models there; absent where a place cannot be searched. */
  readonly list?: () => Promise<{ [name: string]: ModelArtifactsInfo }>;
  /** Gives what was known of the model, or null where there is none. */
  readonly remove: (name: string) => Promise<ModelArtifactsInfo | null>;
}

/** Sizes of the parts of a model, as handlers report them. */
export function getModelArtifactsInfoForJSON(artifacts: ModelArtifacts): ModelArtifactsInfo {
  const { modelTopology, weightSpecs, weightData } = artifacts;
  if (modelTopology instanceof ArrayBuffer) throw new TypeError('expected the topology as JSON, not as bytes');
  const lengthOf = (value: unknown) =>
    value === undefined ? 0 : new TextEncoder().encode(JSON.stringify(value)).length;
  const parts = weightData === undefined ? [] : Array.isArray(weightData) ? weightData : [weightData];
  return {
    dateSaved: new Date(),
    modelTopologyType: 'JSON',
    modelTopologyBytes: lengthOf(modelTopology),
    weightSpecsBytes: lengthOf(weightSpecs),
    weightDataBytes: parts.reduce((total, part) => total + part.byteLength, 0),
  };
}
