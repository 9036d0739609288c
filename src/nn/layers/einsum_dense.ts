/** A dense layer whose sums an equation says. */
import { fail } from '../../base/errors.ts';
import { add, einsum, type Tensor } from '../../tensor/index.ts';
import { type Activation, type ActivationIdentifier, getActivation } from '../activations.ts';
import type { Constraint, ConstraintIdentifier } from '../constraints.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import type { Regularizer, RegularizerIdentifier } from '../regularizers.ts';
import { ActivatedLayer } from './activated.ts';
import type { LayerArgs } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import { type KerasShape, showKerasShape } from './shapes.ts';

export interface EinsumDenseArgs extends LayerArgs {
  /** 'ab,bc->ac' is Dense; '...x,xy->...y' for any number of axes in front. */
  equation: string;
  /** The shape of the output without the batch (and without the axes of '...'); null where it is the input's. */
  outputShape: number | readonly (number | null)[];
  activation?: ActivationIdentifier | Activation;
  /** The output's axes along which the bias varies, as 'd'; default: no bias. */
  biasAxes?: string | null;
  /** Default 'glorotUniform'. */
  kernelInitializer?: InitializerIdentifier | Initializer;
  biasInitializer?: InitializerIdentifier | Initializer;
  kernelRegularizer?: RegularizerIdentifier | Regularizer;
  biasRegularizer?: RegularizerIdentifier | Regularizer;
  kernelConstraint?: ConstraintIdentifier | Constraint;
  biasConstraint?: ConstraintIdentifier | Constraint;
}

/** What an equation asks for. */
interface Plan {
  readonly kernel: readonly number[];
  readonly bias: readonly number[] | null;
  readonly output: KerasShape;
}

const elided = '...';

/**
 * activation(einsum(equation, x, kernel) + bias). Extents of the kernel are the input's, or for labels that only the output has those of
 * outputShape. Source: keras.layers.EinsumDense.
 */
export class EinsumDense extends ActivatedLayer {
  static override readonly className = 'EinsumDense';
  readonly equation: string;
  readonly partialOutputShape: readonly (number | null)[];
  readonly activation: Activation;
  readonly biasAxes: string | null;
  readonly kernelInitializer: Initializer;
  readonly biasInitializer: Initializer;
  readonly kernelRegularizer: Regularizer | null;
  readonly biasRegularizer: Regularizer | null;
  readonly kernelConstraint: Constraint | null;
  readonly biasConstraint: Constraint | null;
  kernel: LayerVariable | null = null;
  bias: LayerVariable | null = null;

  constructor(args: EinsumDenseArgs) {
    super(args);
    this.equation = args.equation;
    const parts = /^(\.{3})?([a-zA-Z]+)(\.{3})?,([a-zA-Z]+)->(\.{3})?([a-zA-Z]+)(\.{3})?$/.exec(args.equation ?? '');
    const matches = parts && Boolean(parts[1]) === Boolean(parts[5]) && Boolean(parts[3]) === Boolean(parts[7]);
    if (!matches || (parts[1] && parts[3])) {
      const must = "equation must be like 'ab,bc->ac', with '...' on one side of input and output or none";
      fail(this.label, must, `got ${JSON.stringify(args.equation)}`);
    }
    const { outputShape } = args as { outputShape: unknown };
    this.partialOutputShape = [outputShape].flat() as (number | null)[];
    const valid = this.partialOutputShape.every((n) => n === null || (Number.isSafeInteger(n) && n > 0));
    if (!valid || outputShape === undefined) {
      fail(this.label, 'outputShape must be positive integers, or null', `got ${JSON.stringify(outputShape)}`);
    }
    this.activation = getActivation(this.label, args.activation);
    this.biasAxes = args.biasAxes ?? null;
    this.kernelInitializer = this.initializer(args.kernelInitializer, 'glorotUniform');
    this.biasInitializer = this.initializer(args.biasInitializer, 'zeros');
    this.kernelRegularizer = this.regularizer(args.kernelRegularizer);
    this.biasRegularizer = this.regularizer(args.biasRegularizer);
    this.kernelConstraint = this.constraint(args.kernelConstraint);
    this.biasConstraint = this.constraint(args.biasConstraint);
  }

  #plan(inputShape: KerasShape): Plan {
    const [left, output] = this.equation.split('->');
    const [input, kernel] = left.split(',');
    const labels = (text: string) => text.replace(elided, '');
    const inner = labels(input);
    const hidden = input.includes(elided) ? inputShape.length - inner.length : 0;
    if (input.includes(elided) ? hidden < 0 : inner.length !== inputShape.length) {
      fail(this.label, `the input must have the axes '${input}'`, `got ${showKerasShape(inputShape)}`);
    }
    const leftElided = input.startsWith(elided);
    const own = leftElided ? inputShape.slice(hidden) : inputShape.slice(0, inner.length);
    const extents = new Map<string, number | null>([...inner].map((label, i) => [label, own[i]]));
    const outer = labels(output);
    const given = this.#outputExtents(outer, leftElided && hidden > 0, extents);
    const found = [...outer].map((label, i) => given[i] ?? extents.get(label) ?? null);
    const known = (label: string): number => {
      const extent = extents.get(label) ?? (outer.includes(label) ? found[outer.indexOf(label)] : null);
      if (extent !== null) return extent;
      return fail(this.label, `the extent of '${label}' must be known`, `got ${showKerasShape(inputShape)}`);
    };
    const middle = leftElided ? inputShape.slice(0, hidden) : inputShape.slice(inner.length);
    const shape = leftElided ? [...middle, ...found] : [...found, ...middle];
    return {
      kernel: [...kernel].map(known),
      bias: this.#biasShape(outer, found, leftElided ? 0 : hidden),
      output: shape,
    };
  }

  /** Extents of the output's labels that were given: without the batch, which an elided front has in it. */
  #outputExtents(outer: string, frontElided: boolean, extents: ReadonlyMap<string, number | null>): (number | null)[] {
    const { partialOutputShape: partial } = this;
    const missing = outer.length - partial.length;
    if (missing !== 0 && (missing !== 1 || frontElided)) {
      const came = `got ${showKerasShape(partial)} for '${outer}'`;
      fail(this.label, "outputShape must have an extent for each of the output's axes without the batch", came);
    }
    const full = [...new Array<null>(missing).fill(null), ...partial];
    full.forEach((n, i) => {
      const extent = extents.get(outer[i]);
      if (n === null || extent === undefined || extent === null || n === extent) return;
      fail(this.label, `'${outer[i]}' must have one extent`, `the input has ${extent}, outputShape ${n}`);
    });
    return full;
  }

  #biasShape(outer: string, found: KerasShape, after: number): number[] | null {
    if (!this.biasAxes) return null;
    const odd = [...this.biasAxes].find((label) => !outer.includes(label));
    if (odd) fail(this.label, `biasAxes must be among the output's axes '${outer}'`, `got '${odd}'`);
    const first = Math.min(...[...this.biasAxes].map((label) => outer.indexOf(label)));
    const shape = [...outer].slice(first).map((label, i): number => {
      if (!this.biasAxes!.includes(label)) return 1;
      const extent = found[first + i];
      return extent ?? fail(this.label, `the extent of '${label}' must be known for a bias`, 'it is not');
    });
    return [...shape, ...new Array<number>(after).fill(1)];
  }

  override build(inputShape: KerasShape): void {
    const { kernel, bias } = this.#plan(inputShape);
    this.kernel = this.addWeight('kernel', kernel, {
      initializer: this.kernelInitializer,
      regularizer: this.kernelRegularizer,
      constraint: this.kernelConstraint,
    });
    if (!bias) return;
    this.bias = this.addWeight('bias', bias, {
      initializer: this.biasInitializer,
      regularizer: this.biasRegularizer,
      constraint: this.biasConstraint,
    });
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.#plan(inputShape).output;
  }
  override preActivation(inputs: Tensor): Tensor {
    const y = einsum(this.equation, inputs, this.kernel!.read());
    if (!this.bias) return y;
    return add(y, this.bias.read());
  }
  override getConfig(): Config {
    return {
      equation: this.equation,
      outputShape: this.partialOutputShape,
      activation: this.activation.name,
      biasAxes: this.biasAxes,
      kernelInitializer: serialize(this.kernelInitializer),
      biasInitializer: serialize(this.biasInitializer),
      kernelRegularizer: serialize(this.kernelRegularizer),
      biasRegularizer: serialize(this.biasRegularizer),
      kernelConstraint: serialize(this.kernelConstraint),
      biasConstraint: serialize(this.biasConstraint),
      ...super.getConfig(),
    };
  }
}
