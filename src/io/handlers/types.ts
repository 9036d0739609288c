/** What saves and loads artifacts; the same shapes as TensorFlow.js's, so that its handlers fit. */
import type { ModelArtifacts } from '../formats/layers_model.ts';

export interface ModelArtifactsInfo {
  dateSaved: Date;
  modelTopologyType: 'JSON';
  modelTopologyBytes?: number;
  weightSpecsBytes?: number;
  weightDataBytes?: number;
}

export interface SaveResult {
  modelArtifactsInfo: ModelArtifactsInfo;
  responses?: Response[];
  errors?: (object | string)[];
}

export type SaveHandler = (artifacts: ModelArtifacts) => Promise<SaveResult>;
export type LoadHandler = () => Promise<ModelArtifacts>;

export interface IOHandler {
  save?: SaveHandler;
  load?: LoadHandler;
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
