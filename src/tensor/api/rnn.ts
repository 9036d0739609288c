/** One step of recurrent nets, in TensorFlow.js's low-level form. Layers are in nn. */
import { fail } from '../../base/errors.ts';
import * as build from '../../ops/build.ts';
import { showShape } from '../../types/shape.ts';
import { Tensor } from '../tensor.ts';
import type { Scalar, Tensor1D, Tensor2D, TensorLike } from '../types.ts';
import { lift, valueOf } from './lift.ts';

/** A step: input, cell state and output in; the next cell state and output out. */
export type LSTMCellFunc = (data: Tensor2D, c: Tensor2D, h: Tensor2D) => [Tensor2D, Tensor2D];

/**
 * One step of an LSTM. With [i, j, f, o] = concat(data, h) lstmKernel + lstmBias, each of `units` columns:
 * c' = c sigmoid(f + forgetBias) + sigmoid(i) tanh(j) and h' = tanh(c') sigmoid(o). data is [batch, inputs], c and h are
 * [batch, units], lstmKernel is [inputs + units, 4 units]. Returns [c', h'].
 */
export function basicLSTMCell(
  forgetBias: Scalar | TensorLike,
  lstmKernel: Tensor2D | TensorLike,
  lstmBias: Tensor1D | TensorLike,
  data: Tensor2D | TensorLike,
  c: Tensor2D | TensorLike,
  h: Tensor2D | TensorLike,
): [Tensor2D, Tensor2D] {
  const op = 'basicLSTMCell';
  const [x, cell, output] = [valueOf(data, 'data', op), valueOf(c, 'c', op), valueOf(h, 'h', op)];
  const [kernel, bias] = [valueOf(lstmKernel, 'lstmKernel', op), valueOf(lstmBias, 'lstmBias', op)];
  const units = cell.shape[cell.shape.length - 1];
  const wanted = [(x.shape[1] ?? 0) + units, 4 * units];
  if (x.shape.length !== 2 || cell.shape.length !== 2 || showShape(kernel.shape) !== showShape(wanted)) {
    const came = `got data ${showShape(x.shape)}, c ${showShape(cell.shape)} and kernel ${showShape(kernel.shape)}`;
    fail(op, 'data and c must have rank 2, and lstmKernel the shape [inputs + units, 4 units]', came);
  }
  const gates = build.add(build.matMul(build.concat([x, output], 1), kernel), bias);
  const [i, j, f, o] = [0, 1, 2, 3].map((k) => build.slice(gates, [0, k * units], [gates.shape[0], units]));
  const kept = build.mul(cell, build.sigmoid(build.add(f, valueOf(forgetBias, 'forgetBias', op))));
  const next = build.add(kept, build.mul(build.sigmoid(i), build.tanh(j)));
  return [lift<Tensor2D>(next), lift<Tensor2D>(build.mul(build.tanh(next), build.sigmoid(o)))];
}

/** One step of a stack of cells: the output of each is the input of the next. Returns [all next cell states, all next outputs]. */
export function multiRNNCell(
  lstmCells: readonly LSTMCellFunc[],
  data: Tensor2D | TensorLike,
  c: readonly (Tensor2D | TensorLike)[],
  h: readonly (Tensor2D | TensorLike)[],
): [Tensor2D[], Tensor2D[]] {
  const op = 'multiRNNCell';
  if (c.length !== lstmCells.length || h.length !== lstmCells.length) {
    fail(
      op,
      `there must be a state for each of ${lstmCells.length} cells`,
      `got ${c.length} of c and ${h.length} of h`,
    );
  }
  const tensorOf = (x: Tensor2D | TensorLike, name: string) =>
    x instanceof Tensor ? x : lift<Tensor2D>(valueOf(x, name, op));
  let input = tensorOf(data, 'data');
  const states: [Tensor2D[], Tensor2D[]] = [[], []];
  for (const [k, cell] of lstmCells.entries()) {
    const [nextC, nextH] = cell(input, tensorOf(c[k], `c[${k}]`), tensorOf(h[k], `h[${k}]`));
    states[0].push(nextC);
    states[1].push(nextH);
    input = nextH;
  }
  return states;
}
