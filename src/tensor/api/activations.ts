/** Activation functions, elementwise. Integers become float32 (relu and relu6 keep them). */
import * as build from '../../ops/build.ts';
import * as composite from '../../ops/composite.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { binary, unary } from './lift.ts';

/** x where x > 0, else e^x - 1. */
export function elu<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('elu', x, composite.elu);
}

/** log(sigmoid(x)) = -softplus(-x). */
export function logSigmoid<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('logSigmoid', x, composite.logSigmoid);
}

/** x tanh(softplus(x)). */
export function mish<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('mish', x, composite.mish);
}

/** max(x, 0). */
export function relu<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('relu', x, build.relu);
}

/** min(max(x, 0), 6). */
export function relu6<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('relu6', x, composite.relu6);
}

/** scale x where x > 0, else scale alpha (e^x - 1), with scale 1.0507 and alpha 1.6733. */
export function selu<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('selu', x, composite.selu);
}

/** 1 / (1 + e^-x). */
export function sigmoid<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('sigmoid', x, build.sigmoid);
}

/** log(1 + e^x). */
export function softplus<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('softplus', x, composite.softplus);
}

/** x / (1 + |x|). */
export function softsign<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('softsign', x, composite.softsign);
}

/** x sigmoid(x). */
export function swish<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('swish', x, composite.swish);
}

/** (e^x - e^-x) / (e^x + e^-x). */
export function tanh<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('tanh', x, build.tanh);
}

/** min(max(0.2 x + 0.5, 0), 1). */
export function hardSigmoid<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return unary<T>('hardSigmoid', x, composite.hardSigmoid);
}

/** x where x > 0, else alpha x; alpha is 0.2 by default. */
export function leakyRelu<T extends Tensor = Tensor>(x: T | TensorLike, alpha = 0.2): T {
  return unary<T>('leakyRelu', x, (v) => composite.leakyRelu(v, alpha));
}

/** x where x > 0, else alpha x, where alpha is a tensor that broadcasts to x. */
export function prelu<T extends Tensor = Tensor>(x: T | TensorLike, alpha: Tensor | TensorLike): T {
  return binary<T>('prelu', x, alpha, composite.prelu);
}

/** 1 where x > 0, else alpha (0 by default); NaN stays NaN. */
export function step<T extends Tensor = Tensor>(x: T | TensorLike, alpha = 0): T {
  return unary<T>('step', x, (v) => composite.step(v, alpha));
}

/** x Phi(x), Phi being the normal distribution function; `approximate` takes its tanh form. */
export function gelu<T extends Tensor = Tensor>(x: T | TensorLike, approximate = false): T {
  return unary<T>('gelu', x, (v) => composite.gelu(v, approximate));
}
