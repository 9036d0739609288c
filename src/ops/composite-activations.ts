/** Activation functions and the losses of logits, in forms that neither overflow nor lose the small end. */
import type { Value } from '../graph/graph.ts';
import {
  abs,
  add,
  asReal,
  constantLike,
  div,
  erf,
  exp,
  expm1,
  greater,
  isFinite,
  isNaN,
  log,
  log1p,
  minimum,
  mul,
  neg,
  offset,
  relu,
  scale,
  select,
  sigmoid,
  square,
  sub,
  tanh,
  zerosLike,
} from './build-elementwise.ts';
import { stopGradient } from './build-movement.ts';
import { max, sum } from './build-reduce.ts';
import { clipByValue } from './composite-math.ts';
import { withGradient } from './custom.ts';

export const SELU_ALPHA = 1.7580993408473768;
export const SELU_SCALE = 1.0507009873554805;

/** x where x > 0, else otherwise(min(x, 0)), which therefore never sees large arguments. */
function positiveOr(x: Value, otherwise: (x: Value) => Value): Value {
  const zero = zerosLike(x);
  return select(greater(x, zero), x, otherwise(minimum(x, zero)));
}

/** x where x > 0, else e^x - 1. */
export function elu(x: Value): Value {
  return positiveOr(asReal(x), expm1);
}

/** scale (x where x > 0, else alpha (e^x - 1) / scale), with the constants of Klambauer et al. 2017. */
export function selu(x: Value): Value {
  return positiveOr(scale(asReal(x), SELU_SCALE), (v) => scale(expm1(scale(v, 1 / SELU_SCALE)), SELU_ALPHA));
}

/** x where x > 0, else alpha x. */
export function leakyRelu(x: Value, alpha = 0.2): Value {
  const real = asReal(x);
  return select(greater(real, zerosLike(real)), real, scale(real, alpha));
}

/** x where x > 0, else alpha x, alpha being a tensor that broadcasts. */
export function prelu(x: Value, alpha: Value): Value {
  const real = asReal(x);
  return select(greater(real, zerosLike(real)), real, mul(real, alpha));
}

/** min(max(x, 0), 6). */
export function relu6(x: Value): Value {
  return clipByValue(x, 0, 6);
}

/** alpha where x <= 0, else 1; NaN stays NaN. */
export function step(x: Value, alpha = 0): Value {
  const real = asReal(x);
  const value = select(greater(real, zerosLike(real)), constantLike(real, 1), constantLike(real, alpha));
  return select(isNaN(real), stopGradient(real), value);
}

/** log(1 + e^x) = max(x, 0) + log1p(e^-|x|). */
export function softplus(x: Value): Value {
  const real = asReal(x);
  const y = add(relu(real), log1p(exp(neg(abs(real)))));
  return withGradient(y, [real], (dy) => [mul(dy, sigmoid(real))]);
}

/** log(1 / (1 + e^-x)) = -softplus(-x). */
export function logSigmoid(x: Value): Value {
  return neg(softplus(neg(asReal(x))));
}

/** x / (1 + |x|). */
export function softsign(x: Value): Value {
  const real = asReal(x);
  return div(real, offset(abs(real), 1));
}

/** x sigmoid(x). */
export function swish(x: Value): Value {
  return mul(x, sigmoid(x));
}

/** x tanh(softplus(x)). */
export function mish(x: Value): Value {
  return mul(x, tanh(softplus(x)));
}

/** x times the normal distribution function of x; or its approximation by tanh. */
export function gelu(x: Value, approximate = false): Value {
  const real = asReal(x);
  const inside = approximate
    ? tanh(scale(mul(real, offset(scale(square(real), 0.044715), 1)), Math.sqrt(2 / Math.PI)))
    : erf(scale(real, Math.SQRT1_2));
  return mul(scale(real, 0.5), offset(inside, 1));
}

/** clip(0.2 x + 0.5, 0, 1). */
export function hardSigmoid(x: Value): Value {
  return clipByValue(offset(scale(asReal(x), 0.2), 0.5), 0, 1);
}

/** The largest along the axes, as a constant; 0 where it is infinite, so that nothing is subtracted there. */
function steadyMax(x: Value, axes: readonly number[]): Value {
  const best = stopGradient(max(x, axes, true));
  return select(isFinite(best), best, zerosLike(best));
}

/** e^x over its sum along the axis. */
export function softmax(x: Value, axis: number): Value {
  const real = asReal(x);
  const power = exp(sub(real, stopGradient(max(real, axis, true))));
  const y = div(power, sum(power, axis, true));
  const result: Value = withGradient(y, [real], (dy) => {
    const weighted = mul(dy, result);
    return [sub(weighted, mul(result, sum(weighted, axis, true)))];
  });
  return result;
}

/** log(softmax(x)). */
export function logSoftmax(x: Value, axis: number): Value {
  const real = asReal(x);
  const shifted = sub(real, stopGradient(max(real, axis, true)));
  const y = sub(shifted, log(sum(exp(shifted), axis, true)));
  const result: Value = withGradient(y, [real], (dy) => [sub(dy, mul(exp(result), sum(dy, axis, true)))]);
  return result;
}

/** log of the sum of e^x. */
export function logSumExp(x: Value, axes: readonly number[], keepDims = false): Value {
  const real = asReal(x);
  const best = steadyMax(real, axes);
  const total = sum(exp(sub(real, best)), axes, keepDims);
  return add(log(total), sum(best, axes, keepDims));
}

/** -sum(labels * logSoftmax(logits)) along the last axis. */
export function softmaxCrossEntropyWithLogits(labels: Value, logits: Value): Value {
  const last = logits.shape.length - 1;
  return neg(sum(mul(asReal(labels), logSoftmax(logits, last)), last));
}

/** max(x, 0) - x z + log1p(e^-|x|) for logits x and labels z, elementwise. */
export function sigmoidCrossEntropyWithLogits(labels: Value, logits: Value): Value {
  const [z, x] = [asReal(labels), asReal(logits)];
  return sub(softplus(x), mul(x, z));
}
