/** Sentences by convolution: Kim's TextCNN. */
import { fail } from '../base/errors.ts';
import { type ActivationIdentifier, constraints, type Functional, input, layers, model } from '../nn/index.ts';
import { checkCount, checkNames, checkRate } from './arguments.ts';
import { concat } from './blocks.ts';

export interface TextCNNArgs {
  /** Size of the vocabulary; index 0 is padding. Default 20,000. */
  vocabularySize?: number;
  /** Number of words of a sentence; default 56. */
  sequenceLength?: number;
  /** Length of a word's vector; default 300. */
  embeddingDim?: number;
  /** Words under each window; default [3, 4, 5]. */
  kernelSizes?: readonly number[];
  /** Feature maps for each window; default 100. */
  filters?: number;
  /** Default 2. */
  classes?: number;
  /** Default 0.5. */
  dropout?: number;
  /** Default 'softmax'. */
  classifierActivation?: ActivationIdentifier;
  name?: string;
}

/**
 * TextCNN (Kim 2014, "CNN-rand"): vectors of words, convolutions over 3, 4 and 5 of them, the maximum of each map over the sentence,
 * dropout, a dense layer whose columns have norm 3 at most. Input [batch, words] of indices. Parameters:
 * vocabularySize d + sum over h (h d + 1) filters + (windows filters + 1) classes.
 */
export function TextCNN(args: TextCNNArgs = {}): Functional {
  const op = 'TextCNN';
  const known = ['vocabularySize', 'sequenceLength', 'embeddingDim', 'kernelSizes', 'filters', 'classes', 'dropout'];
  checkNames(op, args, [...known, 'classifierActivation', 'name']);
  const { kernelSizes = [3, 4, 5], classifierActivation: activation = 'softmax', name = 'textcnn' } = args;
  const steps = checkCount(op, 'sequenceLength', args.sequenceLength ?? 56);
  const inputDim = checkCount(op, 'vocabularySize', args.vocabularySize ?? 20_000);
  const outputDim = checkCount(op, 'embeddingDim', args.embeddingDim ?? 300);
  const filters = checkCount(op, 'filters', args.filters ?? 100);
  const rate = checkRate(op, 'dropout', args.dropout ?? 0.5);
  const sizes = Array.isArray(kernelSizes) ? kernelSizes.map((size) => checkCount(op, 'kernelSizes', size)) : [];
  if (sizes.length === 0 || sizes.some((size) => size > steps)) {
    fail(
      op,
      `kernelSizes must be a list of at most sequenceLength ${steps} words`,
      `got ${JSON.stringify(kernelSizes)}`,
    );
  }
  const entry = input({ shape: [steps], dtype: 'int32', name: `${name}_input` });
  const words = layers.embedding({ inputDim, outputDim, name: 'embedding' }).apply(entry);
  const maps = sizes.map((kernelSize, i) => {
    const relu = { activation: 'relu', name: `conv${i + 1}_${kernelSize}` } as const;
    const map = layers.conv1d({ filters, kernelSize, ...relu }).apply(words);
    return layers.globalMaxPooling1d({ name: `pool${i + 1}_${kernelSize}` }).apply(map);
  });
  let x = maps.length > 1 ? concat(maps, 'features') : maps[0];
  if (rate > 0) x = layers.dropout({ rate, name: 'dropout' }).apply(x);
  const units = checkCount(op, 'classes', args.classes ?? 2);
  const kernelConstraint = constraints.maxNorm({ maxValue: 3, axis: 0 });
  x = layers.dense({ units, activation, kernelConstraint, name: 'predictions' }).apply(x);
  return model({ inputs: entry, outputs: x, name });
}
