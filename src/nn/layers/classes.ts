/**
 * The classes of the layers, for files: whatever their modules export under a name of its own. Functions, so that nobody has to load
 * them before a file asks (scripts/deferred.js).
 */
import * as activationLayers from './activation_layers.ts';
import * as adaptivePooling from './adaptive_pooling.ts';
import * as attention from './attention.ts';
import * as convLstm from './conv_lstm.ts';
import * as convolution from './convolution.ts';
import * as convolutionVariants from './convolution_variants.ts';
import * as core from './core.ts';
import * as dense from './dense.ts';
import * as einsumDense from './einsum_dense.ts';
import * as embedding from './embedding.ts';
import * as inputLayer from './input_layer.ts';
import * as merging from './merging.ts';
import * as multiHeadAttention from './multi_head_attention.ts';
import * as noise from './noise.ts';
import * as normalization from './normalization.ts';
import * as pooling from './pooling.ts';
import * as positionEmbedding from './position_embedding.ts';
import * as recurrent from './recurrent.ts';
import * as recurrentCells from './recurrent_cells.ts';
import * as reshaping from './reshaping.ts';
import * as reversibleEmbedding from './reversible_embedding.ts';
import * as rnn from './rnn.ts';
import * as spatial from './spatial.ts';
import * as spectralNormalization from './spectral_normalization.ts';
import * as stackedRnnCells from './stacked_rnn_cells.ts';
import * as ternaryDense from './ternary_dense.ts';
import * as wrappers from './wrappers.ts';
import { preprocessingModules } from './preprocessing/classes.ts';
import { type LayerClass, layerClassesOf } from './registry.ts';

export function layerClasses(): LayerClass[] {
  const own = [
    activationLayers,
    adaptivePooling,
    attention,
    convLstm,
    convolution,
    convolutionVariants,
    core,
    dense,
    einsumDense,
    embedding,
    inputLayer,
    merging,
    multiHeadAttention,
    noise,
    normalization,
    pooling,
    positionEmbedding,
    recurrent,
    recurrentCells,
    reshaping,
    reversibleEmbedding,
    rnn,
    spatial,
    spectralNormalization,
    stackedRnnCells,
    ternaryDense,
    wrappers,
  ];
  return layerClassesOf([...own, ...preprocessingModules()]);
}

/** Class names of Keras's that mean the same classes. */
export function layerAliases(): Record<string, LayerClass> {
  const { SeparableConv1D, SeparableConv2D } = convolutionVariants;
  return { SeparableConvolution1D: SeparableConv1D, SeparableConvolution2D: SeparableConv2D };
}
