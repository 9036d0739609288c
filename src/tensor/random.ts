/**
 * Keys for random ops: a pure function of the global seed and a counter. In eager code the counter is JavaScript's; inside jit
 * or a Graph it is a variable that the program itself counts up, so that each run draws fresh numbers.
 */
import { fail } from '../base/errors.ts';
import { makeTensor } from './convert.ts';
import type { Value } from '../graph/graph.ts';
import { add, constant, iota, mul, randomBits, sub } from '../ops/build.ts';
import { eagerly, recorder } from './context.ts';
import { untracked } from './scope.ts';
import type { Tensor } from './tensor.ts';
import { wrap } from './tensor.ts';
import type { Variable } from './variable.ts';
import { outlast, variable } from './variable.ts';

/** Keeps the keys of programs apart from those of eager code. */
const PROGRAM_STREAM = 0x5bd1e995;

let seed = (Math.random() * 2 ** 31) | 0;
let drawn = 0;
let programState: Variable<'R1'> | null = null;

/** Makes all randomness from here on a function of `next`: the same seed draws the same numbers, on every target. */
export function setSeed(next: number): void {
  if (!Number.isFinite(next)) fail('setSeed', 'the seed must be a finite number', `got ${next}`);
  seed = next | 0;
  drawn = 0;
  if (programState) eagerly(() => programState!.assign(firstState()));
}

function firstState(): Tensor<'R1'> {
  return makeTensor<'R1'>(new Int32Array([seed ^ PROGRAM_STREAM, 0]));
}

function newProgramState(): Variable<'R1'> {
  return eagerly(() => untracked(() => outlast(variable<'R1'>(firstState(), false, 'tensorloom/random'))));
}

/** A key that was not drawn before: int32[2]. With an `own` seed it is a function of that alone. */
export function nextRandomKey(own?: number): Tensor<'R1'> {
  const active = recorder();
  if (active?.outside) {
    const key = active.outside(() => nextRandomKey(own));
    return active.iteration ? wrap<'R1'>(foldIn(key.value, active.iteration())) : key;
  }
  if (own !== undefined) return makeTensor<'R1'>(new Int32Array([own | 0, Math.floor(own / 2 ** 32) | 0]));
  if (!recorder()) return makeTensor<'R1'>(new Int32Array([seed, drawn++]));
  programState ??= newProgramState();
  const key = programState.value;
  const step = untracked(() => eagerly(() => makeTensor<'R1'>(new Int32Array([0, 1]))));
  recorder()!.advanceVariable(programState, add(key, step.value));
  return wrap<'R1'>(key);
}

/** A 32-bit seed for random numbers on the host, from the global random state. */
export function randomSeed(): number {
  return untracked(() =>
    eagerly(() => {
      const key = nextRandomKey();
      const [a, b] = key.dataSync();
      key.dispose();
      return Math.imul(a, 0x9e3779b1) ^ b;
    }),
  );
}

/** Keeps folded keys apart from the numbers that the key itself draws. */
const FOLD_STREAM = 0x466f6c64;

/** A key for each number: in a loop, each iteration draws numbers of its own. */
function foldIn(key: Value, number: Value): Value {
  const first = sub(constant(1, 'int32'), iota([2]));
  return randomBits(add(key, mul(first, number)), [2], FOLD_STREAM);
}

/** @internal The state to save in a checkpoint, and to come back to. */
export function randomState(): { seed: number; drawn: number; program: number[] | null } {
  return { seed, drawn, program: programState && Array.from(programState.dataSync()) };
}

export function restoreRandomState(state: { seed: number; drawn: number; program: readonly number[] | null }): void {
  setSeed(state.seed);
  drawn = state.drawn;
  if (!state.program) return;
  const values = new Int32Array(state.program);
  programState ??= newProgramState();
  eagerly(() => programState!.assign(makeTensor<'R1'>(values)));
}
