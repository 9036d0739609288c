/** Elements as text and as nested lists. Knows no tensors. */
import { dtypes, isDType } from '../types/dtype.ts';
import type { Shape } from '../types/shape.ts';
import { showShape, stridesOf } from '../types/shape.ts';

export type Nested<T = number> = T | Nested<T>[];

/** What elements can be shown: numbers, or the strings of a string tensor. */
export type Elements = ArrayLike<number> | ArrayLike<string>;

/** Row-major elements as nested lists of the shape; the element itself for []. */
export function toNested<T>(shape: Shape, data: ArrayLike<T>): Nested<T> {
  let at = 0;
  const build = (axis: number): Nested<T> => {
    if (axis === shape.length) return data[at++];
    const list = new Array<Nested<T>>(shape[axis]);
    for (let i = 0; i < shape[axis]; i++) list[i] = build(axis + 1);
    return list;
  };
  return build(0);
}

/** Longer axes show only their ends. */
const LONG = 20;
const ENDS = 3;

function formatElement(value: number | string, dtype: string): string {
  if (typeof value === 'string') return dtype === 'complex64' ? value : `'${value}'`;
  if (dtype === 'bool') return value ? 'true' : 'false';
  // Integers, bigints among them.
  if (isDType(dtype) && dtypes[dtype].kind === 'int') return String(value);
  // Seven decimals; but what those would make 0 is told, unlike in TensorFlow.js.
  return String(Number.parseFloat(value.toFixed(7)) || (value === 0 ? 0 : Number.parseFloat(value.toPrecision(7))));
}

/** Interleaved real and imaginary parts as texts. */
export function complexTexts(data: ArrayLike<number>): string[] {
  return Array.from({ length: data.length / 2 }, (_, i) => {
    const [re, im] = [data[2 * i], data[2 * i + 1]].map((part) => formatElement(part, 'float32'));
    return `${re} + ${im}j`;
  });
}

/** A scalar stands by itself: with all its digits, and without quotes. */
function formatScalar(value: number | string, dtype: string): string {
  return dtype === 'bool' ? formatElement(value, dtype) : String(value);
}

/** Places along an axis that are shown; -1 stands for what is left out. */
function shownPlaces(extent: number): number[] {
  const places = Array.from({ length: extent <= LONG ? extent : 2 * ENDS + 1 }, (_, i) => i);
  return extent <= LONG ? places : places.map((i) => (i < ENDS ? i : i === ENDS ? -1 : extent - 2 * ENDS - 1 + i));
}

/** The tensor as TensorFlow.js prints it. */
export function formatTensor(shape: Shape, dtype: string, data: Elements, verbose = false): string {
  const header = verbose
    ? `Tensor\n  dtype: ${dtype}\n  rank: ${shape.length}\n  shape: ${showShape(shape)}\n  values:\n`
    : 'Tensor\n';
  const lines = formatLines(shape, dtype, data).map((line) => `    ${line}`);
  return header + lines.join('\n');
}

/** The lines; one that ends a block ends in blank lines, which are not indented. */
function formatLines(shape: Shape, dtype: string, data: Elements): string[] {
  if (shape.length === 0) return [formatScalar(data[0], dtype)];
  const strides = stridesOf(shape);
  const widths = columnWidths(shape, dtype, data);
  const row = (offset: number) => {
    const texts = shownPlaces(shape[shape.length - 1]).map((i) =>
      i < 0 ? '...' : formatElement(data[offset + i], dtype).padEnd(widths.get(i) ?? 0),
    );
    return `[${texts.join(', ')}]`;
  };
  const lines = (axis: number, offset: number, isLast: boolean): string[] => {
    const rank = shape.length - axis;
    if (rank === 1) return [row(offset)];
    const extent = shape[axis];
    if (extent === 0) return [' []'];
    const inside = shownPlaces(extent).flatMap((i) =>
      i < 0 ? ['...'] : lines(axis + 1, offset + i * strides[axis], i === extent - 1),
    );
    const comma = rank === 2 ? ',' : '';
    const close = isLast ? ']' : `],\n${'\n'.repeat(rank - 2)}`;
    const end = inside.length - 1;
    return inside.map((line, i) => {
      // An axis of one line opens and closes in it, comma included.
      const opened = i === 0 ? `[${line}${comma}` : i < end ? ` ${line}${comma}` : line;
      return i === end ? ` ${opened}${close}` : opened;
    });
  };
  return lines(0, 0, true);
}

/** Rows that are looked at for the widths of columns; of more, as many from either end. */
const WIDTH_ROWS = 5000;

/** Widest text of each shown column of the last axis, so that rows stand in line. */
function columnWidths(shape: Shape, dtype: string, data: Elements): Map<number, number> {
  const columns = shape[shape.length - 1];
  const rows = shape.length < 2 || columns === 0 ? 0 : data.length / columns;
  const widths = new Map<number, number>();
  for (const column of shownPlaces(columns)) {
    let widest = 0;
    for (let row = 0; row < rows; row++) {
      if (row === WIDTH_ROWS) row = Math.max(row, rows - WIDTH_ROWS);
      if (column >= 0) widest = Math.max(widest, formatElement(data[row * columns + column], dtype).length);
    }
    widths.set(column, widest);
  }
  return widths;
}
