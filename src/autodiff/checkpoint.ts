/**
 * Recomputation: values whose gradients do not keep what lies between them and their inputs, but compute it once more. The
 * second computation reads its inputs through the op `after`, which waits for the gradient: so it is not merged with the first
 * one, and stands behind it, when the memory of the first has long served others. Knows no op by name and no tensor.
 */
import type { Value } from '../graph/graph.ts';
import { after, identity } from '../ops/build.ts';
import { withGradients } from '../ops/custom.ts';
import { Copy } from './copy.ts';
import { gradients } from './gradients.ts';
import { orderOf, sourcesOf } from './graph-map.ts';

/** The values that depend on xs, and those that are read between xs and ys and do not. */
function between(ys: readonly Value[], xs: readonly Value[]): { inside: ReadonlySet<Value>; captured: Value[] } {
  const inside = new Set<Value>(xs);
  const captured = new Set<Value>();
  for (const op of orderOf(ys, inside)) {
    const sources = sourcesOf(op);
    if (!sources.some((source) => inside.has(source))) continue;
    for (const output of op.outputs) inside.add(output);
    for (const source of sources) captured.add(source);
  }
  return { inside, captured: [...captured].filter((value) => !inside.has(value)) };
}

/** ys, whose gradients for xs, and for all else that ys are made of, recompute what lies between. */
export function checkpoint(ys: readonly Value[], xs: readonly Value[]): readonly Value[] {
  const { inside, captured } = between(ys, xs);
  // What does not depend on xs has nothing to recompute.
  const places = ys.flatMap((y, i) => (inside.has(y) ? [i] : []));
  const results = recomputed(
    places.map((i) => ys[i]),
    xs,
    captured,
  );
  return ys.map((y, i) => (inside.has(y) ? results[places.indexOf(i)] : y));
}

function recomputed(ys: readonly Value[], xs: readonly Value[], captured: readonly Value[]): readonly Value[] {
  const inputs = [...xs, ...captured];
  return withGradients(ys, inputs, (dys) => {
    const given = dys.filter((dy) => dy !== null);
    const copy = new Copy();
    // Each input once more, so that no gradient runs on from one into another: the walk outside does that.
    const again = inputs.map((input, i) => (i < xs.length ? after(input, given) : identity(input)));
    for (const [i, input] of inputs.entries()) copy.replace(input, again[i]);
    const flows = ys.flatMap((_, i) => (dys[i] === null ? [] : [i]));
    return gradients(
      copy.all(flows.map((i) => ys[i])),
      again,
      flows.map((i) => dys[i]),
    );
  });
}
