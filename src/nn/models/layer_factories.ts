/** tf.layers: the factories of all layers, and tf.input, which begins a graph of them. */
import { layers as factories } from '../layers/index.ts';
import { RNN } from '../layers/rnn.ts';
import { input } from './functional.ts';

export const layers = { ...factories, RNN, input };
