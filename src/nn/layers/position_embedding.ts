/** Vectors for the places of a sequence. */
import { fail } from '../../base/errors.ts';
import { broadcastTo, dynamicSlice, slice, stack, type Tensor, zeros } from '../../tensor/index.ts';
import type { Initializer, InitializerIdentifier } from '../initializers.ts';
import { type Config, serialize } from '../keras_config.ts';
import { activeCache } from './key_value_cache.ts';
import { type CallOptions, Layer, type LayerArgs } from './layer.ts';
import type { LayerVariable } from './layer_variable.ts';
import { checkPositiveInteger, type KerasShape, showKerasShape } from './shapes.ts';

export interface PositionEmbeddingArgs extends LayerArgs {
  /** The longest sequence. */
  sequenceLength: number;
  /** Default 'glorotUniform'. */
  initializer?: InitializerIdentifier | Initializer;
}

export interface PositionEmbeddingCallOptions extends CallOptions {
  /** The place of the first step; default 0, or the steps that a cache has. */
  startIndex?: number;
}

/**
 * A learnt vector for each place: input [batch, steps, depth], output of the same shape, row i of the table [sequenceLength, depth]
 * for step i, to be added to the input. Source: keras_hub.layers.PositionEmbedding.
 */
export class PositionEmbedding extends Layer {
  static override readonly className = 'PositionEmbedding';
  readonly sequenceLength: number;
  readonly embeddingsInitializer: Initializer;
  positionEmbeddings: LayerVariable | null = null;

  constructor(args: PositionEmbeddingArgs) {
    super(args);
    this.sequenceLength = checkPositiveInteger(this.label, 'sequenceLength', args?.sequenceLength);
    this.embeddingsInitializer = this.initializer(args.initializer, 'glorotUniform');
    this.supportsMasking = true;
    this.inputSpec = { rank: 3, hint: 'a sequence needs [batch, steps, depth]' };
  }

  override build(inputShape: KerasShape): void {
    const depth = inputShape[2];
    if (depth === null) fail(this.label, 'the depth of the input must be known', `got ${showKerasShape(inputShape)}`);
    this.positionEmbeddings = this.addWeight('embeddings', [this.sequenceLength, depth], {
      initializer: this.embeddingsInitializer,
    });
  }

  override computeOutputShape(inputShape: KerasShape): KerasShape {
    const steps = inputShape[1];
    if (steps !== null) this.#checkEnd(steps);
    return inputShape;
  }

  override call(inputs: Tensor, { startIndex }: PositionEmbeddingCallOptions): Tensor {
    const [batch, steps, depth] = inputs.shape as readonly number[];
    const table = this.positionEmbeddings!.read();
    const cache = startIndex === undefined ? activeCache() : null;
    this.#checkEnd((startIndex ?? 0) + steps);
    const rows = cache
      ? dynamicSlice(table, stack([cache.start, zeros([], 'int32')]), [steps, depth])
      : slice(table, [startIndex ?? 0, 0], [steps, depth]);
    return broadcastTo(rows, [batch, steps, depth]);
  }

  #checkEnd(end: number): void {
    if (end <= this.sequenceLength) return;
    fail(this.label, `there are ${this.sequenceLength} places`, `got ${end} steps`, 'give it a longer sequenceLength');
  }

  override getConfig(): Config {
    return {
      sequenceLength: this.sequenceLength,
      initializer: serialize(this.embeddingsInitializer),
      ...super.getConfig(),
    };
  }
}
