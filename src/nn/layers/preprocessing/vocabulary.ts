/**
 * A vocabulary: tokens (strings or integers) with their numbers, special tokens in front, weights for TF-IDF, found in data or given.
 * Knows no layer and no tensor.
 */
import { fail } from '../../../base/errors.ts';
import type { OutputMode } from './encode.ts';

export type Token = string | number;

export interface VocabularyArgs {
  /** At most so many entries, special ones included; default: no limit. */
  maxTokens?: number | null;
  /** Numbers for what is not known; default 1. More are shared by hash; with none it is an error. */
  numOovIndices?: number;
  /** This token gets number 0 in int mode, and no number otherwise. */
  maskToken?: Token | null;
  /** Stands for what is not known, where numbers become tokens. */
  oovToken?: Token;
  /** The tokens; without them adapt() finds them. */
  vocabulary?: readonly Token[] | null;
  /** Weight of each token, for TF-IDF. */
  idfWeights?: readonly number[] | null;
  /** Whether adapt must not change the vocabulary; default: where one is given. Files say false where adapt found it. */
  hasInputVocabulary?: boolean;
  /** Rows are maxTokens wide, however many tokens there are; default false. */
  padToMaxTokens?: boolean;
}

export class Vocabulary {
  readonly maxTokens: number | null;
  readonly numOovIndices: number;
  readonly maskToken: Token | null;
  readonly oovToken: Token;
  readonly padToMaxTokens: boolean;
  /** Whether it was given: then adapt must not change it. */
  readonly given: boolean;
  readonly #label: string;
  readonly #mode: OutputMode;
  #tokens: readonly Token[] | null = null;
  #numbers = new Map<Token, number>();
  #idf: readonly number[] | null = null;
  #counts = new Map<Token, number>();
  #documents = new Map<Token, number>();
  #documentCount = 0;

  constructor(label: string, mode: OutputMode, args: VocabularyArgs, defaults: { mask: Token | null; oov: Token }) {
    this.#label = label;
    this.#mode = mode;
    this.maxTokens = args.maxTokens ?? null;
    this.numOovIndices = args.numOovIndices ?? 1;
    this.maskToken = args.maskToken === undefined ? defaults.mask : args.maskToken;
    this.oovToken = args.oovToken ?? defaults.oov;
    this.padToMaxTokens = args.padToMaxTokens ?? false;
    this.given = args.hasInputVocabulary ?? (args.vocabulary ?? null) !== null;
    const isCount = (n: number, least: number) => Number.isSafeInteger(n) && n >= least;
    if (this.maxTokens !== null && !isCount(this.maxTokens, 2)) {
      fail(label, 'maxTokens must be an integer of at least 2', `got ${this.maxTokens}`);
    }
    if (!isCount(this.numOovIndices, 0)) {
      fail(label, 'numOovIndices must be an integer of at least 0', `got ${args.numOovIndices}`);
    }
    if (this.padToMaxTokens && this.maxTokens === null) fail(label, 'padToMaxTokens needs maxTokens', 'there is none');
    if (args.idfWeights && mode !== 'tfIdf') fail(label, "idfWeights is for outputMode 'tfIdf'", `got '${mode}'`);
    if (args.vocabulary) this.set(args.vocabulary, args.idfWeights ?? null);
  }

  /** The number of the first OOV entry. */
  get oovStart(): number {
    return this.maskToken !== null && this.#mode === 'int' ? 1 : 0;
  }
  /** The number of the first token. */
  get tokenStart(): number {
    return this.oovStart + this.numOovIndices;
  }
  get known(): boolean {
    return this.#tokens !== null;
  }
  /** Tokens without the special ones, in the order of their numbers. */
  get tokens(): readonly Token[] {
    return this.#tokens ?? [];
  }
  get size(): number {
    return this.tokenStart + this.tokens.length;
  }
  /** How wide rows of all modes but int are. */
  get depth(): number {
    if (this.padToMaxTokens) return this.maxTokens!;
    if (!this.known)
      fail(this.#label, 'the layer must have a vocabulary', 'it has none', 'pass one, or call adapt(data)');
    return this.size;
  }
  /** A weight for each number, special ones included. */
  get idf(): readonly number[] | null {
    return this.#idf;
  }

  /** All entries by number. */
  list(includeSpecialTokens = true): Token[] {
    const special: Token[] = [
      ...(this.oovStart > 0 ? [this.maskToken!] : []),
      ...new Array<Token>(this.numOovIndices).fill(this.oovToken),
    ];
    return [...(includeSpecialTokens ? special : []), ...this.tokens];
  }

  /** Takes a list, with or without the special tokens in front. */
  set(list: readonly Token[], idf: readonly number[] | null): void {
    const label = this.#label;
    if (!Array.isArray(list) || list.length === 0) fail(label, 'a vocabulary must be a list of tokens', 'got none');
    const special = this.list().slice(0, this.tokenStart);
    const hasSpecial = special.length > 0 && special.every((token, i) => list[i] === token);
    const tokens = hasSpecial ? list.slice(this.tokenStart) : [...list];
    if (new Set(tokens).size < tokens.length) {
      const seen = new Set<Token>();
      const twice = tokens.filter((token) => seen.size === seen.add(token).size);
      fail(label, 'a vocabulary must have each token once', `got ${[...new Set(twice)].slice(0, 5).join(', ')} again`);
    }
    if (this.maskToken !== null && tokens.includes(this.maskToken)) {
      fail(label, `the mask token must stand first, or be left out`, `got '${this.maskToken}' among the tokens`);
    }
    if (this.maxTokens !== null && this.tokenStart + tokens.length > this.maxTokens) {
      const came = `got ${tokens.length} tokens and ${this.tokenStart} special ones`;
      fail(label, `a vocabulary may have ${this.maxTokens} entries`, came, 'raise maxTokens');
    }
    if (this.#mode === 'tfIdf') this.#setIdf(list, idf, hasSpecial);
    this.#tokens = tokens;
    this.#numbers = new Map(tokens.map((token, i) => [token, this.tokenStart + i]));
  }

  #setIdf(list: readonly Token[], idf: readonly number[] | null, hasSpecial: boolean): void {
    if (!idf) fail(this.#label, 'tfIdf needs idfWeights beside a vocabulary', 'there are none');
    if (idf.length !== list.length) {
      fail(this.#label, `idfWeights must have a weight for each of ${list.length} entries`, `got ${idf.length}`);
    }
    const mean = idf.reduce((a, b) => a + b, 0) / idf.length;
    const front = hasSpecial ? [] : new Array<number>(this.tokenStart).fill(mean);
    this.#idf = this.#padded([...front, ...idf]);
  }
  #padded(weights: readonly number[]): number[] {
    const missing = this.padToMaxTokens ? this.maxTokens! - weights.length : 0;
    return [...weights, ...new Array<number>(Math.max(0, missing)).fill(0)];
  }

  /** Forgets what was counted, before adapt. */
  reset(): void {
    if (this.given) fail(this.#label, 'adapt is for layers without a vocabulary', 'it was given one');
    this.#counts = new Map();
    this.#documents = new Map();
    this.#documentCount = 0;
  }

  /** Counts the tokens of documents. */
  count(documents: readonly (readonly Token[])[]): void {
    for (const document of documents) {
      for (const token of document) this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
      for (const token of new Set(document)) this.#documents.set(token, (this.#documents.get(token) ?? 0) + 1);
    }
    this.#documentCount += documents.length;
  }

  /** Takes the most frequent tokens; of equals the ones that come last in order. */
  finish(): void {
    const counts = new Map(this.#counts);
    if (this.maskToken !== null) counts.delete(this.maskToken);
    counts.delete(this.oovToken);
    if (counts.size === 0) return;
    const order = ([a, n]: [Token, number], [b, m]: [Token, number]) => m - n || (a < b ? 1 : a > b ? -1 : 0);
    const most = this.maxTokens === null ? counts.size : Math.max(0, this.maxTokens - this.tokenStart);
    const tokens = [...counts]
      .sort(order)
      .slice(0, most)
      .map(([token]) => token);
    this.#tokens = tokens;
    this.#numbers = new Map(tokens.map((token, i) => [token, this.tokenStart + i]));
    if (this.#mode !== 'tfIdf') return;
    const weights = tokens.map((token) => Math.log(1 + this.#documentCount / (1 + (this.#documents.get(token) ?? 0))));
    const mean = weights.reduce((a, b) => a + b, 0) / Math.max(1, weights.length);
    this.#idf = this.#padded([...new Array<number>(this.tokenStart).fill(mean), ...weights]);
  }

  /** The number of a token; `hash` gives that of an unknown one among several OOV numbers. */
  numberOf(token: Token, hash: (token: Token, buckets: number) => number): number {
    if (token === this.maskToken) return this.#mode === 'int' ? 0 : -1;
    const found = this.#numbers.get(token);
    if (found !== undefined) return found;
    if (this.numOovIndices === 1) return this.oovStart;
    if (this.numOovIndices > 1) return this.oovStart + hash(token, this.numOovIndices);
    return fail(
      this.#label,
      'every input must be in the vocabulary where numOovIndices is 0',
      `got ${JSON.stringify(token)}`,
      'set numOovIndices: 1',
    );
  }

  config(): { [name: string]: unknown } {
    const { maxTokens, numOovIndices, maskToken, oovToken, padToMaxTokens } = this;
    const vocabulary = this.known ? this.list() : null;
    return {
      maxTokens,
      numOovIndices,
      maskToken,
      oovToken,
      padToMaxTokens,
      vocabulary,
      hasInputVocabulary: this.given,
      idfWeights: this.#idf?.slice(0, this.size) ?? null,
    };
  }
}
