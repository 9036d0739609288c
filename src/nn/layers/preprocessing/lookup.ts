/** Tokens to numbers and back, by a vocabulary. Strings are looked up on the host; integers inside of the compiled program. */
import { fail } from '../../../base/errors.ts';
import {
  add,
  cast,
  clipByValue,
  equal,
  gather,
  mod,
  makeStrings,
  reshape,
  scalar,
  searchSorted,
  type Tensor,
  tensor,
  where,
  zerosLike,
} from '../../../tensor/index.ts';
import type { DType } from '../../../types/dtype.ts';
import type { Config } from '../../keras_config.ts';
import { Layer, type LayerArgs } from '../layer.ts';
import type { KerasShape } from '../shapes.ts';
import { type AdaptData, eachBatch } from './adapt.ts';
import { encoded, encodedShape, type OutputMode, outputModeOf } from './encode.ts';
import { bucketOf, type Salt, saltOf } from './hashing.ts';
import { type Token, Vocabulary, type VocabularyArgs } from './vocabulary.ts';

const modes: readonly OutputMode[] = ['int', 'oneHot', 'multiHot', 'count', 'tfIdf'];

export interface LookupArgs extends LayerArgs, VocabularyArgs {
  /** Gives tokens for numbers; default false. */
  invert?: boolean;
  /** 'int' (the default), 'oneHot', 'multiHot', 'count' or 'tfIdf'. */
  outputMode?: OutputMode | (string & {});
  /** Makes the hash of unknown tokens another one. */
  salt?: Salt | null;
}

/** What both lookups share. */
abstract class IndexLookup extends Layer {
  readonly invert: boolean;
  readonly outputMode: OutputMode;
  readonly salt: readonly [number, number] | null;
  protected readonly entries: Vocabulary;

  constructor(args: LookupArgs, defaults: { mask: Token | null; oov: Token }) {
    super(args);
    this.invert = args.invert ?? false;
    this.outputMode = outputModeOf(this.label, args.outputMode, modes, 'int');
    if (this.invert && this.outputMode !== 'int')
      fail(this.label, "invert needs outputMode 'int'", `got '${this.outputMode}'`);
    this.salt = saltOf(this.label, args.salt);
    this.entries = new Vocabulary(this.label, this.outputMode, args, defaults);
  }

  /** The tokens by number; without the special ones if asked so. */
  getVocabulary(includeSpecialTokens = true): Token[] {
    return this.entries.list(includeSpecialTokens);
  }
  vocabularySize(): number {
    return this.entries.size;
  }
  /** Takes a vocabulary, with weights in tfIdf mode. */
  setVocabulary(vocabulary: readonly Token[], idfWeights: readonly number[] | null = null): void {
    this.entries.set(vocabulary, idfWeights);
  }

  protected abstract tokenOf(value: string | number): Token;

  /** Finds the vocabulary of the data: the most frequent tokens. Each row is a document for tfIdf. */
  async adapt(data: AdaptData, steps?: number): Promise<void> {
    this.entries.reset();
    const update = (batch: Tensor) => this.entries.count(this.documentsOf(batch));
    await eachBatch(this.label, data, update, () => this.entries.finish(), steps);
  }

  protected documentsOf(batch: Tensor): Token[][] {
    const values = Array.from(batch.dataSync() as unknown as ArrayLike<string | number>, (value) =>
      this.tokenOf(value),
    );
    const width = batch.rank > 1 ? batch.shape[batch.rank - 1]! : 1;
    return Array.from({ length: width > 0 ? values.length / width : 0 }, (_, i) =>
      values.slice(i * width, (i + 1) * width),
    );
  }

  protected override outputDType(): DType {
    return this.outputMode === 'int' ? 'int32' : 'float32';
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return this.outputMode === 'int' ? inputShape : encodedShape(inputShape, this.outputMode, this.entries.depth);
  }
  protected rows(numbers: Tensor): Tensor {
    if (this.outputMode === 'int') return numbers;
    const { idf, depth } = this.entries;
    return encoded(this.label, numbers, this.outputMode, depth, idf && tensor([...idf], [idf.length], 'float32'));
  }
  override getConfig(): Config {
    const { invert, outputMode, salt } = this;
    return { ...this.entries.config(), invert, outputMode, salt, ...super.getConfig() };
  }
}

/**
 * The number of each string: 0 for the mask token, then those for unknown ones, then the tokens. Runs on the host: apply it to data
 * before training, as in dataset.map. Source: keras.layers.StringLookup.
 */
export class StringLookup extends IndexLookup {
  static override readonly className = 'StringLookup';

  constructor(args: LookupArgs = {}) {
    super(args, { mask: null, oov: '[UNK]' });
  }
  protected override tokenOf(value: string | number): Token {
    return String(value);
  }
  /** The numbers of strings that are at hand. */
  numbersOf(texts: readonly string[]): Int32Array {
    const hash = (token: Token, buckets: number) => bucketOf(String(token), buckets, this.salt);
    return Int32Array.from(texts, (text) => this.entries.numberOf(text, hash));
  }
  override call(inputs: Tensor): Tensor {
    const values = inputs.dataSync() as unknown as ArrayLike<string | number>;
    const shape = [...inputs.shape];
    if (this.invert) {
      const names = this.getVocabulary();
      const oov = String(this.entries.oovToken);
      return makeStrings(
        Array.from(values, (n) => String(names[Number(n)] ?? oov)),
        shape,
      );
    }
    return this.rows(tensor(this.numbersOf(Array.from(values, String)), shape, 'int32'));
  }
}

export interface IntegerLookupArgs extends LookupArgs {
  /** How unknown integers share several OOV numbers: 'floormod' (the default) or 'farmhash', which runs on the host. */
  oovMethod?: 'floormod' | 'farmhash';
}

/** The number of each integer, as StringLookup has it. Source: keras.layers.IntegerLookup. */
export class IntegerLookup extends IndexLookup {
  static override readonly className = 'IntegerLookup';
  // Category numbers have no place in a small dtype.
  protected override readonly computesWide = true;
  readonly oovMethod: 'floormod' | 'farmhash';

  constructor(args: IntegerLookupArgs = {}) {
    super(args, { mask: null, oov: -1 });
    this.oovMethod = args.oovMethod ?? 'floormod';
    if (!['floormod', 'farmhash'].includes(this.oovMethod)) {
      fail(this.label, "oovMethod must be 'floormod' or 'farmhash'", `got ${JSON.stringify(args.oovMethod)}`);
    }
    if (this.salt && this.oovMethod !== 'farmhash') fail(this.label, "salt needs oovMethod 'farmhash'");
  }
  protected override tokenOf(value: string | number): Token {
    return Math.trunc(Number(value));
  }
  override call(inputs: Tensor): Tensor {
    const flat = reshape(cast(inputs, 'int32'), [inputs.size]);
    const numbers = this.invert ? this.#tokensOf(flat) : this.#numbersOf(flat);
    return this.rows(reshape(numbers, [...inputs.shape]));
  }
  #tokensOf(flat: Tensor): Tensor {
    const table = Int32Array.from([...this.getVocabulary(), this.entries.oovToken], Number);
    const last = table.length - 1;
    const inside = where(flat.less(0), scalar(last, 'int32'), flat);
    return gather(tensor(table), cast(clipByValue(cast(inside, 'float32'), 0, last), 'int32'));
  }
  #numbersOf(flat: Tensor): Tensor {
    const { entries } = this;
    if (entries.numOovIndices > 1 && this.oovMethod === 'farmhash') {
      const hash = (token: Token, buckets: number) => bucketOf(String(token), buckets, this.salt);
      const values = flat.dataSync() as ArrayLike<number>;
      return tensor(Int32Array.from(values, (value) => entries.numberOf(value, hash)));
    }
    const unknown = this.#unknown(flat);
    const sorted = entries.tokens
      .map((token, i) => ({ token: Number(token), number: entries.tokenStart + i }))
      .sort((a, b) => a.token - b.token);
    const known = sorted.length > 0 ? this.#found(flat, sorted, unknown) : unknown;
    if (entries.maskToken === null) return known;
    const masked = equal(flat, scalar(Number(entries.maskToken), 'int32'));
    return where(masked, scalar(this.outputMode === 'int' ? 0 : -1, 'int32'), known);
  }
  #found(flat: Tensor, sorted: readonly { token: number; number: number }[], unknown: Tensor): Tensor {
    const tokens = tensor(Int32Array.from(sorted, ({ token }) => token));
    const numbers = tensor(Int32Array.from(sorted, ({ number }) => number));
    const at = searchSorted(tokens, flat, 'left').minimum(scalar(sorted.length - 1, 'int32'));
    const hit = equal(gather(tokens, at), flat);
    if (this.entries.numOovIndices > 0) return where(hit, gather(numbers, at), unknown);
    // With no place for unknown integers their index is one that the gather refuses.
    return gather(numbers, where(hit, at, scalar(-1, 'int32')));
  }
  #unknown(flat: Tensor): Tensor {
    const { numOovIndices, oovStart } = this.entries;
    if (numOovIndices <= 1) return add(zerosLike(flat), scalar(oovStart, 'int32'));
    return add(mod(flat, scalar(numOovIndices, 'int32')), scalar(oovStart, 'int32'));
  }
  override getConfig(): Config {
    return { ...super.getConfig(), oovMethod: this.oovMethod };
  }
}
