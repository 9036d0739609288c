/**
 * Windows that are written out tap by tap: each tap is a strided slice (a view), so that the compiler makes one kernel of all
 * of them. For what is rare (dilated pooling) or small (morphology), with gradients that fall out of the slices.
 */
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import { forEachIndex } from './array.ts';
import { add, constant, constantLike, div, greater, maximum, select } from './build-elementwise.ts';
import { broadcastTo, pad, reshape, slice } from './build-movement.ts';
import { outputExtent } from './window.ts';

/** A window by spatial axis; pads [before, after] for each in one list. */
export interface Window {
  readonly filter: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** What each tap of the window sees, [batch, ...outputs, channels], in row-major order; padding counts as `fill`. */
export function windowTaps(x: Value, { filter, strides, dilations, pads }: Window, fill: number): Value[] {
  const spatial = filter.map((_, i) => i);
  const padded = pad(x, [[0, 0], ...spatial.map((i) => [pads[2 * i], pads[2 * i + 1]] as const), [0, 0]], fill);
  const outputs = spatial.map((i) => outputExtent(padded.shape[i + 1], filter[i], strides[i], dilations[i], 0));
  const size: Shape = [x.shape[0], ...outputs, x.shape[x.shape.length - 1]];
  const views: Value[] = [];
  forEachIndex(filter, (tap) => {
    views.push(slice(padded, [0, ...tap.map((t, i) => t * dilations[i]), 0], size, [1, ...strides, 1]));
  });
  return views;
}

/** maxPool with dilation. As there, NaN never wins and the first of equals gets the gradient. */
export function maxPoolDilated(x: Value, window: Window): Value {
  const [first, ...rest] = windowTaps(x, window, -Infinity);
  const start = constantLike(first, -Infinity);
  return [first, ...rest].reduce((best, tap) => select(greater(tap, best), tap, best), start);
}

/** avgPool with dilation: the mean over the taps that are no padding. */
export function avgPoolDilated(x: Value, window: Window): Value {
  const total = windowTaps(x, window, 0).reduce((sum, tap) => add(sum, tap));
  if (window.pads.every((n) => n === 0))
    return div(
      total,
      constantLike(
        total,
        window.filter.reduce((a, b) => a * b, 1),
      ),
    );
  const ones = constant(1, total.dtype, [1, ...x.shape.slice(1, -1), 1]);
  return div(
    total,
    windowTaps(ones, window, 0).reduce((sum, tap) => add(sum, tap)),
  );
}

/** max over taps of x + filter [...taps, channels]: dilation as in morphology. The first of equals gets the gradient. */
export function morphologicalDilation(x: Value, filter: Value, window: Window): Value {
  const channels = x.shape[x.shape.length - 1];
  const views = windowTaps(x, window, -Infinity);
  const weights = reshape(filter, [views.length, channels]);
  const sums = views.map((view, i) => {
    const weight = reshape(slice(weights, [i, 0], [1, channels]), [channels]);
    return add(view, broadcastTo(weight, view.shape));
  });
  return sums.reduce((best, sum) => maximum(best, sum));
}
