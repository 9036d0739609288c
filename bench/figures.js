/**
 * What the bench measures. A figure is one line of the report: a task, the work in it, ours and the peers that can do it,
 * and what issue 2 asks of it.
 */

import { opFigures } from './ops.js';

/** The CNN of the main job: multiply-adds of one image forward, times two. */
const cnnForwardFlops = 2 * (26 * 26 * 32 * 9 + 11 * 11 * 64 * 9 * 32 + 3 * 3 * 64 * 9 * 64 + 576 * 64 + 64 * 10);
/** Training is the forward pass, the filter gradients and the input gradients of all but the first layer. */
const cnnTrainingFlops = 3 * cnnForwardFlops - 2 * 26 * 26 * 32 * 9;

/** The multiply-adds of one image of 224 x 224 through ResNet-50, strides in the first convolution of a stage; times two. */
const resnet50Flops = 2 * resnet50Multiplies();

const batch = 64;
const trainSteps = 16;
const chainLength = 2 ** 24;

/** @typedef {{ peer: string, label?: string, request?: object, once?: boolean, images?: number }} Entry */

export const figures = [
  ...[256, 512, 1024, 2048, 511, 513, 1000, 1023].map((n) => ({
    id: `gemm-${n}`,
    title: `GEMM ${n}`,
    request: { task: 'gemm', n },
    flops: 2 * n ** 3,
    unit: 'GFLOP/s',
    amount: (2 * n ** 3) / 1e9,
    entries: [{ peer: 'x64' }, { peer: 'pytorch' }, { peer: 'onnxruntime' }],
    goal: n >= 512 && n % 256 === 0 ? { peak: 0.85, versus: { pytorch: 1.15 } } : { neighbour: neighbourOf(n) },
    quick: n === 512 || n === 511,
  })),
  ...[512, 511, 1024].map((n) => ({
    id: `gemm-wasm-${n}`,
    title: `GEMM ${n}, wasm`,
    request: { task: 'gemm', n },
    flops: 2 * n ** 3,
    unit: 'GFLOP/s',
    amount: (2 * n ** 3) / 1e9,
    entries: [{ peer: 'wasm' }, { peer: 'tfjs-wasm' }, { peer: 'tfjs-wasm-threads' }, { peer: 'jax-js' }],
    goal: n === 1024 ? { versus: { 'tfjs-wasm': 1, 'tfjs-wasm-threads': 1 } } : {},
    quick: n === 512,
  })),
  {
    id: 'cnn-train',
    title: 'CNN training, batch 64',
    request: { task: 'cnn-train', batch, steps: trainSteps },
    flops: cnnTrainingFlops * batch * trainSteps,
    unit: 'images/s',
    amount: batch * trainSteps,
    entries: [
      { peer: 'x64' },
      { peer: 'pytorch' },
      { peer: 'pytorch', label: 'pytorch-nhwc', request: { layout: 'nhwc' } },
      { peer: 'tfjs-cpu', request: { batch: 2, steps: 1 }, once: true, amount: 2 },
    ],
    goal: { peak: 0.4, versus: { pytorch: 3 } },
    quick: true,
  },
  {
    id: 'cnn-train-wasm',
    title: 'CNN training, wasm',
    request: { task: 'cnn-train', batch, steps: trainSteps },
    flops: cnnTrainingFlops * batch * trainSteps,
    unit: 'images/s',
    amount: batch * trainSteps,
    entries: [{ peer: 'wasm' }],
    goal: { atLeast: 400 },
    quick: true,
  },
  // Against the same compiled step on batches that lie ready.
  ...['x64', 'wasm'].map((backend) => ({
    id: backend === 'x64' ? 'fit-overhead' : 'fit-overhead-wasm',
    title: `fit over its bare step${backend === 'x64' ? '' : ', wasm'}`,
    request: { task: 'fit-overhead', batch, steps: backend === 'x64' ? 2 * trainSteps : trainSteps / 2 },
    unit: '%',
    entries: [{ peer: backend }],
    goal: { atMost: 5 },
    fixedReps: 3,
  })),
  {
    id: 'cnn-infer',
    title: 'CNN inference, batch 64',
    request: { task: 'cnn-infer', batch },
    flops: cnnForwardFlops * batch,
    unit: 'images/s',
    amount: batch,
    entries: [
      { peer: 'x64' },
      { peer: 'onnxruntime' },
      { peer: 'pytorch' },
      { peer: 'pytorch', label: 'pytorch-nhwc', request: { layout: 'nhwc' } },
    ],
    goal: { versus: { onnxruntime: 1 } },
    quick: true,
  },
  {
    id: 'cnn-infer-wasm',
    title: 'CNN inference, wasm',
    request: { task: 'cnn-infer', batch },
    flops: cnnForwardFlops * batch,
    unit: 'images/s',
    amount: batch,
    entries: [{ peer: 'wasm' }, { peer: 'tfjs-wasm' }, { peer: 'tfjs-wasm-threads' }],
    goal: {},
    quick: true,
  },
  ...['lstm', 'gru'].map((kind) => ({
    id: `${kind}-train`,
    title: `${kind.toUpperCase()} training, 100 steps`,
    request: { task: 'rnn-train', kind },
    unit: 'tokens/s',
    amount: 6400,
    entries: [{ peer: 'x64' }, { peer: 'pytorch' }, { peer: 'wasm' }],
    goal: { versus: { pytorch: 3 } },
  })),
  {
    id: 'gpt-train',
    title: 'GPT training, 4 layers',
    request: { task: 'gpt-train' },
    unit: 'tokens/s',
    amount: 768,
    entries: [{ peer: 'x64' }, { peer: 'pytorch' }, { peer: 'wasm' }],
    goal: { versus: { pytorch: 4 } },
  },
  {
    id: 'dcgan-train',
    title: 'DCGAN training, batch 64',
    request: { task: 'dcgan-train', batch },
    unit: 'images/s',
    amount: batch,
    entries: [
      { peer: 'x64' },
      { peer: 'pytorch' },
      { peer: 'pytorch', label: 'pytorch-nhwc', request: { layout: 'nhwc' } },
      { peer: 'wasm' },
    ],
    goal: { versus: { pytorch: 4 } },
  },
  {
    id: 'resnet50-infer',
    title: 'ResNet50 inference, batch 1',
    request: { task: 'resnet50-infer', batch: 1 },
    flops: resnet50Flops,
    unit: 'images/s',
    amount: 1,
    entries: [
      { peer: 'x64' },
      { peer: 'onnxruntime' },
      { peer: 'pytorch' },
      { peer: 'pytorch', label: 'pytorch-nhwc', request: { layout: 'nhwc' } },
    ],
    goal: { versus: { onnxruntime: 1 } },
  },
  ...['x64', 'wasm'].map((backend) => ({
    id: backend === 'x64' ? 'chain' : 'chain-wasm',
    title: `relu(2x+1), 16M floats${backend === 'x64' ? '' : ', wasm'}`,
    request: { task: 'chain', n: chainLength },
    bytes: 2 * 4 * chainLength,
    unit: 'GB/s',
    amount: (2 * 4 * chainLength) / 1e9,
    entries:
      backend === 'x64'
        ? [{ peer: 'x64' }, { peer: 'pytorch' }]
        : [{ peer: 'wasm' }, { peer: 'tfjs-wasm' }, { peer: 'jax-js' }],
    goal: backend === 'x64' ? { peak: 0.8 } : {},
    quick: backend === 'x64',
  })),
  {
    id: 'import',
    title: 'import',
    request: { task: 'import-time' },
    unit: 'ms',
    entries: [{ peer: 'x64' }],
    goal: { atMost: 100 },
    fixedReps: 5,
    quick: true,
  },
  ...['x64', 'wasm'].map((backend) => ({
    id: backend === 'x64' ? 'compile' : 'compile-wasm',
    title: `training step compiled${backend === 'x64' ? '' : ', wasm'}`,
    request: { task: 'compile-time' },
    unit: 'ms',
    entries: [{ peer: backend }],
    goal: { atMost: 1500 },
    fixedReps: 3,
    quick: backend === 'x64',
  })),
  ...opFigures,
];

function resnet50Multiplies() {
  let total = 112 * 112 * 64 * 49 * 3 + 2048 * 1000;
  let channels = 64;
  for (const [stage, depth] of [3, 4, 6, 3].entries()) {
    const [narrow, places] = [64 * 2 ** stage, (56 / 2 ** stage) ** 2];
    for (let i = 0; i < depth; i++) {
      const projection = i === 0 ? channels * 4 * narrow : 0;
      total += places * (channels * narrow + 9 * narrow * narrow + narrow * 4 * narrow + projection);
      channels = 4 * narrow;
    }
  }
  return total;
}

/** The size that an odd one is compared with: it should reach 90 % of it. */
function neighbourOf(n) {
  const round = { 511: 512, 513: 512, 1000: 1024, 1023: 1024 }[n];
  return round && { id: `gemm-${round}`, share: 0.9 };
}

/** How each peer is started: a program and its arguments, or candidates of which the first that works is taken. */
export const peers = {
  x64: { script: 'tensorloom.js', args: ['x64'], ours: true },
  wasm: { script: 'tensorloom.js', args: ['wasm'], ours: true },
  pytorch: { python: 'pytorch.py' },
  onnxruntime: { script: 'onnxruntime.js' },
  'tfjs-wasm': { script: 'tfjs.js', args: ['wasm'] },
  'tfjs-wasm-threads': { script: 'tfjs.js', args: ['wasm-threads'] },
  'tfjs-cpu': { script: 'tfjs.js', args: ['cpu'] },
  'jax-js': { script: 'jax-js.js' },
};
