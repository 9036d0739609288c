/** Networks of attention: the Transformer of Vaswani et al., and ViT. */
import { fail } from '../base/errors.ts';
import { type Functional, initializers, input, layers, model } from '../nn/index.ts';
import { type ClassifierArgs, checkCount, checkNames, checkRate, classifierOf } from './arguments.ts';
import { add, conv, image, type SymbolicTensor } from './blocks.ts';
import { ClassTokenAndPositions, FirstStep, SinusoidalPositions } from './layers/embeddings.ts';

export interface TransformerArgs {
  /** Size of the vocabulary that both languages share; index 0 is padding. Default 37,000. */
  vocabularySize?: number;
  /** Layers of the encoder and of the decoder; default 6. */
  numLayers?: number;
  /** Default 512. */
  width?: number;
  /** Default 8; must divide width. */
  numHeads?: number;
  /** Width of the layer inside each position's network; default 2048. */
  feedForward?: number;
  /** Default 0.1. */
  dropout?: number;
  /** 'linear' (the default) gives logits, 'softmax' probabilities. */
  classifierActivation?: 'linear' | 'softmax';
  name?: string;
}

interface Sizes {
  readonly width: number;
  readonly numHeads: number;
  readonly feedForward: number;
  readonly rate: number;
}

/** norm(x + dropout(sublayer(x))): the paper's order, normalization last. */
function joined(x: SymbolicTensor, y: SymbolicTensor, name: string, rate: number): SymbolicTensor {
  const dropped = rate > 0 ? layers.dropout({ rate, name: `${name}_dropout` }).apply(y) : y;
  const sum = add([x, dropped], `${name}_add`);
  return layers.layerNormalization({ epsilon: 1e-6, name: `${name}_norm` }).apply(sum);
}

function attention(
  query: SymbolicTensor,
  memory: SymbolicTensor,
  name: string,
  { width, numHeads }: Sizes,
  useCausalMask = false,
): SymbolicTensor {
  const layer = layers.multiHeadAttention({ numHeads, keyDim: width / numHeads, useBias: false, name });
  return layer.apply([query, memory], useCausalMask ? { useCausalMask } : {});
}

function feedForward(x: SymbolicTensor, name: string, { width, feedForward: units }: Sizes): SymbolicTensor {
  const inner = layers.dense({ units, activation: 'relu', name: `${name}_1` }).apply(x);
  return layers.dense({ units: width, name: `${name}_2` }).apply(inner);
}

function encoderLayer(x: SymbolicTensor, name: string, sizes: Sizes): SymbolicTensor {
  const y = joined(x, attention(x, x, `${name}_attention`, sizes), `${name}_attention`, sizes.rate);
  return joined(y, feedForward(y, `${name}_ffn`, sizes), `${name}_ffn`, sizes.rate);
}

function decoderLayer(x: SymbolicTensor, memory: SymbolicTensor, name: string, sizes: Sizes): SymbolicTensor {
  const own = joined(x, attention(x, x, `${name}_self`, sizes, true), `${name}_self`, sizes.rate);
  const y = joined(own, attention(own, memory, `${name}_cross`, sizes), `${name}_cross`, sizes.rate);
  return joined(y, feedForward(y, `${name}_ffn`, sizes), `${name}_ffn`, sizes.rate);
}

/**
 * The Transformer, base (Vaswani et al. 2017): two inputs, indices of the source [batch, steps] and of the target so far
 * [batch, steps'] (shifted by one, a start token in front); output, for each step of the target, logits of the next token
 * [batch, steps', vocabularySize]. Padding (index 0) is masked in both; the decoder does not see what comes.
 * 63,045,632 parameters at the paper's sizes and 37,000 shared tokens, of which the paper says 65 million.
 *
 * Attention has no biases, one table serves both embeddings and the output, places are waves without weights, normalization comes
 * last in each sublayer: all as in the paper. Train with warm-up: tf.train.schedules.
 */
export function Transformer(args: TransformerArgs = {}): Functional {
  const op = 'Transformer';
  const known = ['vocabularySize', 'numLayers', 'width', 'numHeads', 'feedForward', 'dropout'];
  checkNames(op, args, [...known, 'classifierActivation', 'name']);
  const { classifierActivation = 'linear', name = 'transformer' } = args;
  const sizes: Sizes = {
    width: checkCount(op, 'width', args.width ?? 512),
    numHeads: checkCount(op, 'numHeads', args.numHeads ?? 8),
    feedForward: checkCount(op, 'feedForward', args.feedForward ?? 2048),
    rate: checkRate(op, 'dropout', args.dropout ?? 0.1),
  };
  const { width, numHeads, rate } = sizes;
  if (width % numHeads !== 0) fail(op, 'numHeads must divide width', `got ${numHeads} and ${width}`);
  const numLayers = checkCount(op, 'numLayers', args.numLayers ?? 6);
  const inputDim = checkCount(op, 'vocabularySize', args.vocabularySize ?? 37_000);
  const embeddingsInitializer = initializers.randomNormal({ stddev: width ** -0.5 });
  const vectors = { inputDim, outputDim: width, maskZero: true, embeddingsInitializer, name: 'embedding' };
  const table = layers.reversibleEmbedding(vectors);
  const embedded = (ids: SymbolicTensor, label: string) => {
    const scaled = layers.rescaling({ scale: Math.sqrt(width), name: `${label}_scale` }).apply(table.apply(ids));
    const x = new SinusoidalPositions({ name: `${label}_positions` }).apply(scaled);
    return rate > 0 ? layers.dropout({ rate, name: `${label}_dropout` }).apply(x) : x;
  };
  const source = input({ shape: [null], dtype: 'int32', name: `${name}_source` });
  const target = input({ shape: [null], dtype: 'int32', name: `${name}_target` });
  let memory = embedded(source, 'encoder');
  for (let i = 1; i <= numLayers; i++) memory = encoderLayer(memory, `encoder${i}`, sizes);
  let x = embedded(target, 'decoder');
  for (let i = 1; i <= numLayers; i++) x = decoderLayer(x, memory, `decoder${i}`, sizes);
  let outputs = table.apply(x, { reverse: true });
  if (classifierActivation !== 'linear') {
    outputs = layers.activation({ activation: classifierActivation, name: 'predictions' }).apply(outputs);
  }
  return model({ inputs: [source, target], outputs, name });
}

export interface ViTTinyArgs extends Omit<ClassifierArgs, 'pooling' | 'alpha'> {
  /** Side of a patch, which must divide height and width; default 16. */
  patchSize?: number;
  /** Default 192. */
  width?: number;
  /** Default 12. */
  numLayers?: number;
  /** Default 3; must divide width. */
  numHeads?: number;
  /** Width of the layer inside each position's network; default 4 width. */
  feedForward?: number;
  /** Default 0. */
  dropout?: number;
}

/** x + attention(norm(x)), then x + network(norm(x)). */
function preNormLayer(x: SymbolicTensor, name: string, { width, numHeads, feedForward, rate }: Sizes): SymbolicTensor {
  const normed = (y: SymbolicTensor, part: string) =>
    layers.layerNormalization({ epsilon: 1e-6, name: `${name}_${part}_norm` }).apply(y);
  const dropped = (y: SymbolicTensor, part: string) =>
    rate > 0 ? layers.dropout({ rate, name: `${name}_${part}_dropout` }).apply(y) : y;
  const ready = normed(x, 'attention');
  const attended = layers.multiHeadAttention({ numHeads, keyDim: width / numHeads, name: `${name}_attention` });
  const y = add([x, dropped(attended.apply([ready, ready]), 'attention')], `${name}_attention_add`);
  const inner = { units: feedForward, activation: 'gelu', name: `${name}_mlp_1` } as const;
  const hidden = layers.dense(inner).apply(normed(y, 'mlp'));
  const out = layers.dense({ units: width, name: `${name}_mlp_2` }).apply(hidden);
  return add([y, dropped(out, 'mlp')], `${name}_mlp_add`);
}

/**
 * ViT-Tiny with 16x16 patches (Dosovitskiy et al. 2020; the size of Touvron et al. 2021, DeiT-Ti): 5,717,416 parameters at [224, 224, 3]
 * and 1000 classes. A class token, learnt places, 12 layers of 3 heads, 192 wide, normalization first. Without the top: the
 * class token's vector. Input: `preprocessInput(x, {mode: 'torch'})`.
 */
export function ViTTiny(args: ViTTinyArgs = {}): Functional {
  const op = 'ViTTiny';
  const others = ['patchSize', 'width', 'numLayers', 'numHeads', 'feedForward', 'dropout'];
  const net = classifierOf(op, args, { inputShape: [224, 224, 3], least: 1, others }, false);
  const patch = checkCount(op, 'patchSize', args.patchSize ?? 16);
  const [height, across] = net.inputShape;
  if (height === null || across === null || height % patch !== 0 || across % patch !== 0) {
    fail(op, 'patchSize must divide height and width', `got ${patch} for [${net.inputShape}]`);
  }
  const width = checkCount(op, 'width', args.width ?? 192);
  const numHeads = checkCount(op, 'numHeads', args.numHeads ?? 3);
  if (width % numHeads !== 0) fail(op, 'numHeads must divide width', `got ${numHeads} and ${width}`);
  const rate = checkRate(op, 'dropout', args.dropout ?? 0);
  const sizes = { width, numHeads, feedForward: checkCount(op, 'feedForward', args.feedForward ?? 4 * width), rate };
  const entry = image(net);
  let x = conv(entry, 'patches', width, patch, { strides: patch, padding: 'valid' });
  x = layers.reshape({ targetShape: [(height / patch) * (across / patch), width], name: 'sequence' }).apply(x);
  x = new ClassTokenAndPositions({ name: 'positions' }).apply(x);
  if (rate > 0) x = layers.dropout({ rate, name: 'positions_dropout' }).apply(x);
  const depth = checkCount(op, 'numLayers', args.numLayers ?? 12);
  for (let i = 1; i <= depth; i++) x = preNormLayer(x, `layer${i}`, sizes);
  x = layers.layerNormalization({ epsilon: 1e-6, name: 'norm' }).apply(x);
  x = new FirstStep({ name: 'class_token' }).apply(x);
  if (net.includeTop) {
    const { classes: units, classifierActivation: activation } = net;
    x = layers.dense({ units, activation, name: 'predictions' }).apply(x);
  }
  return model({ inputs: entry, outputs: x, name: net.name });
}
