/**
 * Random graphs, forward and backward, on every target against the reference. FUZZ_COUNT says how many (12), FUZZ_SEED where to
 * start. What goes wrong is cut down to the first wrong value and kept in fixtures/, which are run again every time.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import type { Value } from '../../src/graph/graph.ts';
import { topologicalOrder } from '../../src/graph/graph.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { isFloat } from '../../src/types/dtype.ts';
import type { Target } from '../conformance/targets.ts';
import { availableTargets, reference } from '../conformance/targets.ts';
import { wrong } from './closeness.ts';
import type { Graph, Saved } from './fixtures.ts';
import { keep, loadAll, read, write } from './fixtures.ts';
import { Generator } from './generate.ts';

const count = Number(process.env.FUZZ_COUNT ?? 12);
const start = Number(process.env.FUZZ_SEED ?? 1);

let targets: Target[] = [];
let operations = 0;

beforeAll(async () => {
  targets = await availableTargets();
});

function problemOf(
  target: Target,
  outputs: readonly Value[],
  feeds: ReadonlyMap<Value, NDArray>,
  wanted: readonly NDArray[],
): string | null {
  try {
    const problem = wrong(outputs, feeds, target.run(outputs, feeds), wanted);
    return problem && `${target.name}: ${problem}`;
  } catch (error) {
    return `${target.name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Whether the graph goes wrong on the target, and how. */
function failure(target: Target, { outputs, feeds }: Graph): string | null {
  return problemOf(target, outputs, feeds, reference.run(outputs, feeds));
}

/**
 * A smaller graph that goes wrong too: fewer outputs, and values fed instead of computed, as long as it still fails. `budget`
 * bounds the attempts.
 */
function reduced(target: Target, graph: Graph, found: string, budget = 600): Saved {
  let best = write(found, graph.outputs, graph.feeds);
  const attempt = (outputs: readonly Value[], feeds: ReadonlyMap<Value, NDArray>): boolean => {
    if (budget-- <= 0 || outputs.length === 0) return false;
    const smaller = write(found, outputs, feeds);
    if (!failure(target, read(smaller))) return false;
    best = smaller;
    return true;
  };
  for (let i = best.outputs.length - 1; i >= 0; i--) {
    const { outputs, feeds } = read(best);
    attempt(outputs.toSpliced(i, 1), feeds);
  }
  for (let at = read(best).feeds.size; budget > 0; at++) {
    const { outputs, feeds } = read(best);
    const order = topologicalOrder(outputs, (value) => feeds.has(value)).reverse();
    const op = order[at - feeds.size];
    if (!op) break;
    if (outputs.some((value) => value.op === op)) continue;
    const values = reference.run(op.outputs, feeds);
    const more = new Map(feeds);
    for (const [i, value] of op.outputs.entries()) more.set(value, values[i]);
    if (attempt(outputs, more)) at = read(best).feeds.size - 1;
  }
  return best;
}

/**
 * In a long run, where compiling takes nearly all of the time: every tenth graph is interpreted too, and the variants of a target,
 * as x64 with AVX2 and with what the processor has, take turns.
 */
function targetsFor(seed: number): readonly Target[] {
  if (count <= 100) return targets;
  const family = ({ name }: Target) => name.split(' ')[0];
  return targets.filter((target) => {
    const variants = targets.filter((other) => family(other) === family(target));
    if (target.limit !== Infinity) return seed % 10 === 0;
    return variants[seed % variants.length] === target;
  });
}

/** Checks targets; with a name, what goes wrong is kept under it, once. */
function check(graph: Graph, name: string | null, on: readonly Target[] = targets): string[] {
  const wanted = reference.run(graph.outputs, graph.feeds);
  const problems: string[] = [];
  for (const target of on) {
    const problem = problemOf(target, graph.outputs, graph.feeds, wanted);
    if (!problem) continue;
    const kept = name !== null && problems.length === 0;
    problems.push(kept ? `${problem}; kept as ${keep(name, reduced(target, graph, problem))}` : problem);
  }
  return problems;
}

describe('random graphs', () => {
  it(`${count} from seed ${start}`, { timeout: 60_000 + count * 2_000 }, () => {
    const problems: string[] = [];
    const began = performance.now();
    for (let seed = start; seed < start + count; seed++) {
      const done = seed - start;
      if (done > 0 && done % 250 === 0) {
        const seconds = ((performance.now() - began) / 1000).toFixed(0);
        console.log(
          `fuzz: ${done} of ${count} graphs, ${operations} operations, ${problems.length} problems, ${seconds} s`,
        );
      }
      // Two of three have every dtype, the others float32 alone.
      const { outputs, parameters, feeds } = new Generator(seed * 1009, seed % 3 > 0).run();
      const floats = outputs.filter(({ dtype }) => isFloat(dtype));
      const dxs = gradients(floats, parameters).filter((dx) => dx !== null);
      // Parameters that are outputs themselves compute nothing.
      const computed = [...outputs, ...dxs].filter((value) => !feeds.has(value));
      operations += topologicalOrder(computed).length;
      problems.push(
        ...check({ outputs: computed, feeds }, `seed-${seed}`, targetsFor(seed)).map(
          (problem) => `seed ${seed}: ${problem}`,
        ),
      );
    }
    const names = targets.map((target) => target.name).join(', ');
    console.log(
      `fuzz: ${count} graphs from seed ${start}, ${operations} operations, on ${names}: ${problems.length} problems`,
    );
    expect(problems).toEqual([]);
  });
});

describe('findings', () => {
  const fixtures = loadAll();
  it.runIf(fixtures.length > 0)('stay mended', () => {
    expect(
      fixtures.flatMap(({ name, saved }) => check(read(saved), null).map((problem) => `${name}: ${problem}`)),
    ).toEqual([]);
  });
});
