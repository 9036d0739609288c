/** Makes models from Keras's JSON. */
import { fail } from '../../base/errors.ts';
import { type WeightSource, withWeightSource } from '../layers/layer_variable.ts';
import { deserializeLayer, registerLayer } from '../layers/registry.ts';
import { type Config, fromPythonic, isSerializedObject } from '../keras_config.ts';
import { Functional } from './functional.ts';
import { LayersModel } from './layers_model.ts';
import { Sequential } from './sequential.ts';

registerLayer(Sequential);
registerLayer(Functional, 'Functional');

/**
 * A model from a topology: as toJSON wrote it, TensorFlow.js, or Keras. Its weights come from `weights`, else from their
 * initializers.
 */
export function modelFromTopology(op: string, topology: unknown, weights?: WeightSource): LayersModel {
  const outer = typeof topology === 'string' ? parse(op, topology) : topology;
  if (typeof outer !== 'object' || outer === null) {
    fail(op, 'the topology must be an object', `got ${outer === null ? 'null' : typeof outer}`);
  }
  const inner = (outer as Config)['model_config'] ?? outer;
  const object = fromPythonic(typeof inner === 'string' ? parse(op, inner) : inner);
  if (!isSerializedObject(object)) fail(op, 'the topology must have a class_name', 'got none', 'is it a Keras model?');
  const model = withWeightSource(weights, () => deserializeLayer(op, object));
  if (model instanceof LayersModel) return model;
  fail(op, 'the topology must be that of a model', `got the layer ${object.className}`);
}

function parse(op: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    fail(op, 'the topology must be JSON', (error as Error).message);
  }
}

/** tf.models */
export const models = {
  modelFromJSON: async (topology: unknown): Promise<LayersModel> => modelFromTopology('modelFromJSON', topology),
};
