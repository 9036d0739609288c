/**
 * How close results have to be. Rounding grows along some thirty steps and their gradients, by what a graph of one dtype is allowed in
 * units of that dtype. Behind a rounding of an inexact number to a small float that cannot be: the two sides of a tie are a whole unit
 * of float16 or bfloat16 apart, so a difference in the last bits before it may come out 2^13 or 2^16 times as large. What such a unit
 * is worth is measured: the reference runs again with these roundings moved by one unit, at random.
 */
import type { Operation, Value } from '../../src/graph/graph.ts';
import { topologicalOrder } from '../../src/graph/graph.ts';
import type { NDArray } from '../../src/ops/row.ts';
import { rowOf } from '../../src/ops/table.ts';
import { floatFormats } from '../../src/types/half.ts';
import { isFloat, isSmall } from '../../src/types/dtype.ts';
import { uniform } from '../conformance/samples.ts';
import { difference, type Tolerance } from '../conformance/targets.ts';

type Feeds = ReadonlyMap<Value, NDArray>;

/** Rounding grows along 30 steps and their gradients; a wrong kernel is further off. */
const single: Tolerance = { absolute: 2e-3, relative: 2e-3 };
/** As many units of float64. */
const double: Tolerance = { absolute: 2e-3 * 2 ** -29, relative: 2e-3 * 2 ** -29 };
/** Runs with moved roundings, and how much further than the worst of them a result may be off. */
const RUNS = 12;
const FACTOR = 4;

/** Of exact numbers they give the one number that IEEE 754 says. */
const exactFunctions = new Set([
  'add',
  'sub',
  'mul',
  'neg',
  'abs',
  'sign',
  'maximum',
  'minimum',
  'relu',
  'cast',
  'select',
]);
const movingTags = new Set(['source', 'view', 'reshape', 'after', 'pieces']);

interface Findings {
  /** Operations whose floats may differ in their last bits. */
  readonly inexact: ReadonlySet<Operation>;
  /** Roundings of such numbers to small floats. */
  readonly rough: ReadonlySet<Operation>;
}

function findingsOf(order: readonly Operation[], feeds: Feeds): Findings {
  const [inexact, rough] = [new Set<Operation>(), new Set<Operation>()];
  for (const op of order) {
    const fromInexact = op.inputs.some((x) => !feeds.has(x) && inexact.has(x.op));
    const isExact = movingTags.has(rowOf(op.kind).lowering.tag) || exactFunctions.has(op.kind) || op.kind === 'gather';
    if (!op.outputs.some(({ dtype }) => isFloat(dtype)) || (isExact && !fromInexact)) continue;
    inexact.add(op);
    if (op.kind === 'cast' && isSmall(op.outputs[0].dtype)) rough.add(op);
  }
  return { inexact, rough };
}

/** x, or the number before or behind it in the format. */
function moved(x: number, { fraction, least }: { fraction: number; least: number }, random: () => number): number {
  if (!Number.isFinite(x)) return x;
  const unit = 2 ** (Math.max(x === 0 ? least : Math.floor(Math.log2(Math.abs(x))), least) - fraction);
  return x + (Math.floor(random() * 3) - 1) * unit;
}

/** The outputs where every rough rounding goes its own way. */
function movedRun(
  order: readonly Operation[],
  outputs: readonly Value[],
  feeds: Feeds,
  { rough }: Findings,
  seed: number,
) {
  const random = uniform(seed);
  const known = new Map<Value, NDArray>(feeds);
  for (const op of order) {
    const inputs = op.inputs.map((input) => known.get(input)!);
    const arrays = rowOf(op.kind).evaluate(inputs, op.attrs, op.outputs);
    for (const [i, value] of op.outputs.entries()) {
      const data = arrays[i];
      if (rough.has(op)) {
        const format = floatFormats[value.dtype as 'float16' | 'bfloat16'];
        for (let k = 0; k < data.length; k++) data[k] = moved(data[k], format, random);
      }
      if (!known.has(value)) known.set(value, { dtype: value.dtype, shape: value.shape, data });
    }
  }
  return outputs.map((value) => known.get(value)!);
}

/** The largest difference anywhere in the tensor. */
function distance(a: NDArray, b: NDArray): number {
  let most = 0;
  for (let i = 0; i < a.data.length; i++) {
    const apart = Math.abs(a.data[i] - b.data[i]);
    if (apart > most) most = apart;
    else if (Number.isNaN(apart) && !Object.is(a.data[i], b.data[i])) return Number.POSITIVE_INFINITY;
  }
  return most;
}

/** The first result that is not what the reference says, in words; null where all are close. */
export function wrong(
  outputs: readonly Value[],
  feeds: Feeds,
  results: readonly NDArray[],
  wanted: readonly NDArray[],
): string | null {
  for (const [i, result] of results.entries()) {
    const order = topologicalOrder([outputs[i]], (value) => feeds.has(value));
    const findings = findingsOf(order, feeds);
    const isDouble = [...findings.inexact].every((op) =>
      op.outputs.every(({ dtype }) => !isFloat(dtype) || dtype === 'float64'),
    );
    const { absolute, relative } = isDouble ? double : single;
    const problem = difference(result, wanted[i], { absolute, relative });
    if (!problem) continue;
    let worst = 0;
    const mended = () => !difference(result, wanted[i], { absolute: absolute + FACTOR * worst, relative });
    const runs = findings.rough.size > 0 && isFloat(outputs[i].dtype) ? RUNS : 0;
    let run = 0;
    for (; run < runs && !(worst > 0 && mended()); run++) {
      const [other] = movedRun(order, [outputs[i]], feeds, findings, 1 + run);
      worst = Math.max(worst, distance(other, wanted[i]));
    }
    if (worst > 0 && mended()) continue;
    const measured = runs > 0 ? `; roundings moved by a unit make ${worst} of it` : '';
    return `output ${i} (${outputs[i].op.kind}): ${problem}${measured}`;
  }
  return null;
}
