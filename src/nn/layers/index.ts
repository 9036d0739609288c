/** tf.layers: a factory for each layer, and the classes that others inherit from. */
import { layerAliases, layerClasses } from './classes.ts';
import * as factories from './factories.ts';
import { Layer } from './layer.ts';
import * as preprocessing from './preprocessing/factories.ts';
import { setBuiltInLayers } from './registry.ts';
import { RNNCell } from './rnn_cell.ts';
import { Wrapper } from './wrapper.ts';

export const layers = { ...preprocessing, ...factories, Layer, RNNCell, Wrapper };

setBuiltInLayers(layerClasses, layerAliases);

export { deserializeLayer, type LayerClass, registerLayer } from './registry.ts';
