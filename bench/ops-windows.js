/** Figures of convolutions in all their kinds, pooling, normalization and resizing; see ops.js for what an entry means. */

const f = (...shape) => ({ shape });
const conv = (id, x, filter, params) => ({ id: `conv-${id}`, op: 'conv', inputs: [f(...x), f(...filter)], params });
const op = (id, name, inputs, params = {}) => ({ id, op: name, inputs, params });
const image = [64, 56, 56, 64];
const large = [32, 112, 112, 64];

/** Layers of a ResNet-50 for one image: [extent, channels in, channels out, taps, stride]. */
const resnet = [
  [224, 3, 64, 7, 2],
  [56, 64, 64, 1, 1],
  [56, 64, 64, 3, 1],
  [56, 64, 256, 1, 1],
  [56, 256, 128, 1, 1],
  [28, 128, 128, 3, 1],
  [28, 512, 256, 1, 1],
  [14, 256, 256, 3, 1],
  [14, 256, 1024, 1, 1],
  [14, 1024, 512, 1, 1],
  [7, 512, 512, 3, 1],
  [7, 512, 2048, 1, 1],
  [7, 2048, 512, 1, 1],
];

export const windows = [
  ...resnet.map(([extent, from, to, taps, stride]) =>
    conv(`resnet-${extent}-${from}-${to}-${taps}`, [1, extent, extent, from], [taps, taps, from, to], {
      strides: stride,
    }),
  ),
  conv('dilated', [8, 28, 28, 256], [3, 3, 256, 256], { strides: 1, dilations: 2 }),
  conv('grouped', [8, 28, 28, 256], [3, 3, 8, 256], { strides: 1 }),
  conv('1d', [32, 1000, 64], [5, 64, 64], { strides: 1 }),
  conv('3d', [4, 16, 32, 32, 16], [3, 3, 3, 16, 32], { strides: 1 }),
  op('depthwise', 'depthwise', [f(32, 56, 56, 128), f(3, 3, 128, 1)], { strides: 1 }),
  op('depthwise-stride2', 'depthwise', [f(32, 56, 56, 128), f(3, 3, 128, 1)], { strides: 2 }),
  op('depthwise-1', 'depthwise', [f(1, 56, 56, 128), f(3, 3, 128, 1)], { strides: 1 }),
  op('depthwise-gradient', 'depthwiseGradient', [f(32, 56, 56, 128), f(3, 3, 128, 1)], { strides: 1 }),
  op('dcgan-14', 'convTranspose', [f(64, 7, 7, 128), f(5, 5, 64, 128)], { strides: 2 }),
  op('dcgan-28', 'convTranspose', [f(64, 14, 14, 64), f(5, 5, 1, 64)], { strides: 2 }),
  op('max-pool-2', 'maxPool', [f(...image)], { size: 2, strides: 2 }),
  op('max-pool-3', 'maxPool', [f(...large)], { size: 3, strides: 2 }),
  op('avg-pool-3', 'avgPool', [f(...large)], { size: 3, strides: 2 }),
  op('max-pool-gradient', 'maxPoolGradient', [f(...image)], { size: 2, strides: 2 }),
  op('batch-norm', 'batchNorm', [f(...image), f(64), f(64)]),
  op('batch-norm-gradient', 'batchNormGradient', [f(...image), f(64), f(64)]),
  op('layer-norm', 'layerNorm', [f(8192, 768), f(768), f(768)]),
  op('group-norm', 'groupNorm', [f(...image), f(64), f(64)], { groups: 8 }),
  op('resize', 'resize', [f(8, 64, 64, 64)], { size: [128, 128] }),
  op('resize-photo', 'resize', [f(8, 448, 448, 3)], { size: [224, 224] }),
  op('resize-down', 'resize', [f(8, 112, 112, 32)], { size: [60, 60] }),
];
