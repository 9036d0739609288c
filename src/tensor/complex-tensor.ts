/**
 * Tensors of complex64: handles of a float32 value that holds the real and the imaginary plane (ops/complex.ts). Here is how they
 * are taken apart and put together, and the rules that make complex functions of real ones. Knows no op by name.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import * as complex from '../ops/complex.ts';
import type { Complex } from '../ops/complex.ts';
import { showShape } from '../types/shape.ts';
import { toTensor } from './convert.ts';
import { tidy } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';
import type { TensorLike } from './types.ts';

export function isComplex(x: unknown): boolean {
  return x instanceof Tensor && x.dtype === 'complex64';
}

/** An argument, complex or real, as parts; a real one has no imaginary part. */
export function partsOf(x: Tensor | TensorLike, argument: string, op: string): Complex {
  const tensor = toTensor(x as Tensor, argument, op);
  return isComplex(tensor) ? complex.fromPlanes(tensor.value) : complex.realNumber(tensor.value);
}

/** A complex64 tensor of planes [2, ...S]. There is no complex128: what would be one is refused rather than rounded. */
export function joinPlanes<T extends Tensor = Tensor>(planes: Value, op = 'complex'): T {
  if (planes.dtype === 'float64') {
    fail(op, 'complex numbers are complex64, pairs of float32', 'got parts of float64', "cast them to 'float32'");
  }
  return wrap(planes, 'complex64') as Tensor as T;
}

/** A complex64 tensor of the parts. */
export function joinParts<T extends Tensor = Tensor>(z: Complex): T {
  return joinPlanes<T>(complex.toPlanes(z));
}

/** Refuses complex64 where an op works on real numbers only. */
export function refuseComplex(x: Tensor, argument: string, op: string): void {
  if (!isComplex(x)) return;
  fail(
    op,
    `${argument} must hold real numbers`,
    `got a complex64 tensor of shape ${showShape(x.shape)}`,
    'take tf.real, tf.imag or tf.abs of it',
  );
}

/** The real and the imaginary part as tensors of their own; a real tensor has zeros. */
function realTensors(x: Tensor | TensorLike, op: string): [Tensor, Tensor] {
  const z = partsOf(x, 'x', op);
  return [wrap(z.re), wrap(complex.imagOf(z))];
}

function join(re: Tensor, im: Tensor): Tensor {
  return joinParts({ re: re.value, im: im.value });
}

/** What a real-linear function of tensors (one that moves or sums elements) makes of complex ones: it runs on each part. */
export function eachPart<T extends Tensor>(
  op: string,
  xs: readonly (Tensor | TensorLike)[],
  f: (xs: Tensor[]) => readonly Tensor[],
): T[] {
  return tidy(() => {
    const parts = xs.map((x) => realTensors(x, op));
    const [re, im] = [0, 1].map((i) => f(parts.map((part) => part[i])));
    return re.map((part, i) => join(part, im[i]));
  }) as T[];
}

/** What a bilinear function of two tensors (a product of some kind) makes of complex ones. */
export function bilinear<T extends Tensor>(
  op: string,
  a: Tensor | TensorLike,
  b: Tensor | TensorLike,
  f: (a: Tensor, b: Tensor) => Tensor,
): T {
  return tidy(() => {
    const [x, y] = [partsOf(a, 'a', op), partsOf(b, 'b', op)];
    return joinParts(complex.bilinear(x, y, (p, q) => f(wrap(p), wrap(q)).value));
  }) as T;
}
