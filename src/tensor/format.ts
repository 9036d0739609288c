/** Elements as text and as nested lists. Knows no tensors. */
import type { DType, TypedArray } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { showShape, sizeOf } from '../types/shape.ts';

export type Nested = number | Nested[];

/** Row-major elements as nested lists of the shape; a number for []. */
export function toNested(shape: Shape, data: ArrayLike<number>): Nested {
  let at = 0;
  const build = (axis: number): Nested => {
    if (axis === shape.length) return data[at++];
    const list = new Array<Nested>(shape[axis]);
    for (let i = 0; i < shape[axis]; i++) list[i] = build(axis + 1);
    return list;
  };
  return build(0);
}

/** Longer axes show only their ends. */
const LONG = 20;
const ENDS = 3;

function formatNumber(value: number, dtype: DType): string {
  if (dtype === 'bool') return value ? 'true' : 'false';
  if (dtype === 'int32') return String(value);
  return String(Number.parseFloat(value.toFixed(7)) || (value === 0 ? 0 : Number.parseFloat(value.toPrecision(7))));
}

/** The tensor as TensorFlow.js prints it. */
export function formatTensor(shape: Shape, dtype: DType, data: TypedArray, verbose = false): string {
  const widths = columnWidths(shape, dtype, data);
  let offset = 0;
  const render = (axis: number, indent: string): string[] => {
    if (axis === shape.length) return [formatNumber(data[offset], dtype)];
    const stride = sizeOf(shape.slice(axis + 1));
    const start = offset;
    const parts: string[][] = [];
    for (let i = 0; i < shape[axis]; i++) {
      if (shape[axis] > LONG && i === ENDS) {
        parts.push(['...']);
        i = shape[axis] - ENDS;
      }
      offset = start + i * stride;
      parts.push(render(axis + 1, `${indent} `));
    }
    offset = start;
    if (axis === shape.length - 1) {
      const column = (i: number) => (parts.length > LONG && i > ENDS ? i - parts.length + widths.length : i);
      return [`[${parts.map(([text], i) => text.padEnd(widths[column(i)] ?? 0)).join(', ')}]`];
    }
    const gap = axis < shape.length - 2 ? `,\n${'\n'.repeat(shape.length - 3 - axis)}` : ',\n';
    const body = parts.map((lines, i) => (i === 0 ? '' : `${indent} `) + lines.join('\n'));
    return [`[${body.join(gap)}]`];
  };
  const text = sizeOf(shape) === 0 && shape.length > 0 ? emptyText(shape) : render(0, '    ').join('\n');
  const header = verbose
    ? `Tensor\n  dtype: ${dtype}\n  rank: ${shape.length}\n  shape: ${showShape(shape)}\n  values:\n`
    : 'Tensor\n';
  return `${header}    ${text}`;
}

function emptyText(shape: Shape): string {
  return shape[0] === 0 ? '[]' : `[] of shape ${showShape(shape)}`;
}

/** Widest number of each column of the last axis, so that rows stand in line. */
function columnWidths(shape: Shape, dtype: DType, data: TypedArray): number[] {
  const columns = shape.length < 2 ? 0 : shape[shape.length - 1];
  const rows = columns === 0 ? 0 : data.length / columns;
  if (rows > 1000 || columns > LONG) return [];
  const widths = new Array<number>(columns).fill(0);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      widths[column] = Math.max(widths[column], formatNumber(data[row * columns + column], dtype).length);
    }
  }
  return widths;
}
