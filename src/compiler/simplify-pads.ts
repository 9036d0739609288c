/**
 * Sums of padded pieces that do not meet: what the gradients of the slices of one tensor add up to. They are one concatenation,
 * which writes every element once.
 */
import type { Operation, Value } from '../graph/graph.ts';
import { concat, constant } from '../ops/build.ts';

/** A piece of a tensor along one axis, zeros around it. */
interface Piece {
  readonly value: Value;
  readonly begin: number;
}

/** The pieces along `axis` that a tensor is made of, and zeros elsewhere; null where it is no such thing. */
function piecesOf(value: Value, axis: number, at: number, isZero: (value: Value) => boolean): Piece[] | null {
  const { op } = value;
  if (isZero(value)) return [];
  if (op.kind === 'pad') {
    if (op.attrs.value !== 0) return null;
    const paddings = op.attrs.paddings as readonly (readonly [number, number])[];
    if (paddings.some(([before, after], i) => i !== axis && (before !== 0 || after !== 0))) return null;
    return piecesOf(op.inputs[0], axis, at + paddings[axis][0], isZero);
  }
  if (op.kind === 'concat' && op.attrs.axis === axis) {
    const pieces: Piece[] = [];
    let begin = at;
    for (const input of op.inputs) {
      pieces.push(...(piecesOf(input, axis, begin, isZero) ?? [{ value: input, begin }]));
      begin += input.shape[axis];
    }
    return pieces;
  }
  return [{ value, begin: at }];
}

/** The one axis along which a value is padded, or concatenated; -1 where there is none. */
function axisOf({ op }: Value): number {
  if (op.kind === 'concat') return op.attrs.axis as number;
  if (op.kind !== 'pad') return -1;
  return (op.attrs.paddings as readonly (readonly number[])[]).findIndex((padding) => padding.some((n) => n !== 0));
}

/** add(pad(a), pad(b)) -> concat(..., a, ..., b, ...), where a and b do not meet. (But for the sign of a zero.) */
export function sumOfPads(op: Operation, isZero: (value: Value) => boolean): Value | null {
  const [output] = op.outputs;
  const axis = axisOf(op.inputs[0]);
  if (axis < 0 || axisOf(op.inputs[1]) !== axis) return null;
  const pieces: Piece[] = [];
  for (const input of op.inputs) {
    const found = piecesOf(input, axis, 0, isZero);
    // What fills all of the axis meets everything.
    if (found === null) return null;
    pieces.push(...found);
  }
  pieces.sort((a, b) => a.begin - b.begin);
  const parts: Value[] = [];
  let end = 0;
  const fill = (upTo: number) => {
    if (upTo > end) parts.push(constant(0, output.dtype, output.shape.with(axis, upTo - end)));
    end = upTo;
  };
  for (const { value, begin } of pieces) {
    if (begin < end) return null;
    fill(begin);
    parts.push(value);
    end = begin + value.shape[axis];
  }
  fill(output.shape[axis]);
  return concat(parts, axis);
}
