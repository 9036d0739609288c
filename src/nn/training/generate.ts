/**
 * Sequences from a model that predicts the next token: model.generateTokens. Each token costs one step, because what came before is kept
 * (KeyValueCache), and all steps are one program. Knows no text.
 */
import { fail } from '../../base/errors.ts';
import {
  argMax,
  div,
  dynamicSlice,
  jit,
  type Jitted,
  less,
  nextRandomKey,
  random,
  reshape,
  slice,
  stack,
  Tensor,
  tensor,
  topk,
  where,
  zeros,
} from '../../tensor/index.ts';
import { preActivationOf } from '../layers/call_context.ts';
import { KeyValueCache } from '../layers/key_value_cache.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { checkCount } from './checks.ts';
import { Pace } from './pace.ts';

export interface GenerateArgs {
  /** Tokens of a whole sequence, the prompt's included. */
  maxLength: number;
  /** Logits are divided by it before a token is drawn; 0 takes the likeliest one. Default 1. */
  temperature?: number;
  /** Draws among so many of the likeliest tokens only; default all. */
  topK?: number;
  /** The same seed draws the same tokens. Default: from the global random state (tf.setSeed). */
  seed?: number;
  /**
   * The most tokens that the model looks back at. Where a sequence grows longer, the newer half of them is read anew, and so on.
   * Default maxLength.
   */
  contextLength?: number;
  /** A sequence ends with this token; in a batch more of it follows until all have ended. */
  endToken?: number;
  /** Called with the new token of each sequence; returning false ends the generation. */
  onToken?: (tokens: readonly number[]) => unknown;
  /** false reads the whole context again for each token: slow, to compare with. Default true. */
  useCache?: boolean;
}

/** Prompts are read in blocks of so many tokens, and the rest one by one: two programs serve every length. */
const block = 16;
/** So many tokens are read both ways at first, to find models that cannot be run step by step. */
const probe = 6;

/** How a token is drawn; part of the program. */
type Draw = { readonly greedy: boolean; readonly topK: number | null };

interface Sampling {
  readonly draw: Draw;
  readonly key: Tensor;
  readonly temperature: Tensor;
}

type Step = Jitted<
  [x: Tensor, at: Tensor, count: Tensor, key: Tensor, temperature: Tensor, draw: Draw, cached: boolean],
  { token: Tensor; logits: Tensor }
>;

/** Logits [batch, classes] at step `at` of what the model gives: logits, or probabilities of a softmax, for each step or the last. */
function logitsAt(label: string, output: unknown, at: Tensor, padded: boolean): Tensor {
  if (!(output instanceof Tensor)) fail(label, 'generateTokens needs a model with one output', `got ${typeof output}`);
  const before = preActivationOf(output);
  const scores = before?.activation.name === 'softmax' ? before.value : output;
  const [batch, steps, classes] = scores.shape as readonly number[];
  if (scores.rank === 2 && !padded) return scores;
  if (scores.rank !== 3) {
    const came = `got [${scores.shape}]`;
    fail(label, 'generateTokens needs a model whose output is [batch, steps, tokens] or [batch, tokens]', came);
  }
  if (steps === 1) return reshape(scores, [batch, classes]);
  const zero = zeros([], 'int32');
  return reshape(dynamicSlice(scores, stack([zero, at, zero]), [batch, 1, classes]), [batch, classes]);
}

/** A token for each row of logits [batch, classes]: int32 [batch]. */
function drawn(logits: Tensor, key: Tensor, temperature: Tensor, { greedy, topK }: Draw): Tensor {
  if (greedy) return argMax(logits, -1);
  const scaled = div(logits, temperature);
  const [batch, classes] = logits.shape as readonly number[];
  if (topK === null || topK >= classes) return random.categorical(key, scaled);
  const least = slice(topk(scaled, topK).values, [0, topK - 1], [batch, 1]);
  return random.categorical(key, where(less(scaled, least), Number.NEGATIVE_INFINITY, scaled));
}

/** The programs and the cache for one model, batch size and context. */
export class Generator {
  readonly #model: LayersModel;
  readonly batch: number;
  readonly context: number;
  readonly #cache: KeyValueCache;
  readonly #step: Step;
  readonly #pace = new Pace('generateTokens');
  /** The sequences' tokens [from, from + kept) are in the cache. */
  #from = 0;
  #kept = 0;
  #checked = false;
  busy = false;

  constructor(model: LayersModel, batch: number, context: number) {
    this.#model = model;
    this.batch = batch;
    this.context = context;
    this.#cache = new KeyValueCache({ maxLength: context });
    this.#step = jit((x, at, count, key, temperature, draw, cached) => {
      const output: unknown = model.apply(x, { training: false, cache: cached ? this.#cache : null });
      const logits = logitsAt(model.label, output, at, !cached && x.shape[1]! > 1);
      return { token: drawn(logits, random.foldIn(key, count), temperature, draw), logits };
    }, 'generate');
  }

  /** Starts new sequences. */
  reset(): void {
    this.#cache.reset();
    this.#from = 0;
    this.#kept = 0;
  }

  /** The next token of each sequence. */
  async next(sequences: readonly number[][], sampling: Sampling, useCache: boolean): Promise<number[]> {
    const length = sequences[0].length;
    if (length - this.#from > this.context) {
      this.reset();
      this.#from = length - Math.ceil(this.context / 2);
    }
    if (!useCache) {
      const window = sequences.map((tokens) => tokens.slice(this.#from));
      const padded = window.map((tokens) => [...tokens, ...new Array(this.context - tokens.length).fill(0)]);
      return (await this.#run(padded, length - this.#from - 1, length, sampling, false)).tokens;
    }
    for (;;) {
      const begin = this.#from + this.#kept;
      const steps = length - begin >= block ? block : 1;
      const part = sequences.map((tokens) => tokens.slice(begin, begin + steps));
      const { tokens } = await this.#run(part, steps - 1, length, sampling, true);
      this.#kept += steps;
      if (this.#from + this.#kept === length) return tokens;
    }
  }

  async #run(x: readonly number[][], at: number, count: number, sampling: Sampling, cached: boolean) {
    const inputs = [tensor(x.flat(), [x.length, x[0].length], 'int32'), tensor(at, [], 'int32')] as const;
    const number = tensor(count, [], 'int32');
    const { key, temperature, draw } = sampling;
    const started = performance.now();
    const inBackground = this.#pace.async;
    const run = inBackground ? this.#step.async : this.#step;
    const { token, logits } = await run(...inputs, number, key, temperature, draw, cached);
    const tokens = [...token.dataSync()];
    const numbers = (): Float32Array => logits.dataSync() as Float32Array;
    this.#pace.stepTook(performance.now() - started);
    await this.#pace.afterBatch(inBackground);
    const result = { tokens, logits: this.#checked ? null : numbers() };
    for (const one of [...inputs, number, token, logits]) one.dispose();
    return result;
  }

  /** Once: a model whose layers mix steps in other ways than attention to earlier ones and recurrence would give nonsense. */
  async check(sequences: readonly number[][], sampling: Sampling): Promise<void> {
    if (this.#checked) return;
    const steps = Math.min(this.context, probe);
    const tokens = sequences.map((row) => Array.from({ length: steps }, (_, i) => row[i % row.length]));
    const whole = (await this.#run(tokens, steps - 1, 0, sampling, false)).logits!;
    let last = whole;
    for (let i = 0; i < steps; i++) {
      const part = tokens.map((row) => [row[i]]);
      last = (await this.#run(part, 0, 0, sampling, true)).logits!;
    }
    this.reset();
    const { label } = this.#model;
    if (whole.some(Number.isNaN)) fail(label, 'generateTokens needs a model whose outputs are numbers', 'got NaN');
    const far = whole.findIndex(
      (value, i) => value !== last[i] && !(Math.abs(value - last[i]) < 1e-2 * (1 + Math.abs(value))),
    );
    if (far >= 0) {
      const must =
        'each step of the model must follow from it and those before, through causal attention or recurrence';
      const came = `step by step output ${far} is ${last[far]}, and ${whole[far]} for all steps at once`;
      fail(label, must, came, 'useCache: false reads the whole context for each token');
    }
    this.#checked = true;
  }

  dispose(): void {
    this.#step.dispose();
    this.#cache.dispose();
  }
}

/** Prompts as lists of tokens, and whether one came alone. */
function promptsOf(op: string, prompt: unknown): { rows: number[][]; single: boolean } {
  const given: unknown = prompt instanceof Tensor ? prompt.arraySync() : prompt;
  const single = Array.isArray(given) && !given.some(Array.isArray);
  const rows: unknown[] = single ? [given] : ((given as unknown[] | null) ?? []);
  const isRow = (row: unknown): row is number[] =>
    Array.isArray(row) && row.length > 0 && row.every((token) => Number.isSafeInteger(token) && token >= 0);
  if (!Array.isArray(given) || rows.length === 0 || !rows.every(isRow)) {
    const must = 'prompt must be tokens [steps] or [batch, steps]: integers from 0, at least one';
    fail(op, must, `got ${prompt instanceof Tensor ? `${prompt.dtype}[${prompt.shape}]` : JSON.stringify(prompt)}`);
  }
  const lists = rows as number[][];
  const odd = lists.find((row) => row.length !== lists[0].length);
  if (odd) fail(op, 'prompts must have equal lengths', `got ${lists[0].length} and ${odd.length}`);
  return { rows: lists.map((row) => [...row]), single };
}

function samplingOf(op: string, { temperature = 1, topK, seed }: GenerateArgs): Sampling {
  if (!(temperature >= 0 && Number.isFinite(temperature))) {
    fail(op, 'temperature must be a number of at least 0', `got ${temperature}`);
  }
  if (seed !== undefined && !Number.isSafeInteger(seed)) fail(op, 'seed must be an integer', `got ${seed}`);
  return {
    draw: { greedy: temperature === 0, topK: topK === undefined ? null : checkCount(op, 'topK', topK) },
    key: seed === undefined ? nextRandomKey() : random.key(seed),
    temperature: tensor(temperature, [], 'float32'),
  };
}

/** See LayersModel.generateTokens. */
export async function generate(
  prompt: unknown,
  args: GenerateArgs,
  generatorFor: (batch: number, context: number) => Generator,
): Promise<Tensor> {
  const op = 'generateTokens';
  const { rows, single } = promptsOf(op, prompt);
  const maxLength = checkCount(op, 'maxLength', args?.maxLength);
  if (rows[0].length >= maxLength) {
    const came = `got ${rows[0].length} tokens and ${maxLength}`;
    fail(op, 'maxLength, which includes the prompt, must be greater than its length', came);
  }
  const sampling = samplingOf(op, args);
  const useCache = args.useCache ?? true;
  const generator = generatorFor(rows.length, checkCount(op, 'contextLength', args.contextLength ?? maxLength));
  const ended = rows.map(() => false);
  generator.busy = true;
  try {
    generator.reset();
    if (useCache) await generator.check(rows, sampling);
    while (rows[0].length < maxLength && ended.includes(false)) {
      const tokens = await generator.next(rows, sampling, useCache);
      rows.forEach((row, i) => {
        row.push(ended[i] ? args.endToken! : tokens[i]);
        if (tokens[i] === args.endToken) ended[i] = true;
      });
      if (args.onToken?.(rows.map((row) => row[row.length - 1])) === false) break;
    }
  } finally {
    generator.busy = false;
    sampling.key.dispose();
    sampling.temperature.dispose();
  }
  return tensor(rows.flat(), single ? [rows[0].length] : [rows.length, rows[0].length], 'int32');
}
