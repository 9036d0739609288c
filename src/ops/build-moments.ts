/** Builders of statistics by channel. */
import type { Value } from '../graph/graph.ts';
import { apply } from './apply.ts';

/** Mean and variance, both [groups, channels], over the rows of [groups, rows, channels]. */
export function channelMoments(x: Value): { readonly mean: Value; readonly variance: Value } {
  const [mean, variance] = apply('channelMoments', [x]);
  return { mean, variance };
}

/** [sum of dy, sum of dy (x - center)] over the rows of [groups, rows, channels]; center is [groups, channels]. */
export function channelSums(dy: Value, x: Value, center: Value): readonly Value[] {
  return apply('channelSums', [dy, x, center]);
}
