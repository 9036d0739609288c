/** The door between models and io/: io installs how a model is saved, so that models know nothing of files. */
import { fail } from '../../base/errors.ts';
import type { LayersModel } from './layers_model.ts';

export interface SaveConfig {
  /** Only the weights that fit changes; default false. */
  trainableOnly?: boolean;
  /** Also the optimizer's state and the arguments of compile; default false. */
  includeOptimizer?: boolean;
}

export interface ModelArtifactsInfo {
  dateSaved: Date;
  modelTopologyType: 'JSON';
  modelTopologyBytes?: number;
  weightSpecsBytes?: number;
  weightDataBytes?: number;
}

/** What came of saving: sizes and date, and over http(s) what the server said. */
export interface SaveResult {
  modelArtifactsInfo: ModelArtifactsInfo;
  responses?: Response[];
  errors?: (object | string)[];
}

/** An object that takes a model's artifacts: an IOHandler of tf.io. */
export interface SaveTarget {
  // io/ knows the artifacts' type; a method parameter is bivariant, so that its handlers fit here.
  save?(artifacts: never): Promise<unknown>;
}

export type ModelSaver = (model: LayersModel, target: string | SaveTarget, config: SaveConfig) => Promise<SaveResult>;

let saver: ModelSaver | undefined;

/** Called once by io/. */
export function installModelSaver(save: ModelSaver): void {
  saver = save;
}

export function saveModel(model: LayersModel, target: string | SaveTarget, config: SaveConfig): Promise<SaveResult> {
  if (!saver) fail('save', 'the io room must be loaded', undefined, "import 'tensorloom' as a whole");
  return saver(model, target, config);
}
