/**
 * What generator and discriminator play for: losses from what the discriminator gives for real and for generated samples.
 * Knows neither network.
 */
import { fail } from '../../base/errors.ts';
import { add, mean, mul, neg, relu, type Scalar, softplus, square, sub, type Tensor } from '../../tensor/index.ts';
import { failUnknownName, toCamelCase } from '../naming.ts';

/** A game of two losses, both to be made small. */
export interface GanLoss {
  /** Under which files know it; without, a model compiled with it is saved without its optimizers. */
  readonly name?: GanLossName;
  readonly discriminator: (real: Tensor, fake: Tensor) => Scalar;
  readonly generator: (fake: Tensor) => Scalar;
  /** Whether they take logits: where the discriminator ends in a sigmoid, what that was applied to. Default false. */
  readonly onLogits?: boolean;
  /** Whether the discriminator is a critic, whose values no sigmoid may squeeze. Default false. */
  readonly isCritic?: boolean;
  /** What compile's gradientPenalty is where it is not given; default 0. */
  readonly gradientPenalty?: number;
}

export type GanLossName = 'nonSaturating' | 'minimax' | 'leastSquares' | 'wasserstein' | 'hinge';

const average = (values: Tensor): Scalar => mean(values) as Scalar;

/**
 * Cross-entropy of the discriminator: real samples are to get 1, generated ones 0. `smoothing` s asks 1 - s for the real ones
 * (Salimans and others, 2016). -log sigmoid(z) = softplus(-z).
 */
const crossEntropy =
  (smoothing: number) =>
  (real: Tensor, fake: Tensor): Scalar => {
    const loss = add<Scalar>(average(softplus(neg(real))), average(softplus(fake)));
    return smoothing === 0 ? loss : add<Scalar>(loss, mul<Scalar>(average(real), smoothing));
  };

const makers: { readonly [name in GanLossName]: (smoothing: number) => GanLoss } = {
  // Goodfellow and others, 2014: the generator makes -log D(G(z)) small, whose gradient does not vanish where it loses.
  nonSaturating: (smoothing) => ({
    discriminator: crossEntropy(smoothing),
    generator: (fake) => average(softplus(neg(fake))),
    onLogits: true,
  }),
  // The same game as first written down: log(1 - D(G(z))).
  minimax: (smoothing) => ({
    discriminator: crossEntropy(smoothing),
    generator: (fake) => neg(average(softplus(fake))),
    onLogits: true,
  }),
  // Mao and others, 2017: real 1, generated 0, and the generator wants 1.
  leastSquares: (smoothing) => ({
    discriminator: (real, fake) => mul(add(average(square(sub(real, 1 - smoothing))), average(square(fake))), 0.5),
    generator: (fake) => mul(average(square(sub(fake, 1))), 0.5),
  }),
  // Arjovsky and others, 2017, with the penalty of Gulrajani and others, 2017.
  wasserstein: () => ({
    discriminator: (real, fake) => sub(average(fake), average(real)),
    generator: (fake) => neg(average(fake)),
    isCritic: true,
    gradientPenalty: 10,
  }),
  // Lim and Ye, 2017.
  hinge: () => ({
    discriminator: (real, fake) => add(average(relu(sub(1, real))), average(relu(add(fake, 1)))),
    generator: (fake) => neg(average(fake)),
    isCritic: true,
  }),
};

export type GanLossIdentifier = GanLossName | GanLoss | (string & {});

/** A game by name, or the user's own. */
export function getGanLoss(op: string, identifier: GanLossIdentifier, smoothing: number): GanLoss {
  if (!(smoothing >= 0 && smoothing < 1)) fail(op, 'labelSmoothing must be in [0, 1)', `got ${smoothing}`);
  if (typeof identifier === 'string') {
    const name = toCamelCase(identifier);
    if (!Object.hasOwn(makers, name)) failUnknownName(op, 'GAN loss', identifier, Object.keys(makers));
    const loss: GanLoss = { ...makers[name as GanLossName](smoothing), name: name as GanLossName };
    if (loss.isCritic && smoothing > 0) {
      fail(op, 'labelSmoothing needs a loss with labels', `got the loss '${identifier}'`);
    }
    return loss;
  }
  const isGame = typeof identifier?.discriminator === 'function' && typeof identifier.generator === 'function';
  if (!isGame) {
    const came = `got ${identifier === null ? 'null' : typeof identifier}`;
    fail(op, 'loss must be a name, or {discriminator(real, fake), generator(fake)}', came);
  }
  if (smoothing > 0) fail(op, 'labelSmoothing needs a named loss', 'got functions', 'smooth inside of them');
  return identifier;
}
