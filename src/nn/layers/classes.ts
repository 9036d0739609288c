/** The classes of the layers of this room, for files. A function, so that nobody has to load them before a file asks (scripts/deferred.js). */
import { Activation, ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU } from './activation_layers.ts';
import {
  AdaptiveAveragePooling1D,
  AdaptiveAveragePooling2D,
  AdaptiveAveragePooling3D,
  AdaptiveMaxPooling1D,
  AdaptiveMaxPooling2D,
  AdaptiveMaxPooling3D,
} from './adaptive_pooling.ts';
import { AdditiveAttention, Attention } from './attention.ts';
import { GroupQueryAttention, MultiHeadAttention } from './multi_head_attention.ts';
import { ConvLSTM1D, ConvLSTM1DCell, ConvLSTM2D, ConvLSTM2DCell, ConvLSTM3D, ConvLSTM3DCell } from './conv_lstm.ts';
import { Conv1D, Conv2D, Conv3D } from './convolution.ts';
import {
  Conv1DTranspose,
  Conv2DTranspose,
  Conv3DTranspose,
  DepthwiseConv1D,
  DepthwiseConv2D,
  SeparableConv1D,
  SeparableConv2D,
} from './convolution_variants.ts';
import { ActivityRegularization, Identity, Lambda, Masking, Permute, RepeatVector } from './core.ts';
import { Dense } from './dense.ts';
import { EinsumDense } from './einsum_dense.ts';
import { Embedding } from './embedding.ts';
import { InputLayer } from './input_layer.ts';
import { Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract } from './merging.ts';
import {
  AlphaDropout,
  Dropout,
  GaussianDropout,
  GaussianNoise,
  SpatialDropout1D,
  SpatialDropout2D,
  SpatialDropout3D,
} from './noise.ts';
import {
  BatchNormalization,
  GroupNormalization,
  LayerNormalization,
  RMSNormalization,
  UnitNormalization,
} from './normalization.ts';
import {
  AveragePooling1D,
  AveragePooling2D,
  AveragePooling3D,
  GlobalAveragePooling1D,
  GlobalAveragePooling2D,
  GlobalAveragePooling3D,
  GlobalMaxPooling1D,
  GlobalMaxPooling2D,
  GlobalMaxPooling3D,
  MaxPooling1D,
  MaxPooling2D,
  MaxPooling3D,
} from './pooling.ts';
import { GRU, LSTM, SimpleRNN } from './recurrent.ts';
import { RNN } from './rnn.ts';
import { StackedRNNCells } from './stacked_rnn_cells.ts';
import { GRUCell, LSTMCell, SimpleRNNCell } from './recurrent_cells.ts';
import { PositionEmbedding } from './position_embedding.ts';
import { preprocessingClasses } from './preprocessing/classes.ts';
import type { LayerClass } from './registry.ts';
import { Flatten, Reshape } from './reshaping.ts';
import {
  Cropping1D,
  Cropping2D,
  Cropping3D,
  UpSampling1D,
  UpSampling2D,
  UpSampling3D,
  ZeroPadding1D,
  ZeroPadding2D,
  ZeroPadding3D,
} from './spatial.ts';
import { ReversibleEmbedding } from './reversible_embedding.ts';
import { TernaryDense } from './ternary_dense.ts';
import { SpectralNormalization } from './spectral_normalization.ts';
import { Bidirectional, TimeDistributed } from './wrappers.ts';

/** Each of them. */
export function layerClasses(): LayerClass[] {
  return [
    ...preprocessingClasses(),
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    EinsumDense,
    ReversibleEmbedding,
    TernaryDense,
    Activation,
    ELU,
    LeakyReLU,
    PReLU,
    ReLU,
    Softmax,
    ThresholdedReLU,
    Conv1D,
    Conv2D,
    Conv3D,
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
    ActivityRegularization,
    Identity,
    Lambda,
    Masking,
    Permute,
    RepeatVector,
    Dense,
    Embedding,
    PositionEmbedding,
    InputLayer,
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    AveragePooling3D,
    Flatten,
    Reshape,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
    SpectralNormalization,
    GRU,
    LSTM,
    RNN,
    SimpleRNN,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    Bidirectional,
    TimeDistributed,
    ConvLSTM1D,
    ConvLSTM2D,
    ConvLSTM3D,
    ConvLSTM1DCell,
    ConvLSTM2DCell,
    ConvLSTM3DCell,
    AdditiveAttention,
    Attention,
    GroupQueryAttention,
    MultiHeadAttention,
  ];
}

/** Class names of Keras's that mean the same classes. */
export function layerAliases(): Record<string, LayerClass> {
  return { SeparableConvolution1D: SeparableConv1D, SeparableConvolution2D: SeparableConv2D };
}
