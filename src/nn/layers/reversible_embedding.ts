/** An embedding that can be turned around: from vectors to scores of the vocabulary. */
import { fail } from '../../base/errors.ts';
import { div, matMul, mul, reshape, tanh, type Tensor, transpose } from '../../tensor/index.ts';
import type { Config } from '../keras_config.ts';
import type { Mask } from './call_context.ts';
import { Embedding, type EmbeddingArgs } from './embedding.ts';
import type { CallOptions } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import type { KerasShape } from './shapes.ts';
import type { SymbolicTensor } from './symbolic.ts';

export interface ReversibleEmbeddingArgs extends EmbeddingArgs {
  /** Whether both directions have the same weights; default true. */
  tieWeights?: boolean;
  /** Scores s become cap tanh(s / cap); default no cap. */
  logitSoftCap?: number | null;
}

/**
 * Rows of a table for indices; with `apply(x, { reverse: true })` the products of vectors with all rows, [..., outputDim] ->
 * [..., inputDim]. Source: keras.layers.ReversibleEmbedding.
 */
export class ReversibleEmbedding extends Embedding {
  static override readonly className = 'ReversibleEmbedding';
  readonly tieWeights: boolean;
  readonly logitSoftCap: number | null;
  reverseEmbeddings: LayerVariable | null = null;
  /** Whether the call that is being drawn or run goes from vectors to scores. */
  #reverse = false;

  constructor(args: ReversibleEmbeddingArgs) {
    super(args);
    this.tieWeights = args.tieWeights ?? true;
    this.logitSoftCap = args.logitSoftCap ?? null;
    if (this.logitSoftCap !== null && !(this.logitSoftCap > 0)) {
      fail(this.label, 'logitSoftCap must be positive', `got ${args.logitSoftCap}`);
    }
  }
  override build(): void {
    super.build();
    if (this.tieWeights) return;
    this.reverseEmbeddings = this.addWeight('reverse_embeddings', [this.outputDim, this.inputDim], {
      initializer: this.embeddingsInitializer,
    });
  }
  #turned<T>(options: CallOptions, body: () => T): T {
    const before = this.#reverse;
    this.#turn(options['reverse'] === true);
    try {
      return body();
    } finally {
      this.#turn(before);
    }
  }
  #turn(reverse: boolean): void {
    this.#reverse = reverse;
    this.inputSpec = reverse ? { minRank: 2, axes: { [-1]: this.outputDim } } : {};
  }
  protected override draw(list: SymbolicTensor[], isList: boolean, options: CallOptions) {
    return this.#turned(options, () => super.draw(list, isList, options));
  }
  protected override run(list: readonly Tensor[], isList: boolean, options: CallOptions): Tensor | Tensor[] {
    return this.#turned(options, () => super.run(list, isList, options));
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.#reverse ? [...inputShape.slice(0, -1), this.inputDim] : super.computeOutputShape(inputShape);
  }
  override call(inputs: Tensor, options: CallOptions = {}): Tensor {
    if (options['reverse'] !== true) return super.call(inputs);
    const kernel = this.reverseEmbeddings?.read() ?? transpose(this.embeddings!.read());
    const lead = inputs.shape.slice(0, -1);
    const rows = reshape(inputs, [inputs.size / this.outputDim, this.outputDim]);
    const scores = reshape(matMul(rows, kernel), [...lead, this.inputDim]);
    return this.logitSoftCap === null ? scores : mul(tanh(div(scores, this.logitSoftCap)), this.logitSoftCap);
  }
  override computeMask(inputs: Tensor, mask?: Mask): Mask {
    return this.#reverse ? (mask ?? null) : super.computeMask(inputs);
  }
  override getConfig(): Config {
    return { tieWeights: this.tieWeights, logitSoftCap: this.logitSoftCap, ...super.getConfig() };
  }
}
