/** Running totals along an axis, written with builders. */
import type { Value } from '../graph/graph.ts';
import { around, cumulate, cumulateAxis, linearScan, runningPlaces } from './build-cumulate.ts';
import {
  add,
  asReal,
  cast,
  constant,
  constantLike,
  exp,
  greater,
  isNaN,
  log,
  mul,
  select,
  sub,
  zerosLike,
} from './build-elementwise.ts';
import { concat, reshape, slice } from './build-movement.ts';
import { withGradient } from './custom.ts';

/** bool counts as int32. */
function countable(x: Value): Value {
  return x.dtype === 'bool' ? cast(x, 'int32') : x;
}

export function cumsum(x: Value, axis: number, exclusive = false, reverse = false): Value {
  return cumulateAxis(countable(x), axis, 'add', exclusive, reverse);
}

export function cumprod(x: Value, axis: number, exclusive = false, reverse = false): Value {
  return cumulateAxis(countable(x), axis, 'mul', exclusive, reverse);
}

/** The running extremum and where it stands: the latest of equal places, as in PyTorch; once there is a NaN, NaN. */
export function cumulativeExtremum(
  x: Value,
  axis: number,
  fn: 'max' | 'min',
  reverse = false,
): { values: Value; indices: Value } {
  const real = countable(x);
  const grouped = reshape(real, around(x.shape, axis));
  return {
    values: reshape(cumulate(grouped, fn, false, reverse), x.shape),
    indices: reshape(runningPlaces(grouped, fn, reverse), x.shape),
  };
}

/** x [outer, n, inner] one place later in the walk, with `edge` coming in. */
function later(x: Value, edge: number, reverse: boolean): Value {
  const [outer, n, inner] = x.shape;
  const first = constant(edge, x.dtype, [outer, Math.min(1, n), inner]);
  const rest = slice(x, [0, reverse ? Math.min(1, n) : 0, 0], [outer, Math.max(0, n - 1), inner]);
  return concat(reverse ? [rest, first] : [first, rest], 1);
}

/**
 * log(sum of e^x) so far. Sums are kept relative to the running maximum m: s_i = s_(i-1) e^(m_(i-1) - m_i) + e^(x_i - m_i), a
 * linear recurrence, so nothing overflows and nothing that counts is lost. Its gradient is r_j e^(x_j - y_j) with the recurrence
 * r_j = dy_j + e^(y_j - y_(j+1)) r_(j+1), where y does not descend.
 */
function logCumulate(x: Value, reverse: boolean): Value {
  const best = cumulate(x, 'max', false, reverse);
  const fall = sub(later(best, -Infinity, reverse), best);
  const factor = select(isNaN(fall), constantLike(fall, 1), exp(fall));
  const rise = sub(x, best);
  // Infinities of one sign: the negative ones add nothing, a positive one is all there is.
  const same = select(greater(x, zerosLike(x)), constantLike(x, 1), zerosLike(x));
  const total = linearScan(factor, select(isNaN(rise), same, exp(rise)), reverse);
  const result: Value = withGradient(add(best, log(total)), [x], (dy) => {
    const step = sub(result, later(result, Infinity, !reverse));
    const decay = select(isNaN(step), constantLike(step, 1), exp(step));
    const r = linearScan(decay, dy, !reverse);
    const share = sub(x, result);
    return [mul(r, select(isNaN(share), zerosLike(share), exp(share)))];
  });
  return result;
}

export function logCumsumExp(x: Value, axis: number, exclusive = false, reverse = false): Value {
  const grouped = reshape(asReal(x), around(x.shape, axis));
  const inclusive = logCumulate(grouped, reverse);
  return reshape(exclusive ? later(inclusive, -Infinity, reverse) : inclusive, x.shape);
}
