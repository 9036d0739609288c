/**
 * What the builders of networks are asked for: the input's shape, the classes, the top, the width. Checks it once, so that the
 * builders only draw. Knows no network.
 */
import { fail } from '../base/errors.ts';
import type { ActivationIdentifier, KerasShape } from '../nn/index.ts';
import { failUnknownName } from '../nn/naming.ts';
import { checkPositiveInteger as checkCount, showKerasShape } from '../nn/layers/shapes.ts';

export { checkCount };

/** Arguments that all image classifiers share. */
export interface ClassifierArgs {
  /** [height, width, channels]; null leaves an extent open, where there is no top that needs it. Default: the paper's. */
  inputShape?: KerasShape;
  /** Number of classes; default 1000, ImageNet's, where the network was made for it. */
  classes?: number;
  /** Whether the layers that classify are there; default true. */
  includeTop?: boolean;
  /** Without the top: what is made of the last features, their mean, their maximum, or (null, the default) nothing. */
  pooling?: 'avg' | 'max' | null;
  /** Default 'softmax'; 'linear' gives logits. */
  classifierActivation?: ActivationIdentifier;
  /** Factor on the number of channels of every layer; default 1, the published network. */
  alpha?: number;
  /** The model's name; default: the network's. */
  name?: string;
}

export interface Classifier {
  readonly name: string;
  readonly inputShape: KerasShape;
  readonly classes: number;
  readonly includeTop: boolean;
  readonly pooling: 'avg' | 'max' | null;
  readonly classifierActivation: ActivationIdentifier;
  readonly alpha: number;
  /** That many channels, times alpha. */
  readonly width: (channels: number) => number;
}

export interface Defaults {
  readonly inputShape: readonly number[];
  readonly classes?: number;
  /** The smallest height and width that leave something to the last layer. */
  readonly least: number;
  /** Names of further arguments. */
  readonly others?: readonly string[];
}

const shared = ['inputShape', 'classes', 'includeTop', 'pooling', 'classifierActivation', 'alpha', 'name'];

/** An argument that nobody reads is a typo, or asks for weights that the package does not have. */
export function checkNames(op: string, args: object, known: readonly string[]): void {
  for (const [name, value] of Object.entries(args)) {
    if (known.includes(name)) continue;
    if (name === 'weights') {
      if (value === null || value === undefined) continue;
      const hint = 'leave it out, and give the model a file with model.loadWeights or tf.loadLayersModel';
      fail(op, 'weights must be null: no trained weights come with the package', `got ${JSON.stringify(value)}`, hint);
    }
    failUnknownName(op, 'an argument', name, known);
  }
}

/** A rate of dropout. */
export function checkRate(op: string, name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value < 1) return value;
  fail(op, `${name} must be in [0, 1)`, `got ${JSON.stringify(value) ?? String(value)}`);
}

export function checkFactor(op: string, name: string, value: unknown): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  fail(op, `${name} must be a positive number`, `got ${JSON.stringify(value) ?? String(value)}`);
}

/** [height, width, channels], each extent of space at least `least` where it is known. */
export function checkImageShape(op: string, shape: unknown, least: number, open: boolean): KerasShape {
  const extents = Array.isArray(shape) ? (shape as unknown[]) : [];
  const isExtent = (n: unknown) => typeof n === 'number' && Number.isSafeInteger(n) && n > 0;
  if (extents.length !== 3 || !extents.every((n) => n === null || isExtent(n)) || extents[2] === null) {
    fail(op, 'inputShape must be [height, width, channels]', `got ${JSON.stringify(shape) ?? String(shape)}`);
  }
  const [height, width] = extents as KerasShape;
  if (!open && (height === null || width === null)) {
    const hint = 'pass both extents, or includeTop: false';
    fail(op, 'the layers on top need a fixed inputShape', `got ${showKerasShape(extents as KerasShape)}`, hint);
  }
  if ([height, width].some((n) => n !== null && n < least)) {
    fail(op, `height and width must be at least ${least}`, `got ${showKerasShape(extents as KerasShape)}`);
  }
  return [...(extents as KerasShape)];
}

/** The arguments with defaults filled in. `open`: whether the top takes any height and width. */
export function classifierOf(op: string, args: ClassifierArgs, defaults: Defaults, open = true): Classifier {
  checkNames(op, args, [...shared, ...(defaults.others ?? [])]);
  const { pooling = null, includeTop = true, classifierActivation = 'softmax' } = args;
  if (pooling !== null && pooling !== 'avg' && pooling !== 'max') {
    failUnknownName(op, 'pooling', pooling, ['avg', 'max']);
  }
  const alpha = checkFactor(op, 'alpha', args.alpha ?? 1);
  return {
    name: args.name ?? op.toLowerCase(),
    inputShape: checkImageShape(op, args.inputShape ?? defaults.inputShape, defaults.least, open || !includeTop),
    classes: checkCount(op, 'classes', args.classes ?? defaults.classes ?? 1000),
    includeTop,
    pooling,
    classifierActivation,
    alpha,
    width: (channels) => Math.max(1, Math.round(channels * alpha)),
  };
}
