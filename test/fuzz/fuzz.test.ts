/**
 * Random graphs, forward and backward, on every target against the reference. FUZZ_COUNT says how many (12), FUZZ_SEED where to
 * start. What goes wrong is cut down to the first wrong value and kept in fixtures/, which are run again every time.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import type { Value } from '../../src/graph/graph.ts';
import { topologicalOrder } from '../../src/graph/graph.ts';
import type { NDArray } from '../../src/ops/row.ts';
import type { Target } from '../conformance/targets.ts';
import { availableTargets, difference, reference } from '../conformance/targets.ts';
import { loadAll, save } from './fixtures.ts';
import { Generator } from './generate.ts';

const count = Number(process.env.FUZZ_COUNT ?? 12);
const start = Number(process.env.FUZZ_SEED ?? 1);
/** Rounding grows along 30 steps and their gradients; a wrong kernel is further off. */
const tolerance = { absolute: 2e-3, relative: 2e-3 };

let targets: Target[] = [];

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
    const results = target.run(outputs, feeds);
    for (const [i, result] of results.entries()) {
      const problem = difference(result, wanted[i], tolerance);
      if (problem) return `${target.name}: output ${i} (${outputs[i].op.kind}): ${problem}`;
    }
    return null;
  } catch (error) {
    return `${target.name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The first value in order that is wrong by itself; the whole list where none is. */
function reduced(target: Target, outputs: readonly Value[], feeds: ReadonlyMap<Value, NDArray>): readonly Value[] {
  for (const op of topologicalOrder(outputs)) {
    for (const value of op.outputs) {
      if (feeds.has(value)) continue;
      if (problemOf(target, [value], feeds, reference.run([value], feeds))) return [value];
    }
  }
  return outputs;
}

function check(name: string, outputs: readonly Value[], feeds: ReadonlyMap<Value, NDArray>, keep: boolean): string[] {
  const wanted = reference.run(outputs, feeds);
  const problems: string[] = [];
  for (const target of targets) {
    const problem = problemOf(target, outputs, feeds, wanted);
    if (!problem) continue;
    problems.push(
      keep
        ? `${name}: ${problem}; kept as ${save(`${name}-${target.name}`, problem, reduced(target, outputs, feeds), feeds)}`
        : `${name}: ${problem}`,
    );
  }
  return problems;
}

describe('random graphs', () => {
  it(`${count} from seed ${start}`, { timeout: 60_000 + count * 2_000 }, () => {
    const problems: string[] = [];
    for (let seed = start; seed < start + count; seed++) {
      const { outputs, parameters, feeds } = new Generator(seed * 1009).run();
      const dxs = gradients(outputs, parameters).filter((dx) => dx !== null);
      // Parameters that are outputs themselves compute nothing.
      const computed = [...outputs, ...dxs].filter((value) => !feeds.has(value));
      problems.push(...check(`seed-${seed}`, computed, feeds, true));
    }
    expect(problems).toEqual([]);
  });
});

describe('findings', () => {
  const fixtures = loadAll();
  it.runIf(fixtures.length > 0)('stay mended', () => {
    expect(fixtures.flatMap(({ name, outputs, feeds }) => check(name, outputs, feeds, false))).toEqual([]);
  });
});
