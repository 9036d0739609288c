/** Builders of matrix products, convolutions and pooling. */
import type { Value } from '../graph/graph.ts';
import { isFloat, promote } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { broadcastShapes, sizeOf } from '../types/shape.ts';
import { apply, apply1 } from './apply.ts';
import { cast, realOf, constant, constantLike, div } from './build-elementwise.ts';
import { broadcastTo, reshape } from './build-movement.ts';
import type { ConvAttrs } from './conv.ts';
import type { PoolAttrs } from './pool.ts';

/** Matrix product of the last two axes; leading axes broadcast. */
export function matMul(a: Value, b: Value, transposeA = false, transposeB = false): Value {
  const both = promote(a.dtype, b.dtype);
  const dtype = isFloat(both) ? both : 'float32';
  const [x, y] = [cast(a, dtype), cast(b, dtype)];
  const attrs = { transposeA, transposeB };
  if (x.shape.length < 2 || y.shape.length < 2) return apply1('matMul', [x, y], attrs);
  const [batchA, batchB] = [x.shape.slice(0, -2), y.shape.slice(0, -2)];
  if (batchA.length > 0 && sizeOf(batchB) === 1 && batchB.length <= batchA.length && !transposeA) {
    // One matrix for all batches: their rows are the rows of one product.
    const [rows, inner] = x.shape.slice(-2);
    const flat = apply1('matMul', [reshape(x, [sizeOf(batchA) * rows, inner]), reshape(y, y.shape.slice(-2))], attrs);
    return reshape(flat, [...batchA, rows, flat.shape[1]]);
  }
  const batch = broadcastShapes('matMul', batchA, batchB);
  const spread = (v: Value) => broadcastTo(v, [...batch, ...v.shape.slice(-2)]);
  return apply1('matMul', [spread(x), spread(y)], attrs);
}

/** Both in float64 where one of them is. */
function inOneDType(a: Value, b: Value): [Value, Value] {
  return realOf(a, b) === 'float64' ? [cast(a, 'float64'), cast(b, 'float64')] : [a, b];
}

export function conv(x: Value, filter: Value, attrs: ConvAttrs): Value {
  return apply1('conv', inOneDType(x, filter), attrs);
}

export function convBackpropInput(dy: Value, filter: Value, inputShape: Shape, attrs: ConvAttrs): Value {
  return apply1('convBackpropInput', inOneDType(dy, filter), { ...attrs, inputShape });
}

export function convBackpropFilter(x: Value, dy: Value, filterShape: Shape, attrs: ConvAttrs): Value {
  return apply1('convBackpropFilter', inOneDType(x, dy), { ...attrs, filterShape });
}

/** [the largest of each window, its position in the window]. */
export function maxPool(x: Value, attrs: PoolAttrs): readonly Value[] {
  return apply('maxPool', [x], attrs);
}

export function maxPoolBackprop(dy: Value, position: Value, inputShape: Shape, attrs: PoolAttrs): Value {
  return apply1('maxPoolBackprop', [dy, position], { ...attrs, inputShape });
}

export function maxPoolGather(x: Value, position: Value, attrs: PoolAttrs): Value {
  return apply1('maxPoolGather', [x, position], attrs);
}

export function windowSum(x: Value, attrs: PoolAttrs): Value {
  return apply1('windowSum', [x], attrs);
}

export function windowSumBackprop(dy: Value, inputShape: Shape, attrs: PoolAttrs): Value {
  return apply1('windowSumBackprop', [dy], { ...attrs, inputShape });
}

/** The mean of each window over the elements that are no padding, as TensorFlow does. */
export function avgPool(x: Value, attrs: PoolAttrs): Value {
  const total = windowSum(x, attrs);
  if (attrs.pads.every((n) => n === 0)) return div(total, constantLike(total, sizeOf(attrs.filter)));
  const ones = constant(1, x.dtype, [1, ...x.shape.slice(1, -1), 1]);
  return div(total, windowSum(ones, attrs));
}
