/**
 * What a model keeps of the steps it has seen, so that the next one costs one step: keys and values of attention, states of
 * recurrent layers, and how many steps there were. Each is a variable of a fixed shape, so one compiled program serves every
 * step. Knows no layer's formula and no sampling.
 */
import { fail } from '../../base/errors.ts';
import {
  add,
  dynamicUpdateSlice,
  eagerly,
  fill,
  isTracing,
  stack,
  type Tensor,
  untracked,
  type Variable,
  variable,
  zeros,
} from '../../tensor/index.ts';
import type { DType } from '../../types/dtype.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import { uniqueVariableName } from '../naming.ts';
import { checkPositiveInteger } from './shapes.ts';

export interface KeyValueCacheArgs {
  /** The most steps that attention can keep. */
  maxLength: number;
}

/** Whoever keeps something: a layer. */
interface Keeper {
  readonly name: string;
  readonly label: string;
}

/** What one call of a layer within a pass keeps, by name. */
type Slot = Map<string, Variable>;

let active: KeyValueCache | null = null;

/** Runs `body` as if there were no pass: where a layer's call is only asked for its shape. */
export function withoutCache<T>(body: () => T): T {
  const outer = active;
  active = null;
  try {
    return body();
  } finally {
    active = outer;
  }
}

/** The cache of the pass that is running; null where steps are not kept. */
export function activeCache(): KeyValueCache | null {
  return active;
}

/**
 * The steps so far of one batch of sequences: `model.apply(tokens, { cache })` continues them with tokens [batch, steps], and gives
 * what the whole sequences would have given at these steps. Memory is taken at the first pass:
 * 2 x batch x heads x maxLength x size numbers for each attention layer.
 *
 *   const cache = new tf.KeyValueCache({ maxLength: 256 });
 *   const step = tf.jit((tokens) => model.apply(tokens, { cache }));
 *   let logits = step(tf.tensor([[1, 2, 3]], undefined, 'int32')); // the prompt
 *   logits = step(tf.tensor([[4]], undefined, 'int32'));            // one more token
 */
export class KeyValueCache {
  readonly maxLength: number;
  readonly #slots = new Map<Keeper, Slot[]>();
  /** Calls of each layer in the pass that is running: a shared layer keeps something for each of its calls. */
  readonly #calls = new Map<Keeper, number>();
  #position: Variable | null = null;
  /** Where the steps of the running pass begin. */
  #start: Tensor | null = null;
  /** What the running pass will have changed when it is through: one that fails changes nothing. */
  readonly #changes = new Map<Variable, Tensor>();

  constructor(args: KeyValueCacheArgs) {
    this.maxLength = checkPositiveInteger('KeyValueCache', 'maxLength', args?.maxLength);
  }

  get #places(): Variable {
    this.#position ??= untracked(() =>
      eagerly(() => variable(0, false, uniqueVariableName('cache/position'), 'int32')),
    );
    return this.#position;
  }

  /** Steps kept so far. */
  get length(): number {
    return eagerly(() => this.#position?.dataSync()[0] ?? 0);
  }

  /** Forgets all steps; programs that use the cache stay compiled. */
  reset(): void {
    this.#position?.assign(zeros([], 'int32'));
    for (const slots of this.#slots.values()) {
      for (const slot of slots) for (const kept of slot.values()) kept.assign(zeros(kept.shape, kept.dtype as DType));
    }
  }

  /** Frees the memory. */
  dispose(): void {
    this.#position?.dispose();
    this.#position = null;
    for (const slots of this.#slots.values())
      for (const slot of slots) for (const kept of slot.values()) kept.dispose();
    this.#slots.clear();
  }

  /** @internal Where the steps of this pass begin: int32 []. */
  get start(): Tensor {
    return this.#start ?? fail('KeyValueCache', 'the cache must be in use', 'no pass is running');
  }

  /** @internal Runs a pass over `steps` more steps. */
  pass<T>(label: string, steps: number, body: () => T): T {
    if (active === this) return body();
    if (active) fail(label, 'a pass must use one cache', 'another one is in use around it');
    // In a program the place is data: there dynamicUpdateSlice checks it.
    if (!isTracing() && this.length + steps > this.maxLength) {
      const came = `it has ${this.length} of ${this.maxLength} and got ${steps} more`;
      fail(label, `the cache must have room for all steps`, came, 'make it longer, or reset it');
    }
    active = this;
    this.#calls.clear();
    this.#changes.clear();
    this.#start = this.#places.clone();
    try {
      const result = body();
      this.#places.assign(add(this.#start, fill([], steps, 'int32')));
      for (const [kept, value] of this.#changes) kept.assign(value);
      return result;
    } finally {
      active = null;
      this.#start = null;
      this.#changes.clear();
    }
  }

  /** @internal After the pass the variable has that value. */
  change(kept: Variable, value: Tensor): void {
    this.#changes.set(kept, value);
  }

  /** @internal What this call of the layer keeps. */
  enter(keeper: Keeper): CacheSlot {
    const slots = this.#slots.get(keeper) ?? [];
    this.#slots.set(keeper, slots);
    const call = this.#calls.get(keeper) ?? 0;
    this.#calls.set(keeper, call + 1);
    slots[call] ??= new Map();
    return new CacheSlot(this, keeper, slots[call]);
  }
}

/** What one call of one layer keeps. */
export class CacheSlot {
  readonly cache: KeyValueCache;
  readonly #keeper: Keeper;
  readonly #kept: Slot;

  constructor(cache: KeyValueCache, keeper: Keeper, kept: Slot) {
    this.cache = cache;
    this.#keeper = keeper;
    this.#kept = kept;
  }

  /** Where this pass begins. */
  get start(): Tensor {
    return this.cache.start;
  }

  /** The variable of that name, zeros at first. */
  state(name: string, shape: readonly number[], dtype: DType = 'float32'): Variable {
    let kept = this.#kept.get(name);
    if (!kept) {
      const unique = uniqueVariableName(`${this.#keeper.name}/cache/${name}`);
      kept = untracked(() => eagerly(() => variable(zeros([...shape], dtype), false, unique)));
      this.#kept.set(name, kept);
    }
    if (sameShape(kept.shape, shape)) return kept;
    const came = `it holds ${name} of shape ${showShape(kept.shape)}, and these are ${showShape(shape)}`;
    fail(this.#keeper.label, 'a cache serves one batch size', came, 'make another cache, or dispose this one');
  }

  /** Writes x behind what is kept along `axis`, and gives all places of it, those not written yet too. */
  append(name: string, x: Tensor, axis: number): Tensor {
    const { maxLength } = this.cache;
    if (x.shape[axis]! > maxLength) {
      fail(this.#keeper.label, `the cache has room for ${maxLength} steps`, `got ${x.shape[axis]}`, 'make it longer');
    }
    const kept = this.state(name, (x.shape as readonly number[]).with(axis, maxLength), x.dtype as DType);
    const zero = zeros([], 'int32');
    const begin = stack(x.shape.map((_, i) => (i === axis ? this.start : zero)));
    const all = dynamicUpdateSlice(kept as Tensor, x, begin);
    this.cache.change(kept, all);
    return all;
  }
}
