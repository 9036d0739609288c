/** The rows of the layers' battery (src/nn/layers/battery.test.ts): a layer, shapes to call it with, and what it cannot do. */
import { mul, type Tensor } from '../src/tensor/index.ts';
import { layers } from '../src/nn/layers/index.ts';
import type { CallOptions, Layer } from '../src/nn/layers/layer.ts';

export interface LayerCase {
  readonly name: string;
  readonly make: () => Layer;
  /** Of the inputs, the batch included. */
  readonly shapes: readonly (readonly number[])[];
  /** The inputs are integers below this. */
  readonly integers?: number;
  readonly positive?: boolean;
  /** It has code in it, which no file holds. */
  readonly unsaved?: boolean;
  /** Its output is not differentiable for its input. */
  readonly noGradient?: boolean;
  /** Nor for its weights, in the sense of differences. */
  readonly noWeightGradient?: boolean;
  /** Its inputs are strings. */
  readonly strings?: boolean;
  /** It reads values in its call: not for compiled programs. */
  readonly hostOnly?: boolean;
  /** One sample's output depends on the others. */
  readonly mixesBatch?: boolean;
  /** Gradients are checked as in training. */
  readonly gradientInTraining?: boolean;
  readonly options?: CallOptions;
}

const row = (
  name: string,
  make: () => Layer,
  shapes: readonly (readonly number[])[],
  rest: Partial<LayerCase> = {},
): LayerCase => ({ name, make, shapes, ...rest });

const vectors = [[3, 5]];
const steps = [[2, 7, 3]];
const images = [[2, 6, 5, 3]];
const volumes = [[2, 4, 5, 4, 2]];
const two = [
  [2, 3, 4],
  [2, 3, 4],
];

const colours = [[2, 6, 5, 3]];
const words = { unsaved: false, strings: true } as const;

/** Augmentation layers leave images alone here; what they do in training has tests of its own. */
const preprocessing: readonly LayerCase[] = [
  row('adaptiveAveragePooling1d', () => layers.adaptiveAveragePooling1d({ outputSize: 3 }), steps),
  row('adaptiveAveragePooling2d', () => layers.adaptiveAveragePooling2d({ outputSize: [3, 2] }), images),
  row('adaptiveAveragePooling3d', () => layers.adaptiveAveragePooling3d({ outputSize: 2 }), volumes),
  row('adaptiveMaxPooling1d', () => layers.adaptiveMaxPooling1d({ outputSize: 2 }), steps),
  row('adaptiveMaxPooling2d', () => layers.adaptiveMaxPooling2d({ outputSize: [4, 2] }), images),
  row('adaptiveMaxPooling3d', () => layers.adaptiveMaxPooling3d({ outputSize: [2, 2, 3] }), volumes),
  row(
    'einsumDense',
    () => layers.einsumDense({ equation: 'abc,cd->abd', outputShape: [null, 4], biasAxes: 'd' }),
    steps,
  ),
  row(
    'einsumDense with dots',
    () => layers.einsumDense({ equation: '...X,XY->...Y', outputShape: 4, biasAxes: 'Y', activation: 'tanh' }),
    images,
  ),
  row('reversibleEmbedding', () => layers.reversibleEmbedding({ inputDim: 11, outputDim: 3 }), [[2, 7]], {
    integers: 11,
  }),
  // Its weights take three values: differences are no gradients.
  row('ternaryDense', () => layers.ternaryDense({ units: 4 }), vectors, { noWeightGradient: true }),
  row('rescaling', () => layers.rescaling({ scale: 2, offset: [1, 2, 3, 4, 5] }), vectors),
  row('normalization', () => layers.normalization({ axis: [1, -1] }), steps),
  row('normalization given', () => layers.normalization({ mean: [1, 2, 3], variance: 4, invert: true }), steps),
  row('discretization', () => layers.discretization({ binBoundaries: [-0.5, 0, 0.5], outputMode: 'oneHot' }), vectors, {
    noGradient: true,
  }),
  row('categoryEncoding', () => layers.categoryEncoding({ numTokens: 5, outputMode: 'count' }), [[2, 7]], {
    integers: 5,
  }),
  row('integerLookup', () => layers.integerLookup({ vocabulary: [4, 0, 2], numOovIndices: 2 }), [[2, 7]], {
    integers: 6,
  }),
  row('hashing', () => layers.hashing({ numBins: 3, maskValue: 'Ab', salt: 3 }), [[2]], words),
  row('hashedCrossing', () => layers.hashedCrossing({ numBins: 5, outputMode: 'oneHot' }), [[2], [2]], words),
  row('stringLookup', () => layers.stringLookup({ vocabulary: ['Ab', 'cD', 'snake_case', 'camelCase'] }), [[2]], words),
  row('textVectorization', () => layers.textVectorization({ vocabulary: ['Ab', 'cD'], ngrams: 2 }), [[2]], words),
  row('resizing', () => layers.resizing({ height: 4, width: 7 }), images),
  row(
    'resizing bicubic',
    () => layers.resizing({ height: 4, width: 3, interpolation: 'bicubic', antialias: true }),
    images,
  ),
  row('resizing to the aspect', () => layers.resizing({ height: 3, width: 6, padToAspectRatio: true }), images),
  row('centerCrop', () => layers.centerCrop({ height: 3, width: 4 }), images),
  row('centerCrop of smaller images', () => layers.centerCrop({ height: 8, width: 4 }), images),
  row('randomCrop', () => layers.randomCrop({ height: 3, width: 4, seed: 1 }), images),
  row('randomFlip', () => layers.randomFlip({ mode: 'horizontal' }), images),
  row('randomTranslation', () => layers.randomTranslation({ heightFactor: 0.2, widthFactor: [-0.1, 0.3] }), images),
  row('randomRotation', () => layers.randomRotation({ factor: 0.2, fillMode: 'constant' }), images),
  row('randomZoom', () => layers.randomZoom({ heightFactor: 0.3 }), images),
  row('randomShear', () => layers.randomShear({ xFactor: 0.3 }), images),
  row('randomPerspective', () => layers.randomPerspective({ factor: 0.5, scale: 0.3 }), images),
  row('randomElasticTransform', () => layers.randomElasticTransform(), images),
  row('randomBrightness', () => layers.randomBrightness({ factor: 0.2 }), images),
  row('randomContrast', () => layers.randomContrast({ factor: 0.2, valueRange: [0, 1] }), images),
  row('randomHue', () => layers.randomHue({ factor: 0.2 }), colours),
  row('randomSaturation', () => layers.randomSaturation({ factor: [0.2, 0.7] }), colours),
  row('randomColorDegeneration', () => layers.randomColorDegeneration({ factor: 0.2 }), colours),
  row('randomColorJitter', () => layers.randomColorJitter({ brightnessFactor: 0.2, hueFactor: 0.1 }), colours),
  row('randomGrayscale', () => layers.randomGrayscale(), colours),
  row('randomInvert', () => layers.randomInvert({ factor: 0.5 }), images),
  row('randomPosterization', () => layers.randomPosterization({ factor: [2, 4] }), images),
  row('solarization', () => layers.solarization({ thresholdFactor: 0.5 }), images),
  row('randomSharpness', () => layers.randomSharpness({ factor: 0.4 }), images),
  row('randomGaussianBlur', () => layers.randomGaussianBlur({ kernelSize: 5 }), images),
  row('randomErasing', () => layers.randomErasing(), images),
  row('mixUp', () => layers.mixUp({ alpha: 0.4 }), images),
  row('cutMix', () => layers.cutMix(), images),
  row('randAugment', () => layers.randAugment(), colours),
  row('augMix', () => layers.augMix({ numChains: 2 }), colours),
  row('autoContrast', () => layers.autoContrast({ valueRange: [0, 1] }), images),
  row('equalization', () => layers.equalization(), images),
  row(
    'contrastLimitedAdaptiveHistogramEqualization',
    () => layers.contrastLimitedAdaptiveHistogramEqualization({ tileGridSize: [2, 3], valueRange: [-1.2, 1.2] }),
    images,
    { noGradient: true },
  ),
  row('randomWidth', () => layers.randomWidth({ factor: [0, 0] }), images, { hostOnly: true }),
  row('randomHeight', () => layers.randomHeight({ factor: [0, 0], interpolation: 'nearest' }), images, {
    hostOnly: true,
  }),
  row(
    'pipeline',
    () => layers.pipeline({ layers: [layers.rescaling({ scale: 0.5 }), layers.resizing({ height: 3, width: 3 })] }),
    images,
  ),
  row('maxNumBoundingBoxes', () => layers.maxNumBoundingBoxes({ maxNumber: 5 }), [
    [2, 3, 4],
    [2, 3],
  ]),
  row('melSpectrogram', () => layers.melSpectrogram({ fftLength: 16, sequenceStride: 8, numMelBins: 5 }), [[2, 40]], {
    mixesBatch: true,
  }),
  row('stftSpectrogram', () => layers.stftSpectrogram({ frameLength: 8, frameStep: 3, mode: 'psd' }), [[2, 20, 2]]),
];

export const cases: readonly LayerCase[] = [
  row('dense', () => layers.dense({ units: 4, activation: 'tanh' }), vectors),
  row('dense over steps', () => layers.dense({ units: 4, kernelRegularizer: 'l2' }), steps),
  row('activation', () => layers.activation({ activation: 'swish' }), vectors),
  row('elu', () => layers.elu({ alpha: 0.5 }), vectors),
  row('leakyReLU', () => layers.leakyReLU({ alpha: 0.1 }), vectors),
  row('prelu', () => layers.prelu({ alphaInitializer: 'randomUniform', sharedAxes: [1] }), steps),
  row('reLU', () => layers.reLU({ maxValue: 3 }), vectors),
  row('softmax', () => layers.softmax({ axis: 1 }), steps),
  row('thresholdedReLU', () => layers.thresholdedReLU({ theta: 0.05 }), vectors),
  row('conv1d', () => layers.conv1d({ filters: 4, kernelSize: 3, strides: 2 }), steps),
  row('conv1d causal', () => layers.conv1d({ filters: 4, kernelSize: 3, padding: 'causal', dilationRate: 2 }), steps),
  row('conv2d', () => layers.conv2d({ filters: 4, kernelSize: [3, 2], padding: 'same', activation: 'tanh' }), images),
  row('conv2d in groups', () => layers.conv2d({ filters: 6, kernelSize: 2, groups: 3 }), images),
  row('conv2d channels first', () => layers.conv2d({ filters: 2, kernelSize: 3, dataFormat: 'channelsFirst' }), [
    [2, 3, 6, 5],
  ]),
  row('conv3d', () => layers.conv3d({ filters: 3, kernelSize: 2, strides: [1, 2, 1] }), volumes),
  row('conv1dTranspose', () => layers.conv1dTranspose({ filters: 2, kernelSize: 3, strides: 2 }), steps),
  row(
    'conv2dTranspose',
    () => layers.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' }),
    images,
  ),
  row(
    'conv2dTranspose channels first',
    () => layers.conv2dTranspose({ filters: 2, kernelSize: 5, strides: 2, dataFormat: 'channelsFirst' }),
    [[2, 3, 4, 5]],
  ),
  row('conv3dTranspose', () => layers.conv3dTranspose({ filters: 2, kernelSize: 2, strides: 2 }), [[1, 2, 3, 2, 2]]),
  row('depthwiseConv1d', () => layers.depthwiseConv1d({ kernelSize: 3, depthMultiplier: 2, padding: 'same' }), steps),
  row('depthwiseConv2d', () => layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, strides: 2 }), images),
  row('separableConv1d', () => layers.separableConv1d({ filters: 4, kernelSize: 3, padding: 'causal' }), steps),
  row('separableConv2d', () => layers.separableConv2d({ filters: 4, kernelSize: 3, depthMultiplier: 2 }), images),
  row('activityRegularization', () => layers.activityRegularization({ l1: 0.1 }), vectors),
  row('identity', () => layers.identity(), vectors),
  row('lambda', () => layers.lambda({ function: (x: Tensor) => mul(x, x) }), vectors, { unsaved: true }),
  row('masking', () => layers.masking({ maskValue: 0 }), steps),
  row('permute', () => layers.permute({ dims: [2, 1] }), steps),
  row('repeatVector', () => layers.repeatVector({ n: 4 }), vectors),
  row('embedding', () => layers.embedding({ inputDim: 11, outputDim: 3, maskZero: true }), [[2, 7]], { integers: 11 }),
  row('add', () => layers.add(), [
    [2, 3, 4],
    [2, 4],
    [2, 3, 4],
  ]),
  row('average', () => layers.average(), two),
  row('concatenate', () => layers.concatenate({ axis: 1 }), [
    [2, 3, 4],
    [2, 5, 4],
  ]),
  row('dot', () => layers.dot({ axes: [2, 1] }), [
    [2, 3, 4],
    [2, 4, 5],
  ]),
  row('dot normalized', () => layers.dot({ axes: 1, normalize: true }), [
    [2, 4],
    [2, 4],
  ]),
  row('maximum', () => layers.maximum(), two),
  row('minimum', () => layers.minimum(), two),
  row('multiply', () => layers.multiply(), two),
  row('subtract', () => layers.subtract(), two),
  row('alphaDropout', () => layers.alphaDropout({ rate: 0.3 }), vectors),
  row('dropout', () => layers.dropout({ rate: 0.3 }), vectors),
  row('gaussianDropout', () => layers.gaussianDropout({ rate: 0.3 }), vectors),
  row('gaussianNoise', () => layers.gaussianNoise({ stddev: 0.3 }), vectors),
  row('spatialDropout1d', () => layers.spatialDropout1d({ rate: 0.3 }), steps),
  row('spatialDropout2d', () => layers.spatialDropout2d({ rate: 0.3 }), images),
  row('spatialDropout3d', () => layers.spatialDropout3d({ rate: 0.3 }), volumes),
  row('batchNormalization', () => layers.batchNormalization(), images, { gradientInTraining: true }),
  row('batchNormalization channels first', () => layers.batchNormalization({ axis: 1, scale: false }), images),
  row('groupNormalization', () => layers.groupNormalization({ groups: 3 }), [[2, 4, 3, 6]]),
  row('layerNormalization', () => layers.layerNormalization({ axis: [2, 3] }), images),
  row('rmsNormalization', () => layers.rmsNormalization(), steps),
  row('unitNormalization', () => layers.unitNormalization(), steps),
  row('averagePooling1d', () => layers.averagePooling1d({ poolSize: 3, strides: 2, padding: 'same' }), steps),
  row('averagePooling2d', () => layers.averagePooling2d(), images),
  row('globalAveragePooling1d', () => layers.globalAveragePooling1d(), steps),
  row('globalAveragePooling2d', () => layers.globalAveragePooling2d({ keepDims: true }), images),
  row('globalAveragePooling3d', () => layers.globalAveragePooling3d(), volumes),
  row('globalMaxPooling1d', () => layers.globalMaxPooling1d(), steps),
  row('globalMaxPooling2d', () => layers.globalMaxPooling2d(), images),
  row('globalMaxPooling3d', () => layers.globalMaxPooling3d(), volumes),
  row('maxPooling1d', () => layers.maxPooling1d({ poolSize: 2 }), steps),
  row('maxPooling2d', () => layers.maxPooling2d({ poolSize: [3, 2], strides: 1 }), images),
  row('maxPooling3d', () => layers.maxPooling3d(), volumes),
  row('averagePooling3d', () => layers.averagePooling3d({ poolSize: [2, 3, 2], strides: 1, padding: 'same' }), volumes),
  row('flatten', () => layers.flatten(), images),
  row('reshape', () => layers.reshape({ targetShape: [3, -1] }), images),
  row('cropping1D', () => layers.cropping1D({ cropping: [1, 2] }), steps),
  row(
    'cropping2D',
    () =>
      layers.cropping2D({
        cropping: [
          [1, 0],
          [2, 1],
        ],
      }),
    images,
  ),
  row('cropping3D', () => layers.cropping3D({ cropping: 1 }), volumes),
  row('upSampling1d', () => layers.upSampling1d({ size: 3 }), steps),
  row('upSampling2d', () => layers.upSampling2d({ size: [2, 3] }), images),
  row('upSampling2d bilinear', () => layers.upSampling2d({ size: 2, interpolation: 'bilinear' }), images),
  row('upSampling3d', () => layers.upSampling3d({ size: 2 }), volumes),
  row('zeroPadding1d', () => layers.zeroPadding1d({ padding: [2, 0] }), steps),
  row('zeroPadding2d', () => layers.zeroPadding2d({ padding: [1, 2] }), images),
  row('zeroPadding3d', () => layers.zeroPadding3d(), volumes),
  row('simpleRNN', () => layers.simpleRNN({ units: 4 }), steps),
  row('lstm', () => layers.lstm({ units: 4, recurrentActivation: 'sigmoid' }), steps),
  row('lstm sequences', () => layers.lstm({ units: 4, returnSequences: true, goBackwards: true }), steps),
  row('lstm states', () => layers.lstm({ units: 4, returnState: true }), steps),
  row('gru', () => layers.gru({ units: 4, recurrentActivation: 'sigmoid' }), steps),
  row('gru reset after', () => layers.gru({ units: 4, resetAfter: true, returnSequences: true }), steps),
  row('rnn of cells', () => layers.rnn({ cell: [layers.lstmCell({ units: 3 }), layers.gruCell({ units: 4 })] }), steps),
  row('simpleRNNCell', () => layers.simpleRNNCell({ units: 4 }), [
    [2, 3],
    [2, 4],
  ]),
  row('lstmCell', () => layers.lstmCell({ units: 4 }), [
    [2, 3],
    [2, 4],
    [2, 4],
  ]),
  row('gruCell', () => layers.gruCell({ units: 4 }), [
    [2, 3],
    [2, 4],
  ]),
  row(
    'stackedRNNCells',
    () => layers.stackedRNNCells({ cells: [layers.gruCell({ units: 3 }), layers.gruCell({ units: 4 })] }),
    [
      [2, 5],
      [2, 4],
      [2, 3],
    ],
  ),
  row('bidirectional', () => layers.bidirectional({ layer: layers.gru({ units: 4 }), mergeMode: 'sum' }), steps),
  row(
    'bidirectional sequences',
    () => layers.bidirectional({ layer: layers.lstm({ units: 3, returnSequences: true }) }),
    steps,
  ),
  row('timeDistributed', () => layers.timeDistributed({ layer: layers.dense({ units: 4 }) }), [[2, 3, 2, 5]]),
  row('convLstm1d', () => layers.convLstm1d({ filters: 3, kernelSize: 2, padding: 'same' }), [[1, 4, 5, 2]]),
  row('convLstm2d', () => layers.convLstm2d({ filters: 3, kernelSize: 2, returnSequences: true }), [[1, 3, 4, 4, 2]]),
  row('convLstm3d', () => layers.convLstm3d({ filters: 2, kernelSize: 2, padding: 'same' }), [[1, 2, 3, 3, 2, 2]]),
  row('convLstm1dCell', () => layers.convLstm1dCell({ filters: 3, kernelSize: 3, padding: 'same' }), [
    [1, 5, 2],
    [1, 5, 3],
    [1, 5, 3],
  ]),
  row('convLstm2dCell', () => layers.convLstm2dCell({ filters: 2, kernelSize: 3, padding: 'same' }), [
    [1, 4, 4, 2],
    [1, 4, 4, 2],
    [1, 4, 4, 2],
  ]),
  row('convLstm3dCell', () => layers.convLstm3dCell({ filters: 2, kernelSize: 3, padding: 'same' }), [
    [1, 2, 3, 3, 2],
    [1, 2, 3, 3, 2],
    [1, 2, 3, 3, 2],
  ]),
  row('attention', () => layers.attention({ useScale: true }), [
    [2, 3, 4],
    [2, 5, 4],
  ]),
  row('attention of sums', () => layers.attention({ scoreMode: 'concat' }), [
    [2, 3, 4],
    [2, 5, 6],
    [2, 5, 4],
  ]),
  row('additiveAttention', () => layers.additiveAttention(), [
    [2, 3, 4],
    [2, 5, 4],
  ]),
  row('multiHeadAttention', () => layers.multiHeadAttention({ numHeads: 2, keyDim: 3, valueDim: 2 }), [
    [2, 3, 4],
    [2, 5, 6],
  ]),
  row('groupQueryAttention', () => layers.groupQueryAttention({ headDim: 3, numQueryHeads: 4, numKeyValueHeads: 2 }), [
    [2, 3, 4],
    [2, 5, 4],
  ]),
  row('positionEmbedding', () => layers.positionEmbedding({ sequenceLength: 9 }), steps, { noGradient: true }),
  row('spectralNormalization', () => layers.spectralNormalization({ layer: layers.dense({ units: 4 }) }), vectors),
  ...preprocessing,
];
