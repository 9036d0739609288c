/** A layer whose kernel is divided by its largest singular value (Miyato et al. 2018). */
import { fail } from '../../base/errors.ts';
import { div, matMul, maximum, reshape, sqrt, square, sum, type Tensor, transpose } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import type { CallOptions, Layer } from './layer.ts';
import { LayerVariable } from './layer_variable.ts';
import { checkPositiveInteger, type ShapeOrShapes } from './shapes.ts';
import { Wrapper, type WrapperArgs } from './wrapper.ts';

export interface SpectralNormalizationArgs extends WrapperArgs {
  /** A layer with a kernel or embeddings. */
  layer: Layer;
  /** Steps of power iteration in each training step; default 1. */
  powerIterations?: number;
}

const unit = (x: Tensor): Tensor => div(x, sqrt(maximum(sum(square(x)), 1e-12)));

/**
 * The layer inside, computed with W / sigma(W). sigma is found by power iteration, whose vector lives across steps; the weight
 * itself stays as it is, and the gradient goes through the quotient. Source: keras.layers.SpectralNormalization, which stores
 * the quotient in the weight instead.
 */
export class SpectralNormalization extends Wrapper {
  static override readonly className = 'SpectralNormalization';
  readonly powerIterations: number;
  #vector: LayerVariable | null = null;

  constructor(args: SpectralNormalizationArgs) {
    super(args);
    this.powerIterations = checkPositiveInteger(this.label, 'powerIterations', args.powerIterations ?? 1);
    this.supportsMasking = this.layer.supportsMasking;
  }

  get #kernel(): LayerVariable {
    const { kernel, embeddings } = this.layer as { kernel?: unknown; embeddings?: unknown };
    const found = kernel ?? embeddings;
    if (found instanceof LayerVariable) return found;
    return fail(this.label, 'the layer inside must have a kernel or embeddings', `${this.layer.name} has none`);
  }

  override build(inputShape: ShapeOrShapes): void {
    super.build(inputShape);
    const { shape } = this.#kernel;
    this.#vector = this.addWeight('vector_u', [1, shape[shape.length - 1]], {
      initializer: this.initializer(undefined, 'truncatedNormal'),
      trainable: false,
    });
  }

  override call(inputs: Tensor | Tensor[], options: CallOptions): Tensor | Tensor[] {
    const kernel = this.#kernel;
    const columns = kernel.shape[kernel.shape.length - 1];
    const matrix = reshape(kernel.val, [-1, columns]);
    const still = matrix.clone();
    let u: Tensor = this.#vector!.val;
    let v = unit(matMul(u, transpose(still)));
    if (options.training) {
      for (let i = 0; i < this.powerIterations; i++) {
        v = unit(matMul(u, transpose(still)));
        u = unit(matMul(v, still));
      }
      this.#vector!.val.assign(u);
    }
    const sigma = reshape(matMul(matMul(v, matrix), transpose(u)), []);
    kernel.substitute = div(kernel.val, sigma);
    try {
      return this.layer.apply(inputs, options) as Tensor | Tensor[];
    } finally {
      kernel.substitute = null;
    }
  }

  override getConfig(): Config {
    return { powerIterations: this.powerIterations, ...super.getConfig() };
  }
}
