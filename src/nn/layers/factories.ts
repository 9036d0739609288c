/** The factories of tf.layers: functions only, so that the built package loads the classes when a layer is first made (scripts/deferred.js). */
import {
  Activation,
  type ActivationLayerArgs,
  ELU,
  type ELUArgs,
  LeakyReLU,
  type LeakyReLUArgs,
  PReLU,
  type PReLUArgs,
  ReLU,
  type ReLUArgs,
  Softmax,
  type SoftmaxArgs,
  ThresholdedReLU,
  type ThresholdedReLUArgs,
} from './activation_layers.ts';
import {
  AdaptiveAveragePooling1D,
  AdaptiveAveragePooling2D,
  AdaptiveAveragePooling3D,
  AdaptiveMaxPooling1D,
  AdaptiveMaxPooling2D,
  AdaptiveMaxPooling3D,
  type AdaptivePoolingArgs,
} from './adaptive_pooling.ts';
import { AdditiveAttention, type AdditiveAttentionArgs, Attention, type AttentionArgs } from './attention.ts';
import {
  GroupQueryAttention,
  type GroupQueryAttentionArgs,
  MultiHeadAttention,
  type MultiHeadAttentionArgs,
} from './multi_head_attention.ts';
import {
  ConvLSTM1D,
  ConvLSTM1DCell,
  ConvLSTM2D,
  ConvLSTM2DCell,
  ConvLSTM3D,
  ConvLSTM3DCell,
  type ConvLSTMArgs,
  type ConvLSTMCellArgs,
} from './conv_lstm.ts';
import { Conv1D, Conv2D, Conv3D, type ConvArgs } from './convolution.ts';
import {
  Conv1DTranspose,
  Conv2DTranspose,
  Conv3DTranspose,
  DepthwiseConv1D,
  DepthwiseConv2D,
  type DepthwiseConvArgs,
  SeparableConv1D,
  SeparableConv2D,
  type SeparableConvArgs,
} from './convolution_variants.ts';
import {
  ActivityRegularization,
  type ActivityRegularizationArgs,
  Identity,
  Lambda,
  type LambdaArgs,
  Masking,
  type MaskingArgs,
  Permute,
  type PermuteArgs,
  RepeatVector,
  type RepeatVectorArgs,
} from './core.ts';
import { Dense, type DenseArgs } from './dense.ts';
import { EinsumDense, type EinsumDenseArgs } from './einsum_dense.ts';
import { Embedding, type EmbeddingArgs } from './embedding.ts';
import { InputLayer, type InputLayerArgs } from './input_layer.ts';
import type { LayerArgs } from './layer.ts';
import {
  Add,
  Average,
  Concatenate,
  type ConcatenateArgs,
  Dot,
  type DotArgs,
  Maximum,
  Minimum,
  Multiply,
  Subtract,
} from './merging.ts';
import {
  AlphaDropout,
  type AlphaDropoutArgs,
  Dropout,
  type DropoutArgs,
  GaussianDropout,
  GaussianNoise,
  type GaussianNoiseArgs,
  type RateArgs,
  SpatialDropout1D,
  SpatialDropout2D,
  SpatialDropout3D,
  type SpatialDropoutArgs,
} from './noise.ts';
import {
  BatchNormalization,
  type BatchNormalizationArgs,
  GroupNormalization,
  type GroupNormalizationArgs,
  LayerNormalization,
  type LayerNormalizationArgs,
  RMSNormalization,
  type RMSNormalizationArgs,
  UnitNormalization,
  type UnitNormalizationArgs,
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
  type GlobalPoolingArgs,
  MaxPooling1D,
  MaxPooling2D,
  MaxPooling3D,
  type PoolingArgs,
} from './pooling.ts';
import { GRU, type GRUArgs, LSTM, type LSTMArgs, SimpleRNN, type SimpleRNNArgs } from './recurrent.ts';
import {
  GRUCell,
  type GRUCellArgs,
  LSTMCell,
  type LSTMCellArgs,
  SimpleRNNCell,
  type SimpleRNNCellArgs,
} from './recurrent_cells.ts';
import { RNN, type RNNArgs } from './rnn.ts';
import { StackedRNNCells, type StackedRNNCellsArgs } from './stacked_rnn_cells.ts';
import { PositionEmbedding, type PositionEmbeddingArgs } from './position_embedding.ts';
import { Flatten, type FlattenArgs, Reshape, type ReshapeArgs } from './reshaping.ts';
import {
  Cropping1D,
  Cropping2D,
  Cropping3D,
  type CroppingArgs,
  UpSampling1D,
  UpSampling2D,
  type UpSampling2DArgs,
  UpSampling3D,
  type UpSamplingArgs,
  ZeroPadding1D,
  ZeroPadding2D,
  ZeroPadding3D,
  type ZeroPaddingArgs,
} from './spatial.ts';
import { ReversibleEmbedding, type ReversibleEmbeddingArgs } from './reversible_embedding.ts';
import { TernaryDense } from './ternary_dense.ts';
import { SpectralNormalization, type SpectralNormalizationArgs } from './spectral_normalization.ts';
import { Bidirectional, type BidirectionalArgs, TimeDistributed, type TimeDistributedArgs } from './wrappers.ts';

export function adaptiveAveragePooling1d(args: AdaptivePoolingArgs): AdaptiveAveragePooling1D {
  return new AdaptiveAveragePooling1D(args);
}

export function adaptiveAveragePooling2d(args: AdaptivePoolingArgs): AdaptiveAveragePooling2D {
  return new AdaptiveAveragePooling2D(args);
}

export function adaptiveAveragePooling3d(args: AdaptivePoolingArgs): AdaptiveAveragePooling3D {
  return new AdaptiveAveragePooling3D(args);
}

export function adaptiveMaxPooling1d(args: AdaptivePoolingArgs): AdaptiveMaxPooling1D {
  return new AdaptiveMaxPooling1D(args);
}

export function adaptiveMaxPooling2d(args: AdaptivePoolingArgs): AdaptiveMaxPooling2D {
  return new AdaptiveMaxPooling2D(args);
}

export function adaptiveMaxPooling3d(args: AdaptivePoolingArgs): AdaptiveMaxPooling3D {
  return new AdaptiveMaxPooling3D(args);
}

export function activation(args: ActivationLayerArgs): Activation {
  return new Activation(args);
}

export function activityRegularization(args?: ActivityRegularizationArgs): ActivityRegularization {
  return new ActivityRegularization(args);
}

export function add(args?: LayerArgs): Add {
  return new Add(args);
}

export function additiveAttention(args?: AdditiveAttentionArgs): AdditiveAttention {
  return new AdditiveAttention(args);
}

export function alphaDropout(args: AlphaDropoutArgs): AlphaDropout {
  return new AlphaDropout(args);
}

export function attention(args?: AttentionArgs): Attention {
  return new Attention(args);
}

export function average(args?: LayerArgs): Average {
  return new Average(args);
}

export function averagePooling1d(args?: PoolingArgs): AveragePooling1D {
  return new AveragePooling1D(args);
}

export function averagePooling2d(args?: PoolingArgs): AveragePooling2D {
  return new AveragePooling2D(args);
}

export function averagePooling3d(args?: PoolingArgs): AveragePooling3D {
  return new AveragePooling3D(args);
}

export function avgPool1d(args?: PoolingArgs): AveragePooling1D {
  return new AveragePooling1D(args);
}

export function avgPool2d(args?: PoolingArgs): AveragePooling2D {
  return new AveragePooling2D(args);
}

export function avgPool3d(args?: PoolingArgs): AveragePooling3D {
  return new AveragePooling3D(args);
}

export function avgPooling1d(args?: PoolingArgs): AveragePooling1D {
  return new AveragePooling1D(args);
}

export function avgPooling2d(args?: PoolingArgs): AveragePooling2D {
  return new AveragePooling2D(args);
}

export function avgPooling3d(args?: PoolingArgs): AveragePooling3D {
  return new AveragePooling3D(args);
}

export function batchNormalization(args?: BatchNormalizationArgs): BatchNormalization {
  return new BatchNormalization(args);
}

export function bidirectional(args: BidirectionalArgs): Bidirectional {
  return new Bidirectional(args);
}

export function concatenate(args?: ConcatenateArgs): Concatenate {
  return new Concatenate(args);
}

export function conv1d(args: ConvArgs): Conv1D {
  return new Conv1D(args);
}

export function conv1dTranspose(args: ConvArgs): Conv1DTranspose {
  return new Conv1DTranspose(args);
}

export function conv2d(args: ConvArgs): Conv2D {
  return new Conv2D(args);
}

export function conv2dTranspose(args: ConvArgs): Conv2DTranspose {
  return new Conv2DTranspose(args);
}

export function conv3d(args: ConvArgs): Conv3D {
  return new Conv3D(args);
}

export function conv3dTranspose(args: ConvArgs): Conv3DTranspose {
  return new Conv3DTranspose(args);
}

export function convLstm1d(args: ConvLSTMArgs): ConvLSTM1D {
  return new ConvLSTM1D(args);
}

export function convLstm1dCell(args: ConvLSTMCellArgs): ConvLSTM1DCell {
  return new ConvLSTM1DCell(args);
}

export function convLstm2d(args: ConvLSTMArgs): ConvLSTM2D {
  return new ConvLSTM2D(args);
}

export function convLstm2dCell(args: ConvLSTMCellArgs): ConvLSTM2DCell {
  return new ConvLSTM2DCell(args);
}

export function convLstm3d(args: ConvLSTMArgs): ConvLSTM3D {
  return new ConvLSTM3D(args);
}

export function convLstm3dCell(args: ConvLSTMCellArgs): ConvLSTM3DCell {
  return new ConvLSTM3DCell(args);
}

export function cropping1D(args?: CroppingArgs): Cropping1D {
  return new Cropping1D(args);
}

export function cropping2D(args?: CroppingArgs): Cropping2D {
  return new Cropping2D(args);
}

export function cropping3D(args?: CroppingArgs): Cropping3D {
  return new Cropping3D(args);
}

export function dense(args: DenseArgs): Dense {
  return new Dense(args);
}

export function depthwiseConv1d(args: DepthwiseConvArgs): DepthwiseConv1D {
  return new DepthwiseConv1D(args);
}

export function depthwiseConv2d(args: DepthwiseConvArgs): DepthwiseConv2D {
  return new DepthwiseConv2D(args);
}

export function dot(args: DotArgs): Dot {
  return new Dot(args);
}

export function dropout(args: DropoutArgs): Dropout {
  return new Dropout(args);
}

export function einsumDense(args: EinsumDenseArgs): EinsumDense {
  return new EinsumDense(args);
}

export function elu(args?: ELUArgs): ELU {
  return new ELU(args);
}

export function embedding(args: EmbeddingArgs): Embedding {
  return new Embedding(args);
}

export function flatten(args?: FlattenArgs): Flatten {
  return new Flatten(args);
}

export function gaussianDropout(args: RateArgs): GaussianDropout {
  return new GaussianDropout(args);
}

export function gaussianNoise(args: GaussianNoiseArgs): GaussianNoise {
  return new GaussianNoise(args);
}

export function globalAveragePooling1d(args?: GlobalPoolingArgs): GlobalAveragePooling1D {
  return new GlobalAveragePooling1D(args);
}

export function globalAveragePooling2d(args?: GlobalPoolingArgs): GlobalAveragePooling2D {
  return new GlobalAveragePooling2D(args);
}

export function globalAveragePooling3d(args?: GlobalPoolingArgs): GlobalAveragePooling3D {
  return new GlobalAveragePooling3D(args);
}

export function globalMaxPool1d(args?: GlobalPoolingArgs): GlobalMaxPooling1D {
  return new GlobalMaxPooling1D(args);
}

export function globalMaxPool2d(args?: GlobalPoolingArgs): GlobalMaxPooling2D {
  return new GlobalMaxPooling2D(args);
}

export function globalMaxPooling1d(args?: GlobalPoolingArgs): GlobalMaxPooling1D {
  return new GlobalMaxPooling1D(args);
}

export function globalMaxPooling2d(args?: GlobalPoolingArgs): GlobalMaxPooling2D {
  return new GlobalMaxPooling2D(args);
}

export function globalMaxPooling3d(args?: GlobalPoolingArgs): GlobalMaxPooling3D {
  return new GlobalMaxPooling3D(args);
}

export function groupNormalization(args?: GroupNormalizationArgs): GroupNormalization {
  return new GroupNormalization(args);
}

export function groupQueryAttention(args: GroupQueryAttentionArgs): GroupQueryAttention {
  return new GroupQueryAttention(args);
}

export function gru(args: GRUArgs): GRU {
  return new GRU(args);
}

export function gruCell(args: GRUCellArgs): GRUCell {
  return new GRUCell(args);
}

export function identity(args?: LayerArgs): Identity {
  return new Identity(args);
}

export function inputLayer(args: InputLayerArgs): InputLayer {
  return new InputLayer(args);
}

export function lambda(args: LambdaArgs): Lambda {
  return new Lambda(args);
}

export function layerNormalization(args?: LayerNormalizationArgs): LayerNormalization {
  return new LayerNormalization(args);
}

export function leakyReLU(args?: LeakyReLUArgs): LeakyReLU {
  return new LeakyReLU(args);
}

export function lstm(args: LSTMArgs): LSTM {
  return new LSTM(args);
}

export function lstmCell(args: LSTMCellArgs): LSTMCell {
  return new LSTMCell(args);
}

export function masking(args?: MaskingArgs): Masking {
  return new Masking(args);
}

export function maximum(args?: LayerArgs): Maximum {
  return new Maximum(args);
}

export function maxPool1d(args?: PoolingArgs): MaxPooling1D {
  return new MaxPooling1D(args);
}

export function maxPool2d(args?: PoolingArgs): MaxPooling2D {
  return new MaxPooling2D(args);
}

export function maxPool3d(args?: PoolingArgs): MaxPooling3D {
  return new MaxPooling3D(args);
}

export function maxPooling1d(args?: PoolingArgs): MaxPooling1D {
  return new MaxPooling1D(args);
}

export function maxPooling2d(args?: PoolingArgs): MaxPooling2D {
  return new MaxPooling2D(args);
}

export function maxPooling3d(args?: PoolingArgs): MaxPooling3D {
  return new MaxPooling3D(args);
}

export function minimum(args?: LayerArgs): Minimum {
  return new Minimum(args);
}

export function multiHeadAttention(args: MultiHeadAttentionArgs): MultiHeadAttention {
  return new MultiHeadAttention(args);
}

export function multiply(args?: LayerArgs): Multiply {
  return new Multiply(args);
}

export function permute(args: PermuteArgs): Permute {
  return new Permute(args);
}

export function positionEmbedding(args: PositionEmbeddingArgs): PositionEmbedding {
  return new PositionEmbedding(args);
}

export function prelu(args?: PReLUArgs): PReLU {
  return new PReLU(args);
}

export function reLU(args?: ReLUArgs): ReLU {
  return new ReLU(args);
}

export function repeatVector(args: RepeatVectorArgs): RepeatVector {
  return new RepeatVector(args);
}

export function reshape(args: ReshapeArgs): Reshape {
  return new Reshape(args);
}

export function reversibleEmbedding(args: ReversibleEmbeddingArgs): ReversibleEmbedding {
  return new ReversibleEmbedding(args);
}

export function rmsNormalization(args?: RMSNormalizationArgs): RMSNormalization {
  return new RMSNormalization(args);
}

export function rnn(args: RNNArgs): RNN {
  return new RNN(args);
}

export function separableConv1d(args: SeparableConvArgs): SeparableConv1D {
  return new SeparableConv1D(args);
}

export function separableConv2d(args: SeparableConvArgs): SeparableConv2D {
  return new SeparableConv2D(args);
}

export function simpleRNN(args: SimpleRNNArgs): SimpleRNN {
  return new SimpleRNN(args);
}

export function simpleRNNCell(args: SimpleRNNCellArgs): SimpleRNNCell {
  return new SimpleRNNCell(args);
}

export function softmax(args?: SoftmaxArgs): Softmax {
  return new Softmax(args);
}

export function spatialDropout1d(args: SpatialDropoutArgs): SpatialDropout1D {
  return new SpatialDropout1D(args);
}

export function spatialDropout2d(args: SpatialDropoutArgs): SpatialDropout2D {
  return new SpatialDropout2D(args);
}

export function spatialDropout3d(args: SpatialDropoutArgs): SpatialDropout3D {
  return new SpatialDropout3D(args);
}

export function spectralNormalization(args: SpectralNormalizationArgs): SpectralNormalization {
  return new SpectralNormalization(args);
}

export function stackedRNNCells(args: StackedRNNCellsArgs): StackedRNNCells {
  return new StackedRNNCells(args);
}

export function subtract(args?: LayerArgs): Subtract {
  return new Subtract(args);
}

export function ternaryDense(args: DenseArgs): TernaryDense {
  return new TernaryDense(args);
}

export function thresholdedReLU(args?: ThresholdedReLUArgs): ThresholdedReLU {
  return new ThresholdedReLU(args);
}

export function timeDistributed(args: TimeDistributedArgs): TimeDistributed {
  return new TimeDistributed(args);
}

export function unitNormalization(args?: UnitNormalizationArgs): UnitNormalization {
  return new UnitNormalization(args);
}

export function upSampling1d(args?: UpSamplingArgs): UpSampling1D {
  return new UpSampling1D(args);
}

export function upSampling2d(args?: UpSampling2DArgs): UpSampling2D {
  return new UpSampling2D(args);
}

export function upSampling3d(args?: UpSamplingArgs): UpSampling3D {
  return new UpSampling3D(args);
}

export function zeroPadding1d(args?: ZeroPaddingArgs): ZeroPadding1D {
  return new ZeroPadding1D(args);
}

export function zeroPadding2d(args?: ZeroPaddingArgs): ZeroPadding2D {
  return new ZeroPadding2D(args);
}

export function zeroPadding3d(args?: ZeroPaddingArgs): ZeroPadding3D {
  return new ZeroPadding3D(args);
}
