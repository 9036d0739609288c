/** Metrics with a memory: of the whole epoch, never a mean of batches. After Keras 3. */
import { fail } from '../../base/errors.ts';
import {
  add,
  argMax,
  cast,
  clipByValue,
  div,
  equal,
  exp,
  expandDims,
  greater,
  greaterEqual,
  log,
  matMul,
  max,
  maximum,
  mean,
  mul,
  neg,
  oneHot,
  reshape,
  scalar,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  type Variable,
  where,
} from '../../tensor/index.ts';
import { Metric, type MetricArgs } from './metric.ts';

const float = (x: Tensor): Tensor => cast(x, 'float32');
const ratio = (a: Tensor, b: Tensor): Tensor => where(greater(b, 0), div(a, maximum(b, 1e-30)), scalar(0));
const raise = (variable: Variable, by: Tensor): void => variable.assign(add(variable, by));

/** Labels, predictions and weights as vectors of one length. */
function flat(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): { y: Tensor; p: Tensor; w: Tensor | null } {
  const size = yPred.size;
  let w: Tensor | null = null;
  if (weight) {
    let spread = float(weight);
    while (spread.rank < yPred.rank) spread = expandDims(spread, -1);
    w = reshape(spread.broadcastTo(yPred.shape as number[]), [size]);
  }
  return { y: float(reshape(yTrue, [size])), p: float(reshape(yPred, [size])), w };
}
const weighted = (x: Tensor, w: Tensor | null): Tensor => sum(w ? mul(x, w) : x);

/** total / count of values that a function gives. */
export class Mean extends Metric {
  readonly #total = this.addVariable('total');
  readonly #count = this.addVariable('count');
  constructor(args: MetricArgs = {}, fallback = 'mean') {
    super(args, fallback);
  }
  /** Takes values, with weights where there are some. */
  updateValues(values: Tensor, weights: Tensor | null): void {
    const numbers = float(values);
    raise(this.#total, sum(weights ? mul(numbers, weights) : numbers));
    raise(this.#count, weights ? sum(weights.broadcastTo(numbers.shape as number[])) : scalar(numbers.size));
  }
  override updateState(yTrue: Tensor, _yPred?: Tensor, sampleWeight?: Tensor | null): void {
    this.updateValues(yTrue, sampleWeight ?? null);
  }
  override result(): Tensor {
    return ratio(this.#total, this.#count);
  }
}

/** sqrt(mean (p - y)^2) */
export class RootMeanSquaredError extends Mean {
  constructor(args: MetricArgs = {}) {
    super(args, 'root_mean_squared_error');
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const { y, p, w } = flat(yTrue, yPred, sampleWeight);
    this.updateValues(square(sub(p, y)), w);
  }
  override result(): Tensor {
    return sqrt(super.result());
  }
}

/** exp of the mean of -log p(class): labels are class numbers. */
export class Perplexity extends Mean {
  constructor(args: MetricArgs = {}) {
    super(args, 'perplexity');
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const classes = yPred.shape[yPred.rank - 1]!;
    const rows = yPred.size / classes;
    const hot = float(oneHot(cast(reshape(yTrue, [rows]), 'int32'), classes));
    const share = sum(mul(hot, reshape(float(yPred), [rows, classes])), -1);
    this.updateValues(
      neg(log(clipByValue(share, 1e-7, 1))),
      sampleWeight ? reshape(float(sampleWeight), [rows]) : null,
    );
  }
  override result(): Tensor {
    return exp(super.result());
  }
}

/** 1 where the label is among the k largest predictions. */
export class TopKCategoricalAccuracy extends Mean {
  readonly k: number;
  constructor(args: MetricArgs & { k?: number } = {}, fallback = 'top_k_categorical_accuracy') {
    super(args, fallback);
    this.k = args.k ?? 5;
  }
  protected classesOf(yTrue: Tensor): Tensor {
    return argMax(yTrue, -1);
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const classes = yPred.shape[yPred.rank - 1]!;
    const rows = yPred.size / classes;
    const p = reshape(float(yPred), [rows, classes]);
    const hot = float(oneHot(cast(reshape(this.classesOf(yTrue), [rows]), 'int32'), classes));
    const own = sum(mul(hot, p), -1, true);
    // How many are larger than the label's.
    const above = sum(float(greater(p, own)), -1);
    this.updateValues(float(greater(this.k, above)), sampleWeight ? reshape(float(sampleWeight), [rows]) : null);
  }
}

/** The same for labels that are class numbers. */
export class SparseTopKCategoricalAccuracy extends TopKCategoricalAccuracy {
  constructor(args: MetricArgs & { k?: number } = {}) {
    super(args, 'sparse_top_k_categorical_accuracy');
  }
  protected override classesOf(yTrue: Tensor): Tensor {
    return yTrue;
  }
}

export interface ConfusionArgs extends MetricArgs {
  /** What is above it counts as positive; default 0.5. */
  thresholds?: number;
  /** The class to look at where there are several. */
  classId?: number;
}

/** True and false positives and negatives at one threshold. */
abstract class Confusion extends Metric {
  readonly threshold: number;
  readonly classId: number | null;
  protected readonly truePositives = this.addVariable('true_positives');
  protected readonly trueNegatives = this.addVariable('true_negatives');
  protected readonly falsePositives = this.addVariable('false_positives');
  protected readonly falseNegatives = this.addVariable('false_negatives');

  constructor(args: ConfusionArgs, fallback: string) {
    super(args, fallback);
    this.threshold = args.thresholds ?? 0.5;
    this.classId = args.classId ?? null;
    if (!(this.threshold >= 0 && this.threshold <= 1))
      fail(fallback, 'thresholds must be in [0, 1]', `got ${args.thresholds}`);
  }
  #ofClass(x: Tensor): Tensor {
    if (this.classId === null) return x;
    const begin = x.shape.map((_, i) => (i === x.rank - 1 ? this.classId! : 0));
    return slice(x, begin, [...x.shape.slice(0, -1), 1]);
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const { y, p, w } = flat(this.#ofClass(yTrue), this.#ofClass(yPred), sampleWeight);
    const [label, guess] = [float(greater(y, 0)), float(greater(p, this.threshold))];
    raise(this.truePositives, weighted(mul(label, guess), w));
    raise(this.falsePositives, weighted(mul(sub(1, label), guess), w));
    raise(this.falseNegatives, weighted(mul(label, sub(1, guess)), w));
    raise(this.trueNegatives, weighted(mul(sub(1, label), sub(1, guess)), w));
  }
}

/** true positives / all guessed positive */
export class Precision extends Confusion {
  constructor(args: ConfusionArgs = {}) {
    super(args, 'precision');
  }
  override result(): Tensor {
    return ratio(this.truePositives, add(this.truePositives, this.falsePositives));
  }
}
/** true positives / all that are positive */
export class Recall extends Confusion {
  constructor(args: ConfusionArgs = {}) {
    super(args, 'recall');
  }
  override result(): Tensor {
    return ratio(this.truePositives, add(this.truePositives, this.falseNegatives));
  }
}
export class TruePositives extends Confusion {
  constructor(args: ConfusionArgs = {}) {
    super(args, 'true_positives');
  }
  override result(): Tensor {
    return this.truePositives.clone();
  }
}
export class TrueNegatives extends Confusion {
  constructor(args: ConfusionArgs = {}) {
    super(args, 'true_negatives');
  }
  override result(): Tensor {
    return this.trueNegatives.clone();
  }
}
export class FalsePositives extends Confusion {
  constructor(args: ConfusionArgs = {}) {
    super(args, 'false_positives');
  }
  override result(): Tensor {
    return this.falsePositives.clone();
  }
}
export class FalseNegatives extends Confusion {
  constructor(args: ConfusionArgs = {}) {
    super(args, 'false_negatives');
  }
  override result(): Tensor {
    return this.falseNegatives.clone();
  }
}

export interface AUCArgs extends MetricArgs {
  /** Number of thresholds; default 200. */
  numThresholds?: number;
  /** 'ROC' (the default): true over false positives; 'PR': precision over recall. */
  curve?: 'ROC' | 'PR';
}

/** Counts at many thresholds. */
abstract class Curve extends Metric {
  readonly numThresholds: number;
  protected readonly counts: readonly Variable[];
  constructor(args: MetricArgs & { numThresholds?: number }, fallback: string) {
    super(args, fallback);
    this.numThresholds = args.numThresholds ?? 200;
    if (!Number.isSafeInteger(this.numThresholds) || this.numThresholds < 2) {
      fail(fallback, 'numThresholds must be an integer of at least 2', `got ${args.numThresholds}`);
    }
    const names = ['true_positives', 'false_positives', 'false_negatives', 'true_negatives'];
    this.counts = names.map((name) => this.addVariable(name, [this.numThresholds]));
  }
  /** From a hair below 0 to a hair above 1. */
  #thresholds(): Tensor {
    const n = this.numThresholds;
    const inner = Array.from({ length: n }, (_, i) => i / (n - 1));
    inner[0] = -1e-7;
    inner[n - 1] = 1 + 1e-7;
    return scalar(0).add(Float32Array.from(inner));
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const { y, p, w } = flat(yTrue, yPred, sampleWeight);
    const label = float(greater(y, 0));
    const guess = float(greater(expandDims(p, 0), expandDims(this.#thresholds(), 1)));
    const [positive, negative] = [label, sub(1, label)].map((x) => reshape(w ? mul(x, w) : x, [p.size, 1]));
    const counted = (x: Tensor, of: Tensor) => reshape(matMul(x, of), [this.numThresholds]);
    const missed = sub(1, guess);
    const values = [
      counted(guess, positive),
      counted(guess, negative),
      counted(missed, positive),
      counted(missed, negative),
    ];
    values.forEach((value, i) => {
      raise(this.counts[i], value);
    });
  }
  /** x[i] for all but the last threshold, and x[i + 1]. */
  protected steps(x: Tensor): [Tensor, Tensor] {
    const n = this.numThresholds - 1;
    return [slice(x, [0], [n]), slice(x, [1], [n])];
  }
  protected get rates(): { recall: Tensor; specificity: Tensor; fallout: Tensor } {
    const [tp, fp, fn, tn] = this.counts;
    const specificity = ratio(tn, add(tn, fp));
    return { recall: ratio(tp, add(tp, fn)), specificity, fallout: ratio(fp, add(fp, tn)) };
  }
}

/**
 * The area under the curve, by trapezoids between thresholds; under precision and recall by the interpolation of Davis and Goadrich
 * (2006).
 */
export class AUC extends Curve {
  readonly curve: 'ROC' | 'PR';
  constructor(args: AUCArgs = {}) {
    super(args, 'auc');
    this.curve = args.curve ?? 'ROC';
    if (!['ROC', 'PR'].includes(this.curve))
      fail('auc', "curve must be 'ROC' or 'PR'", `got ${JSON.stringify(args.curve)}`);
  }
  override result(): Tensor {
    if (this.curve === 'ROC') {
      const { recall, fallout } = this.rates;
      const [[y0, y1], [x0, x1]] = [this.steps(recall), this.steps(fallout)];
      return sum(mul(sub(x0, x1), mul(add(y0, y1), 0.5)));
    }
    const [tp, fp, fn] = this.counts;
    const [[tp0, tp1], [p0, p1]] = [this.steps(tp), this.steps(add(tp, fp))];
    const [, fn1] = this.steps(fn);
    const [dtp, dp] = [sub(tp0, tp1), sub(p0, p1)];
    const slope = ratio(dtp, dp);
    const intercept = sub(tp1, mul(slope, p1));
    const both = mul(float(greater(p0, 0)), float(greater(p1, 0)));
    const share = where(greater(both, 0), div(maximum(p0, 1e-30), maximum(p1, 1e-30)), scalar(1));
    const area = mul(slope, add(dtp, mul(intercept, log(share))));
    return sum(ratio(area, add(tp1, fn1)));
  }
}

export interface AtArgs extends MetricArgs {
  /** Default 200. */
  numThresholds?: number;
}

/** The best recall at thresholds where specificity is at least the given one. */
export class SensitivityAtSpecificity extends Curve {
  readonly specificity: number;
  constructor(specificity: number, args: AtArgs = {}) {
    super(args, 'sensitivity_at_specificity');
    this.specificity = specificity;
    if (!(specificity >= 0 && specificity <= 1)) fail(this.name, 'specificity must be in [0, 1]', `got ${specificity}`);
  }
  override result(): Tensor {
    const { recall, specificity } = this.rates;
    return max(mul(recall, float(greaterEqual(specificity, this.specificity))));
  }
}
/** The best specificity at thresholds where recall is at least the given one. */
export class SpecificityAtSensitivity extends Curve {
  readonly sensitivity: number;
  constructor(sensitivity: number, args: AtArgs = {}) {
    super(args, 'specificity_at_sensitivity');
    this.sensitivity = sensitivity;
    if (!(sensitivity >= 0 && sensitivity <= 1)) fail(this.name, 'sensitivity must be in [0, 1]', `got ${sensitivity}`);
  }
  override result(): Tensor {
    const { recall, specificity } = this.rates;
    return max(mul(specificity, float(greaterEqual(recall, this.sensitivity))));
  }
}

export interface FBetaArgs extends MetricArgs {
  numClasses: number;
  /** How classes become one number: 'macro' (the default), 'micro' or 'weighted' by their counts. */
  average?: 'macro' | 'micro' | 'weighted';
  /** Recall counts beta times as much as precision; default 1. */
  beta?: number;
  /** What is above it counts as guessed; default: only the largest. */
  threshold?: number | null;
}

/** (1 + beta^2) precision recall / (beta^2 precision + recall) of labels and predictions [batch, numClasses]. */
export class FBetaScore extends Metric {
  readonly #args: Required<Omit<FBetaArgs, 'name'>>;
  readonly #tp: Variable;
  readonly #fp: Variable;
  readonly #fn: Variable;
  readonly #support: Variable;
  constructor(args: FBetaArgs, fallback = 'fbeta_score') {
    super(args, fallback);
    const { numClasses, average = 'macro', beta = 1, threshold = null } = args;
    if (!(beta > 0)) fail(fallback, 'beta must be positive', `got ${beta}`);
    if (!['macro', 'micro', 'weighted'].includes(average)) {
      fail(fallback, "average must be 'macro', 'micro' or 'weighted'", `got ${JSON.stringify(average)}`);
    }
    this.#args = { numClasses, average, beta, threshold };
    [this.#tp, this.#fp, this.#fn, this.#support] = ['tp', 'fp', 'fn', 'support'].map((name) =>
      this.addVariable(name, [numClasses]),
    );
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const { numClasses, threshold } = this.#args;
    const rows = yPred.size / numClasses;
    const [y, p] = [yTrue, yPred].map((x) => reshape(float(x), [rows, numClasses]));
    const guess = threshold === null ? float(oneHot(argMax(p, -1), numClasses)) : float(greater(p, threshold));
    const w = sampleWeight ? reshape(float(sampleWeight), [rows, 1]) : null;
    const total = (x: Tensor) => sum(w ? mul(x, w) : x, 0);
    raise(this.#tp, total(mul(y, guess)));
    raise(this.#fp, total(mul(sub(1, y), guess)));
    raise(this.#fn, total(mul(y, sub(1, guess))));
    raise(this.#support, total(y));
  }
  override result(): Tensor {
    const { average, beta } = this.#args;
    const score = (tp: Tensor, fp: Tensor, fn: Tensor) => {
      const squared = beta ** 2;
      return ratio(mul(tp, 1 + squared), add(add(mul(tp, 1 + squared), mul(fn, squared)), fp));
    };
    if (average === 'micro') return score(sum(this.#tp), sum(this.#fp), sum(this.#fn));
    const each = score(this.#tp, this.#fp, this.#fn);
    return average === 'macro' ? mean(each) : ratio(sum(mul(each, this.#support)), sum(this.#support));
  }
}
export class F1Score extends FBetaScore {
  constructor(args: FBetaArgs) {
    super({ ...args, beta: 1 }, 'f1_score');
  }
}

export interface MeanIoUArgs extends MetricArgs {
  numClasses: number;
  /** Labels are class numbers; default true. */
  sparseYTrue?: boolean;
  /** Predictions are class numbers; default true. */
  sparseYPred?: boolean;
}

/** The mean over classes of |guessed and true| / |guessed or true|, of classes that occur. */
export class MeanIoU extends Metric {
  readonly #args: MeanIoUArgs;
  readonly #matrix: Variable;
  constructor(args: MeanIoUArgs) {
    super(args, 'mean_io_u');
    this.#args = args;
    this.#matrix = this.addVariable('total_confusion_matrix', [args.numClasses, args.numClasses]);
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const { numClasses, sparseYTrue = true, sparseYPred = true } = this.#args;
    const hot = (x: Tensor, sparse: boolean) => {
      const numbers = sparse ? x : argMax(x, -1);
      return float(oneHot(cast(reshape(numbers, [numbers.size]), 'int32'), numClasses));
    };
    const labels = hot(yTrue, sparseYTrue);
    const counted = sampleWeight ? mul(labels, reshape(float(sampleWeight), [labels.shape[0], 1])) : labels;
    raise(this.#matrix, matMul(counted, hot(yPred, sparseYPred), true, false));
  }
  override result(): Tensor {
    const { numClasses } = this.#args;
    const diagonal = float(
      oneHot(cast(scalar(0).add(Float32Array.from({ length: numClasses }, (_, i) => i)), 'int32'), numClasses),
    );
    const hits = sum(mul(this.#matrix, diagonal), -1);
    const union = sub(add(sum(this.#matrix, 0), sum(this.#matrix, 1)), hits);
    return ratio(sum(ratio(hits, union)), sum(float(greater(union, 0))));
  }
}

/** 1 - sum (y - p)^2 / sum (y - mean y)^2 over all samples; several outputs are averaged. */
export class R2Score extends Metric {
  readonly #residuals = this.addVariable('residual');
  readonly #squares = this.addVariable('squared_sum');
  readonly #sum = this.addVariable('sum');
  readonly #count = this.addVariable('count');
  constructor(args: MetricArgs = {}) {
    super(args, 'r2_score');
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const { y, p, w } = flat(yTrue, yPred, sampleWeight);
    raise(this.#residuals, weighted(square(sub(y, p)), w));
    raise(this.#squares, weighted(square(y), w));
    raise(this.#sum, weighted(y, w));
    raise(this.#count, w ? sum(w) : scalar(y.size));
  }
  override result(): Tensor {
    const spread = sub(this.#squares, ratio(square(this.#sum), this.#count));
    return sub(1, ratio(this.#residuals, spread));
  }
}

/** The share of samples whose prediction is the label exactly. */
export class Accuracy extends Mean {
  constructor(args: MetricArgs = {}) {
    super(args, 'accuracy');
  }
  override updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void {
    const { y, p, w } = flat(yTrue, yPred, sampleWeight);
    this.updateValues(float(equal(y, p)), w);
  }
}

/** tf.metrics: the classes. */
export const metricClasses = {
  Accuracy,
  AUC,
  F1Score,
  FalseNegatives,
  FalsePositives,
  FBetaScore,
  Mean,
  MeanIoU,
  Metric,
  Perplexity,
  Precision,
  R2Score,
  Recall,
  RootMeanSquaredError,
  SensitivityAtSpecificity,
  SparseTopKCategoricalAccuracy,
  SpecificityAtSensitivity,
  TopKCategoricalAccuracy,
  TrueNegatives,
  TruePositives,
};

/** Made anew for each model, by name. */
export const statefulByName: { readonly [name: string]: (name: string) => Metric } = {
  precision: (name) => new Precision({ name }),
  recall: (name) => new Recall({ name }),
  auc: (name) => new AUC({ name }),
  truePositives: (name) => new TruePositives({ name }),
  trueNegatives: (name) => new TrueNegatives({ name }),
  falsePositives: (name) => new FalsePositives({ name }),
  falseNegatives: (name) => new FalseNegatives({ name }),
  r2Score: (name) => new R2Score({ name }),
  perplexity: (name) => new Perplexity({ name }),
  rootMeanSquaredError: (name) => new RootMeanSquaredError({ name }),
  topKCategoricalAccuracy: (name) => new TopKCategoricalAccuracy({ name }),
  sparseTopKCategoricalAccuracy: (name) => new SparseTopKCategoricalAccuracy({ name }),
};
