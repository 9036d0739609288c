/** Muon (Jordan et al. 2024): momentum whose step for a matrix is made orthogonal; vectors take AdamW. */
import {
  add,
  div,
  matMul,
  maximum,
  mul,
  pow,
  reshape,
  scalar,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  transpose,
  type Variable,
} from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import type { Rate } from './adaptive.ts';
import { type GradientPair, Optimizer, type OptimizerOptions } from './optimizer.ts';

export interface MuonArgs extends OptimizerOptions {
  /** Of matrices; default 0.02. */
  learningRate?: Rate;
  /** Default 0.95. */
  momentum?: number;
  /** Default true. */
  nesterov?: boolean;
  /** Steps of the iteration that makes the step orthogonal; default 5. */
  nsSteps?: number;
  /** The rate of what is no matrix, as a factor of learningRate; default 0.05. */
  adamRateRatio?: number;
  /** Matrices whose names contain one of these texts take AdamW too: embeddings, last layers. */
  exclude?: readonly string[];
}

/** Coefficients of the quintic iteration x <- a x + (b x x' + c (x x')^2) x. */
const [a, b, c] = [3.4445, -4.775, 2.0315];

/** Nearly U V' of the singular value decomposition U S V' of x. */
export function orthogonalized(x: Tensor, steps: number): Tensor {
  const wide = x.shape[0]! <= x.shape[1]!;
  let y = wide ? x : transpose(x);
  y = div(y, maximum(sqrt(sum(square(y))), 1e-7));
  for (let i = 0; i < steps; i++) {
    const gram = matMul(y, transpose(y));
    const polynomial = add(mul(gram, b), mul(matMul(gram, gram), c));
    y = add(mul(y, a), matMul(polynomial, y));
  }
  return wide ? y : transpose(y);
}

export class MuonOptimizer extends Optimizer {
  static override readonly className: string = 'Muon';
  protected override readonly slotNames: readonly string[] = ['m', 'v'];
  readonly #args: Required<Omit<MuonArgs, keyof OptimizerOptions | 'learningRate'>>;

  constructor(args: MuonArgs = {}) {
    const {
      learningRate = 0.02,
      momentum = 0.95,
      nesterov = true,
      nsSteps = 5,
      adamRateRatio = 0.05,
      exclude = ['embedding'],
      ...options
    } = args;
    super(learningRate, options);
    this.#args = { momentum, nesterov, nsSteps, adamRateRatio, exclude };
  }
  #isMatrix(variable: Variable): boolean {
    return variable.rank >= 2 && !this.#args.exclude.some((part) => variable.name.includes(part));
  }
  protected override slotShape(name: string, variable: Variable): readonly number[] {
    return name === 'v' && this.#isMatrix(variable) ? [1] : variable.shape;
  }
  protected override update(pairs: readonly GradientPair[]): void {
    for (const pair of pairs) {
      if (this.#isMatrix(pair.variable)) this.#matrixStep(pair);
      else this.#adamStep(pair);
    }
  }
  #matrixStep({ variable, gradient }: GradientPair): void {
    const { momentum, nesterov, nsSteps } = this.#args;
    const m = this.slot('m', variable);
    const next = add(mul(m, momentum), gradient);
    m.assign(next);
    const direction = nesterov ? add(gradient, mul(next, momentum)) : next;
    const shape: readonly number[] = variable.shape;
    const columns = shape[shape.length - 1];
    const matrix = reshape(direction, [variable.size / columns, columns]);
    const scale = Math.sqrt(Math.max(1, variable.size / columns / columns));
    const step = mul(reshape(orthogonalized(matrix, nsSteps), [...shape]), mul(this.rate, scale));
    variable.assign(sub(variable, step));
  }
  #adamStep({ variable, gradient }: GradientPair): void {
    const [beta1, beta2] = [0.9, 0.95];
    const t = add(this.step, 1);
    const m = this.slot('m', variable);
    const v = this.slot('v', variable);
    const nextM = add(mul(m, beta1), mul(gradient, 1 - beta1));
    const nextV = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
    m.assign(nextM);
    v.assign(nextV);
    const mean = div(nextM, sub(1, pow(scalar(beta1), t)));
    const size = sqrt(div(nextV, sub(1, pow(scalar(beta2), t))));
    const rate = mul(this.rate, this.#args.adamRateRatio);
    variable.assign(sub(variable, mul(div(mean, add(size, 1e-8)), rate)));
  }
  override getConfig(): Config {
    return { ...this.baseConfig(), ...this.#args };
  }
}
