/**
 * Generative adversarial networks: a generator that makes samples of noise, a discriminator that tells them from real ones,
 * an optimizer for each, and steps that take turns. Each step is one program; it moves one network and leaves every
 * weight of the other as it was. fit, fitDataset, trainOnBatch, callbacks and History are those of every model.
 */
import { fail } from '../../base/errors.ts';
import {
  add,
  clone,
  grad,
  mean,
  mul,
  randomNormal,
  randomUniform,
  reshape,
  type Scalar,
  scalar,
  sigmoid,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
  untracked,
  type Variable,
  variable,
} from '../../tensor/index.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import { type Config, isSerializedObject, serialize } from '../keras_config.ts';
import { collectLosses, preActivationOf } from '../layers/call_context.ts';
import type { CallOptions } from '../layers/layer.ts';
import { deserializeLayer, registerLayer } from '../layers/registry.ts';
import { type KerasShape, type ShapeOrShapes, showKerasShape } from '../layers/shapes.ts';
import { defaultModelName, toSnakeCase } from '../naming.ts';
import { getOptimizer, type OptimizerIdentifier } from '../optimizers/index.ts';
import { Optimizer } from '../optimizers/optimizer.ts';
import { AlternatingStep } from '../training/alternating.ts';
import { checkCount } from '../training/checks.ts';
import type { ModelCompileArgs, TrainingConfig } from '../training/compile.ts';
import { optimizerConfigOf, optimizerFrom } from '../training/training_config.ts';
import { type GanLoss, type GanLossIdentifier, getGanLoss } from '../training/gan_losses.ts';
import { customStep, type Step } from '../training/step.ts';
import { updateWeights } from '../training/update.ts';
import { LayersModel, type StepLogs, type TrainingOptimizer, type TrainStepData } from './layers_model.ts';

export interface GanArgs {
  /** From noise to samples; with conditions, from [noise, condition]. */
  generator: LayersModel;
  /** From samples to one value each (or a field of values); with conditions, from [sample, condition]. */
  discriminator: LayersModel;
  /** The shape of the noise of one sample; default: the generator's first input. */
  latentShape?: readonly number[];
  name?: string;
}

export interface GanCompileArgs {
  generatorOptimizer: OptimizerIdentifier | Optimizer | (string & {});
  discriminatorOptimizer: OptimizerIdentifier | Optimizer | (string & {});
  /**
   * 'nonSaturating' (the default), 'minimax', 'leastSquares', 'wasserstein' or 'hinge', or two functions
   * {discriminator(real, fake), generator(fake)} of what the discriminator gives.
   */
  loss?: GanLossIdentifier;
  /** Steps of the discriminator, each on its own batch, for one of the generator; default 1. */
  discriminatorSteps?: number;
  /** How much (|d D(x) / dx| - 1)^2 between real and generated samples counts; default 10 for 'wasserstein', else 0. */
  gradientPenalty?: number;
  /** Real samples are to get 1 minus this; default 0. */
  labelSmoothing?: number;
}

/** How a GAN was compiled; optimizer_config is the generator's. */
export interface GanTrainingConfig extends TrainingConfig {
  discriminator_optimizer_config: TrainingConfig['optimizer_config'];
  discriminator_steps: number;
  gradient_penalty: number;
  label_smoothing: number;
  /** Steps of the discriminator since the generator's last. */
  turn: number;
}

interface Game {
  readonly loss: GanLoss;
  readonly steps: number;
  readonly penalty: number;
  readonly smoothing: number;
  readonly optimizer: Optimizer;
  readonly ownsOptimizer: boolean;
}

/** Inputs of a network: one tensor, and the condition beside it where there is one. */
const withCondition = (input: Tensor, y: Tensor | null): Tensor | Tensor[] => (y ? [input, y] : input);

/** What layers move on their own, as moving averages, is put back after `body`. */
function keepingStill<T>(network: LayersModel, body: () => T): T {
  const weights = network.nonTrainableWeights;
  const before = weights.map(({ val }) => clone(val));
  const result = body();
  weights.forEach(({ val }, i) => {
    val.assign(before[i]);
  });
  return result;
}

export class GAN extends LayersModel {
  static override readonly className: string = 'GAN';
  readonly generator: LayersModel;
  readonly discriminator: LayersModel;
  readonly latentShape: readonly number[];
  #game: Game | null = null;
  /** Steps of the discriminator since the generator's last. */
  readonly #turn = variable(0, false, undefined, 'int32');

  constructor(args: GanArgs) {
    super({ name: args?.name ?? defaultModelName('gan') });
    for (const role of ['generator', 'discriminator'] as const) {
      if (!(args?.[role] instanceof LayersModel)) {
        fail('gan', `${role} must be a model`, `got ${typeof args?.[role]}`, 'as tf.sequential or tf.model make them');
      }
    }
    this.generator = args.generator;
    this.discriminator = args.discriminator;
    if (this.generator === this.discriminator) fail('gan', 'generator and discriminator must be two models', 'got one');
    this.latentShape = latentShapeOf(args);
    checkFit(this.generator, this.discriminator);
  }

  /** Two optimizers, the loss, and how the steps take turns. */
  override compile(args: GanCompileArgs | ModelCompileArgs): void {
    const op = 'compile';
    if (!args || !('generatorOptimizer' in args) || !('discriminatorOptimizer' in args)) {
      const came = args && 'optimizer' in args ? 'got optimizer' : 'one is missing';
      const example = "gan.compile({generatorOptimizer: 'adam', discriminatorOptimizer: 'adam'})";
      fail(op, 'a GAN needs generatorOptimizer and discriminatorOptimizer', came, `call ${example}`);
    }
    const { generatorOptimizer, discriminatorOptimizer, loss = 'nonSaturating', labelSmoothing = 0 } = args;
    if (generatorOptimizer instanceof Optimizer && generatorOptimizer === discriminatorOptimizer) {
      fail(op, 'generator and discriminator need an optimizer each', 'got one for both', 'make two');
    }
    const game = getGanLoss(op, loss, labelSmoothing);
    const penalty = args.gradientPenalty ?? game.gradientPenalty ?? 0;
    if (!(penalty >= 0 && Number.isFinite(penalty))) fail(op, 'gradientPenalty must be 0 or more', `got ${penalty}`);
    const steps = checkCount(op, 'discriminatorSteps', args.discriminatorSteps ?? 1);
    const optimizer = getOptimizer(op, discriminatorOptimizer);
    super.compile({ optimizer: generatorOptimizer });
    this.#forget();
    const ownsOptimizer = optimizer !== discriminatorOptimizer;
    this.#game = { loss: game, steps, penalty, smoothing: labelSmoothing, optimizer, ownsOptimizer };
    this.#setTurn(0);
  }

  #compiledGame(op: string): Game {
    this.compiled(op);
    return this.#game!;
  }
  get generatorOptimizer(): Optimizer {
    return this.optimizer;
  }
  get discriminatorOptimizer(): Optimizer {
    return this.#compiledGame('discriminatorOptimizer').optimizer;
  }

  override get optimizers(): readonly TrainingOptimizer[] {
    const { generator, discriminator } = this;
    return [
      { name: 'generator', optimizer: this.generatorOptimizer, weights: generator.trainableWeights },
      { name: 'discriminator', optimizer: this.discriminatorOptimizer, weights: discriminator.trainableWeights },
    ];
  }
  override hiddenState(): Variable[] {
    return [...super.hiddenState(), this.#turn];
  }

  override get outputNames(): string[] {
    return ['samples'];
  }
  override get built(): boolean {
    return this.generator.built && this.discriminator.built;
  }
  /** Each network is built by what it is first given: fit and call take different things. */
  override ensureBuilt(shape: ShapeOrShapes): ShapeOrShapes {
    return this.built ? super.ensureBuilt(shape) : shape;
  }

  /** What the generator makes. */
  override call(inputs: Tensor | Tensor[], options: CallOptions): Tensor | Tensor[] {
    return this.generator.apply(inputs, options);
  }

  /** Noise for so many samples: normal, of latentShape. A subclass may draw other noise. */
  latents(count: number): Tensor {
    return randomNormal([count, ...this.latentShape]);
  }

  /** So many samples, or those of the given noise; with conditions, one for each. */
  generate(from: number | Tensor, y: Tensor | null = null, args: { batchSize?: number } = {}): Tensor {
    const z = typeof from === 'number' ? this.latents(checkCount('generate', 'count', from)) : from;
    const samples = this.generator.predict(withCondition(z, y), args);
    if (z !== from) z.dispose();
    return samples;
  }

  // The steps. A subclass may write its own: each is compiled to one program, and reports scalars by name.

  /** One update of the discriminator. `x` are real samples, `y` conditions. */
  discriminatorStep({ x, y }: { x: Tensor; y: Tensor | null }): StepLogs {
    const { loss, penalty, optimizer } = this.#compiledGame('fit');
    const fake = this.fakes(x.shape[0], y);
    const watched: { [name: string]: Tensor } = {};
    buildFor(this.discriminator, withCondition(x, y));
    const weights = trainedWeights('discriminator', this.discriminator);
    const discriminatorLoss = updateWeights(weights, optimizer, () => {
      const [real, made] = [x, fake].map((samples) => this.#judged(loss, this.judge(samples, y)));
      let total = loss.discriminator(real, made);
      if (penalty > 0) {
        const steepness = this.#steepness(x, fake, y);
        total = add(total, mul(steepness, penalty));
        watched['gradientPenalty'] = untracked(() => clone(steepness));
      }
      watched['realScore'] = untracked(() => this.#score(loss, real));
      watched['fakeScore'] = untracked(() => this.#score(loss, made));
      return total;
    });
    return { discriminatorLoss, ...watched };
  }

  /** One update of the generator, with as many samples as the batch has. */
  generatorStep({ x, y }: { x: Tensor; y: Tensor | null }): StepLogs {
    const { loss } = this.#compiledGame('fit');
    const z = this.latents(x.shape[0]);
    buildFor(this.generator, withCondition(z, y));
    const weights = trainedWeights('generator', this.generator);
    const generatorLoss = updateWeights(weights, this.generatorOptimizer, () => {
      const made = this.generator.apply(withCondition(z, y), { training: true });
      // What the discriminator's layers add to a loss is no concern of the generator's.
      const { result } = collectLosses(() => keepingStill(this.discriminator, () => this.judge(made, y)));
      return loss.generator(this.#judged(loss, result));
    });
    return { generatorLoss };
  }

  /** Samples of new noise, made as in training, with the generator left as it was. */
  fakes(count: number, y: Tensor | null): Tensor {
    return keepingStill(this.generator, () =>
      this.generator.apply(withCondition(this.latents(count), y), { training: true }),
    );
  }

  /** What the discriminator gives, as in training. */
  judge(samples: Tensor, y: Tensor | null): Tensor {
    return this.discriminator.apply(withCondition(samples, y), { training: true });
  }

  /** The losses, without an update: what evaluate and validation report. */
  override testStep(data: TrainStepData): StepLogs {
    const { loss } = this.#compiledGame('evaluate');
    const { x, y } = batchOf('evaluate', data);
    const fake = this.generator.apply(withCondition(this.latents(x.shape[0]), y), { training: false });
    const [real, made] = [x, fake].map((samples) =>
      this.#judged(loss, this.discriminator.apply(withCondition(samples, y), { training: false })),
    );
    return {
      discriminatorLoss: loss.discriminator(real, made),
      realScore: this.#score(loss, real),
      fakeScore: this.#score(loss, made),
      generatorLoss: loss.generator(made),
    };
  }

  override makeTrainStep(): Step {
    const { steps } = this.#compiledGame('fit');
    const nothing = () => {};
    return new AlternatingStep(
      customStep((data) => this.discriminatorStep(batchOf('fit', data)), 'discriminator step', nothing),
      customStep((data) => this.generatorStep(batchOf('fit', data)), 'generator step', nothing),
      steps,
      this.#turn,
    );
  }

  /** The discriminator's output as the loss takes it. */
  #judged(loss: GanLoss, output: Tensor): Tensor {
    const before = preActivationOf(output);
    const squeezed = before?.activation.name === 'sigmoid';
    if (loss.onLogits) return squeezed ? before!.value : output;
    if (squeezed && loss.isCritic) {
      fail('compile', 'a critic must end without an activation', 'the discriminator ends in a sigmoid');
    }
    return output;
  }

  /** The mean of what the discriminator gives; of logits, of the probability. */
  #score(loss: GanLoss, judged: Tensor): Tensor {
    return mean(loss.onLogits ? sigmoid(judged) : judged);
  }

  /** mean (|d D(x) / dx| - 1)^2 at random places between real and generated samples (Gulrajani and others, 2017). */
  #steepness(real: Tensor, fake: Tensor, y: Tensor | null): Scalar {
    const count = real.shape[0];
    const share = randomUniform([count, ...real.shape.slice(1).map(() => 1)], 0, 1);
    const between = add(fake, mul(share, sub(real, fake)));
    const criticize = (samples: Tensor) =>
      collectLosses(() => keepingStill(this.discriminator, () => this.judge(samples, y))).result;
    const slopes = reshape(grad((samples: Tensor) => sum(criticize(samples)))(between), [count, -1]);
    // The root's own slope at 0 is infinite.
    const steepness = sqrt(add(sum(square(slopes), 1), 1e-12));
    return mean(square(sub(steepness, 1))) as Scalar;
  }

  override getConfig(): Config {
    const [generator, discriminator] = [serialize(this.generator), serialize(this.discriminator)];
    return { name: this.name, generator, discriminator, latentShape: [...this.latentShape] };
  }
  static fromConfig(config: Config): GAN {
    const op = 'GAN.fromConfig';
    const [generator, discriminator] = ['generator', 'discriminator'].map((role) => {
      const object = config[role];
      if (!isSerializedObject(object)) fail(op, `config.${role} must be a model's config`, `got ${typeof object}`);
      return deserializeLayer(op, object) as LayersModel;
    });
    const { name, latentShape } = config as { name?: string; latentShape?: number[] };
    return new GAN({ generator, discriminator, latentShape, name });
  }
  override getTrainingConfig(): GanTrainingConfig {
    const { loss, steps, penalty, smoothing, optimizer } = this.#compiledGame('getTrainingConfig');
    if (!loss.name) {
      const hint = 'pass includeOptimizer: false, and compile again after loading';
      fail('save', 'a GAN whose loss is functions is saved without its optimizers', 'functions have no name', hint);
    }
    return {
      loss: toSnakeCase(loss.name),
      metrics: [],
      optimizer_config: optimizerConfigOf(this.generatorOptimizer),
      discriminator_optimizer_config: optimizerConfigOf(optimizer),
      discriminator_steps: steps,
      gradient_penalty: penalty,
      label_smoothing: smoothing,
      turn: this.#turn.dataSync()[0],
    };
  }
  override loadTrainingConfig(config: object): void {
    const op = 'loadTrainingConfig';
    const given = config as Partial<GanTrainingConfig>;
    this.compile({
      generatorOptimizer: optimizerFrom(op, 'optimizer_config', given.optimizer_config),
      discriminatorOptimizer: optimizerFrom(op, 'discriminator_optimizer_config', given.discriminator_optimizer_config),
      loss: String(given.loss),
      discriminatorSteps: given.discriminator_steps,
      gradientPenalty: given.gradient_penalty,
      labelSmoothing: given.label_smoothing,
    });
    this.#setTurn(checkCount(op, 'turn', given.turn ?? 0, 0));
  }

  #setTurn(steps: number): void {
    tidy(() => this.#turn.assign(scalar(steps, 'int32')));
  }
  #forget(): void {
    if (this.#game?.ownsOptimizer) this.#game.optimizer.dispose();
    this.#game = null;
  }
  override dispose(): { refCountAfterDispose: number; numDisposedVariables: number } {
    this.#forget();
    this.#turn.dispose();
    return super.dispose();
  }
}

registerLayer(GAN);

/** One batch of training: samples, and conditions where there are any. */
function batchOf(op: string, { x, y, sampleWeight }: TrainStepData): { x: Tensor; y: Tensor | null } {
  if (Array.isArray(x)) fail(op, 'a GAN takes one tensor of real samples', `got ${x.length}`);
  if (sampleWeight) fail(op, 'a GAN takes no weights of samples', 'got some');
  if (!Array.isArray(y)) return { x, y };
  if (y.length > 0) fail(op, 'a GAN takes one tensor of conditions, or none', `got ${y.length}`);
  return { x, y: null };
}

function buildFor(network: LayersModel, inputs: Tensor | Tensor[]): void {
  if (network.built) return;
  const open = (tensor: Tensor): KerasShape => [null, ...tensor.shape.slice(1)];
  network.ensureBuilt(Array.isArray(inputs) ? inputs.map(open) : open(inputs));
}

function trainedWeights(role: string, network: LayersModel): LayersModel['trainableWeights'] {
  const weights = network.trainableWeights;
  if (weights.length > 0) return weights;
  fail('fit', `the ${role} must have trainable weights`, 'all are frozen or there are none', 'set trainable = true');
}

function latentShapeOf({ generator, latentShape }: GanArgs): readonly number[] {
  const known: KerasShape | undefined = latentShape ?? generator.inputs[0]?.shape.slice(1);
  if (!known?.every((extent) => Number.isSafeInteger(extent))) {
    const came = known ? `got ${showKerasShape(known)}` : 'the generator has no inputs yet';
    fail('gan', 'latentShape must be known', came, 'pass it, as latentShape: [100]');
  }
  const own = generator.inputs[0]?.shape.slice(1);
  const fits = !own || (own.length === known.length && own.every((n, i) => n === null || n === known[i]));
  if (!fits) fail('gan', `latentShape must be the generator's ${showKerasShape(own!)}`, `got ${showKerasShape(known)}`);
  return known as number[];
}

/** What the generator makes must be what the discriminator takes, as far as both are known. */
function checkFit({ outputs }: LayersModel, { inputs }: LayersModel): void {
  if (outputs.length === 0 || inputs.length === 0) return;
  if (outputs.length > 1) fail('gan', 'the generator must have one output', `got ${outputs.length}`);
  const [made, taken] = [outputs[0].shape, inputs[0].shape];
  const known = (shape: KerasShape, like: KerasShape) => shape.map((n, i) => n ?? like[i] ?? 1);
  if (sameShape(known(made, taken), known(taken, made))) return;
  const shapes = `the generator makes ${showShape(made.slice(1) as number[])}, the discriminator takes ${showShape(taken.slice(1) as number[])}`;
  fail('gan', 'the discriminator must take what the generator makes', shapes);
}

/**
 * A generator and a discriminator that are trained against each other.
 *
 *     const gan = tf.gan({ generator, discriminator });
 *     gan.compile({ generatorOptimizer: tf.train.adam(2e-4, 0.5), discriminatorOptimizer: tf.train.adam(2e-4, 0.5) });
 *     await gan.fit(images, null, { epochs: 20, batchSize: 64 });
 *     const samples = gan.generate(16);
 *
 * Logs are discriminatorLoss, realScore, fakeScore (means of what the discriminator gives; probabilities where it is trained
 * by cross-entropy), generatorLoss, and gradientPenalty where there is one. Labels given to fit are conditions: both
 * networks get them as a second input. A learning-rate callback steers the generator's optimizer.
 */
export function gan(args: GanArgs): GAN {
  return new GAN(args);
}
