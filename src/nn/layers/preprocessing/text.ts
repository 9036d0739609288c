/** Text to numbers: standardized, split, joined to n-grams, looked up. Runs on the host. */
import { fail } from '../../../base/errors.ts';
import { type Tensor, tensor } from '../../../tensor/index.ts';
import type { DType } from '../../../types/dtype.ts';
import type { Config } from '../../keras_config.ts';
import { failUnknownName, toCamelCase } from '../../naming.ts';
import { Layer, type LayerArgs } from '../layer.ts';
import { checkPositiveInteger, type KerasShape } from '../shapes.ts';
import { type AdaptData, eachBatch } from './adapt.ts';
import { encoded, type OutputMode, outputModeOf } from './encode.ts';
import { bucketOf } from './hashing.ts';
import { type Token, Vocabulary, type VocabularyArgs } from './vocabulary.ts';

type Standardize = (text: string) => string;
type Split = (text: string) => readonly string[];

export interface TextVectorizationArgs
  extends LayerArgs,
    Omit<VocabularyArgs, 'numOovIndices' | 'maskToken' | 'oovToken'> {
  /** 'lowerAndStripPunctuation' (the default), 'lower', 'stripPunctuation', null for nothing, or a function. */
  standardize?: 'lowerAndStripPunctuation' | 'lower' | 'stripPunctuation' | (string & {}) | Standardize | null;
  /** 'whitespace' (the default), 'character', null for nothing, or a function. */
  split?: 'whitespace' | 'character' | Split | null;
  /** Neighbours joined by a space: those of lengths 1 to n, or of the lengths given; default none. */
  ngrams?: number | readonly number[] | null;
  /** 'int' (the default), 'multiHot', 'count' or 'tfIdf'. */
  outputMode?: OutputMode | (string & {});
  /** In int mode: rows are cut or filled with 0 to this length; default the longest of the batch. */
  outputSequenceLength?: number | null;
}

const punctuation = /[!"#$%&()*+,\-./:;<=>?@[\\\]^_`{|}~']/g;
// As TensorFlow's strings.lower: letters of other alphabets stay as they are.
const lower = (text: string) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase());

const standards: { readonly [name: string]: Standardize } = {
  lower,
  stripPunctuation: (text) => text.replace(punctuation, ''),
  lowerAndStripPunctuation: (text) => lower(text).replace(punctuation, ''),
};
const splits: { readonly [name: string]: Split } = {
  whitespace: (text) => text.split(/[ \t\n\v\f\r]+/).filter((part) => part !== ''),
  character: (text) => [...text],
};

/** A function by its name, the function itself, or null for none. */
function choice<F>(
  label: string,
  what: string,
  value: unknown,
  known: { readonly [name: string]: F },
  fallback: string,
) {
  if (value === null) return { name: null, apply: null };
  if (typeof value === 'function') return { name: null, apply: value as F };
  const name = typeof value === 'string' ? toCamelCase(value) : (value ?? fallback);
  if (typeof name === 'string' && Object.hasOwn(known, name)) return { name, apply: known[name] };
  return failUnknownName(label, what, value, Object.keys(known));
}

/** N-grams of the given lengths, shorter ones first. */
function joined(tokens: readonly string[], widths: readonly number[] | null): readonly string[] {
  if (!widths) return tokens;
  return widths.flatMap((n) =>
    Array.from({ length: Math.max(0, tokens.length - n + 1) }, (_, i) => tokens.slice(i, i + n).join(' ')),
  );
}

/**
 * Texts, [batch] or [batch, 1], as rows of token numbers (0 fills up, 1 is unknown), or as rows over the vocabulary. adapt() finds the
 * vocabulary. Runs on the host: apply it to data before training, as in dataset.map. Source: keras.layers.TextVectorization.
 */
export class TextVectorization extends Layer {
  static override readonly className = 'TextVectorization';
  readonly outputMode: OutputMode;
  readonly outputSequenceLength: number | null;
  readonly ngrams: number | readonly number[] | null;
  readonly #standardize: { name: string | null; apply: Standardize | null };
  readonly #split: { name: string | null; apply: Split | null };
  readonly #widths: readonly number[] | null;
  readonly #entries: Vocabulary;

  constructor(args: TextVectorizationArgs = {}) {
    super(args);
    this.outputMode = outputModeOf(this.label, args.outputMode, ['int', 'multiHot', 'count', 'tfIdf'], 'int');
    this.outputSequenceLength = args.outputSequenceLength ?? null;
    if (this.outputSequenceLength !== null) {
      checkPositiveInteger(this.label, 'outputSequenceLength', this.outputSequenceLength);
      if (this.outputMode !== 'int')
        fail(this.label, "outputSequenceLength is for outputMode 'int'", `got '${this.outputMode}'`);
    }
    this.ngrams = args.ngrams ?? null;
    const widths = typeof this.ngrams === 'number' ? Array.from({ length: this.ngrams }, (_, i) => i + 1) : this.ngrams;
    for (const n of widths ?? []) checkPositiveInteger(this.label, 'ngrams', n);
    if (typeof this.ngrams === 'number') checkPositiveInteger(this.label, 'ngrams', this.ngrams);
    this.#widths = widths;
    this.#standardize = choice(this.label, 'standardize', args.standardize, standards, 'lowerAndStripPunctuation');
    this.#split = choice(this.label, 'split', args.split, splits, 'whitespace');
    this.#entries = new Vocabulary(this.label, this.outputMode, args, { mask: '', oov: '[UNK]' });
  }

  getVocabulary(includeSpecialTokens = true): Token[] {
    return this.#entries.list(includeSpecialTokens);
  }
  vocabularySize(): number {
    return this.#entries.size;
  }
  setVocabulary(vocabulary: readonly string[], idfWeights: readonly number[] | null = null): void {
    this.#entries.set(vocabulary, idfWeights);
  }

  /** The tokens of a text, before they are looked up. */
  tokensOf(text: string): readonly string[] {
    const standard = this.#standardize.apply ? this.#standardize.apply(text) : text;
    return joined(this.#split.apply ? this.#split.apply(standard) : [standard], this.#widths);
  }

  #documents(batch: Tensor): (readonly string[])[] {
    const wide = batch.rank > 1 && batch.shape[batch.rank - 1] !== 1;
    if (this.#split.apply && (wide || batch.rank > 2)) {
      fail(
        this.label,
        'texts must be [batch] or [batch, 1]',
        `got [${batch.shape}]`,
        'flatten them, or set split: null',
      );
    }
    const texts = batch.dataSync() as unknown as readonly string[];
    if (typeof texts[0] === 'number') fail(this.label, 'texts must be strings', `got ${batch.dtype}`);
    if (!wide) return texts.map((text) => this.tokensOf(text));
    const width = batch.shape[batch.rank - 1]!;
    return Array.from({ length: texts.length / width }, (_, i) =>
      texts.slice(i * width, (i + 1) * width).flatMap((text) => this.tokensOf(text)),
    );
  }

  /** Finds the vocabulary of texts: a tensor or a list of strings, or a dataset of batches (awaited). */
  async adapt(data: AdaptData, steps?: number): Promise<void> {
    this.#entries.reset();
    const update = (batch: Tensor) => this.#entries.count(this.#documents(batch));
    await eachBatch(this.label, data, update, () => this.#entries.finish(), steps);
  }

  protected override outputDType(): DType {
    return this.outputMode === 'int' ? 'int32' : 'float32';
  }
  override computeOutputShape(inputShape: KerasShape): KerasShape {
    return [inputShape[0] ?? null, this.outputMode === 'int' ? this.outputSequenceLength : this.#entries.depth];
  }
  override call(inputs: Tensor): Tensor {
    const hash = (token: Token, buckets: number) => bucketOf(String(token), buckets, null);
    const rows = this.#documents(inputs).map((tokens) => tokens.map((token) => this.#entries.numberOf(token, hash)));
    const single = inputs.rank === 0;
    const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
    const int = this.outputMode === 'int';
    const width = int ? (this.outputSequenceLength ?? longest) : longest;
    const numbers = new Int32Array(rows.length * width).fill(int ? 0 : -1);
    rows.forEach((row, i) => numbers.set(row.slice(0, width), i * width));
    const padded = tensor(numbers, single ? [width] : [rows.length, width], 'int32');
    if (int) return padded;
    const { idf, depth } = this.#entries;
    return encoded(this.label, padded, this.outputMode, depth, idf && tensor([...idf], [idf.length], 'float32'));
  }

  override getConfig(): Config {
    const own = (what: string, { name, apply }: { name: string | null; apply: unknown }) => {
      if (apply && name === null) fail(this.label, `${what} must be a name to be saved`, 'it is a function');
      return name;
    };
    const { maxTokens, padToMaxTokens, vocabulary, hasInputVocabulary, idfWeights } = this.#entries.config();
    const { outputMode, outputSequenceLength, ngrams } = this;
    return {
      maxTokens,
      padToMaxTokens,
      vocabulary,
      hasInputVocabulary,
      idfWeights,
      standardize: own('standardize', this.#standardize),
      split: own('split', this.#split),
      ngrams,
      outputMode,
      outputSequenceLength,
      ...super.getConfig(),
    };
  }
}
