/**
 * Complex numbers: making them, and their parts. dtype complex64 is a pair of float32, printed as TensorFlow.js prints it. Sums,
 * products, quotients, powers and elementary functions, movements, matrix products and comparisons for equality take complex64
 * wherever they take float32, and promote: bool < int32 < float32 < complex64. Everything else refuses it.
 *
 * The gradient of a real loss L for z = x + iy is dL/dx + i dL/dy, as in TensorFlow (the conjugate of JAX's): descend along it.
 */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import * as complexOps from '../../ops/complex.ts';
import { sameShape, showShape } from '../../types/shape.ts';
import { isComplex, joinParts, partsOf } from '../complex-tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift, valueOf } from './lift.ts';

/** real + i imag, of two tensors of real numbers of one shape. */
export function complex<T extends Tensor = Tensor>(real: T | TensorLike, imag: T | TensorLike): T {
  const [re, im] = [valueOf(real, 'real', 'complex'), valueOf(imag, 'imag', 'complex')];
  if (!sameShape(re.shape, im.shape)) {
    fail('complex', 'real and imag must have one shape', `got ${showShape(re.shape)} and ${showShape(im.shape)}`);
  }
  return joinParts<T>({ re: build.asReal(re), im: build.asReal(im) });
}

/** The real part; of real numbers they themselves. */
export function real<T extends Tensor = Tensor>(input: T | TensorLike): T {
  return lift<T>(isComplex(input) ? partsOf(input, 'input', 'real').re : valueOf(input, 'input', 'real'));
}

/** The imaginary part; of real numbers zeros. */
export function imag<T extends Tensor = Tensor>(input: T | TensorLike): T {
  return lift<T>(complexOps.imagOf(partsOf(input, 'input', 'imag')));
}

/** real - i imag; of real numbers they themselves. */
export function conj<T extends Tensor = Tensor>(x: T | TensorLike): T {
  return isComplex(x) ? joinParts<T>(complexOps.conj(partsOf(x, 'x', 'conj'))) : lift<T>(valueOf(x, 'x', 'conj'));
}

/** The angle of x in (-pi, pi], as float32: of real numbers 0 or pi. Its gradient at 0 is 0. */
export function angle<T extends Tensor = Tensor>(x: Tensor | TensorLike): T {
  return lift<T>(complexOps.angle(partsOf(x, 'x', 'angle')));
}
