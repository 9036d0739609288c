/** tf.serialization: makes classes of the user's own known to loadLayersModel. */
import { fail } from '../base/errors.ts';
import { type LayerClass, registerLayer } from './layers/index.ts';
import { Layer } from './layers/layer.ts';

/** Registers a layer class by its static className. */
function registerClass(layer: LayerClass): void {
  if (!(layer.prototype instanceof Layer)) {
    fail('registerClass', 'a class that extends tf.layers.Layer is needed', `got ${layer.name}`);
  }
  registerLayer(layer);
}

export const serialization = { registerClass };
