/**
 * Resizing an axis as a sparse matrix: output i is a sum of `taps` neighbouring inputs from starts[i], weighted. Every way to
 * resize is such a table, and the transposed table is its gradient.
 */
import { invariant } from '../base/errors.ts';

export interface AxisTable {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  /** starts[i] + taps <= inputs. */
  readonly starts: Int32Array;
  /** [outputs, taps] */
  readonly weights: Float64Array;
}

/**
 * 'nearest' and 'bilinear' take samples at o * scale, or with half-pixel centers at (o + 0.5) * scale - 0.5, or with aligned
 * corners at o * (inputs - 1) / (outputs - 1). The kernels beside them have half-pixel centers, and with antialias they
 * are as wide as an output pixel where the image shrinks. 'area' is the mean over an output pixel.
 */
export interface ResampleMethod {
  readonly method: 'nearest' | 'bilinear' | 'triangle' | 'cubic' | 'lanczos3' | 'lanczos5' | 'area';
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
  readonly antialias: boolean;
}

type Row = readonly (readonly [input: number, weight: number])[];

const lanczos = (radius: number) => (x: number) => {
  if (x > radius) return 0;
  if (x < 1e-3) return 1;
  return (radius * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / radius)) / (Math.PI * Math.PI * x * x);
};

/** Weight at distance x >= 0, and where it ends. The cubic is Keys' with a = -1/2. */
const kernels: { readonly [method: string]: { readonly radius: number; readonly at: (x: number) => number } } = {
  triangle: { radius: 1, at: (x) => Math.max(0, 1 - x) },
  cubic: {
    radius: 2,
    at: (x) => (x >= 2 ? 0 : x >= 1 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : (1.5 * x - 2.5) * x * x + 1),
  },
  lanczos3: { radius: 3, at: lanczos(3) },
  lanczos5: { radius: 5, at: lanczos(5) },
};

/** Where output o is sampled. */
function placeOf(o: number, inputs: number, outputs: number, how: ResampleMethod): number {
  const aligned = how.alignCorners && outputs > 1;
  const scale = aligned ? (inputs - 1) / (outputs - 1) : inputs / outputs;
  return how.halfPixelCenters ? (o + 0.5) * scale - (how.method === 'nearest' ? 0 : 0.5) : o * scale;
}

function nearestRow(o: number, inputs: number, outputs: number, how: ResampleMethod): Row {
  const place = placeOf(o, inputs, outputs, how);
  const i = how.alignCorners ? Math.round(place) : Math.floor(place);
  return [[Math.max(0, Math.min(inputs - 1, i)), 1]];
}

function bilinearRow(o: number, inputs: number, outputs: number, how: ResampleMethod): Row {
  const place = placeOf(o, inputs, outputs, how);
  const low = Math.max(0, Math.floor(place));
  const fraction = place - low;
  const high = Math.min(inputs - 1, Math.ceil(place));
  if (fraction <= 0 || high === low) return [[Math.min(low, inputs - 1), 1]];
  return [
    [low, 1 - fraction],
    [high, fraction],
  ];
}

function kernelRow(o: number, inputs: number, outputs: number, how: ResampleMethod): Row {
  const scale = inputs / outputs;
  const width = how.antialias ? Math.max(1, scale) : 1;
  const center = (o + 0.5) * scale - 0.5;
  const { radius, at } = kernels[how.method];
  const from = Math.max(0, Math.ceil(center - radius * width));
  const to = Math.min(inputs - 1, Math.floor(center + radius * width));
  const row = Array.from({ length: Math.max(0, to - from + 1) }, (_, k): [number, number] => {
    return [from + k, at(Math.abs(center - from - k) / width)];
  });
  const total = row.reduce((sum, [, weight]) => sum + weight, 0);
  return row.map(([i, weight]) => [i, weight / total]);
}

function areaRow(o: number, inputs: number, outputs: number): Row {
  const scale = inputs / outputs;
  const [from, to] = [o * scale, (o + 1) * scale];
  const row: [number, number][] = [];
  for (let i = Math.floor(from); i < Math.min(inputs, Math.ceil(to)); i++) {
    const covered = Math.min(to, i + 1) - Math.max(from, i);
    if (covered > 1e-9) row.push([i, covered / scale]);
  }
  return row;
}

/** Rows of any lengths as a table: all as long as the longest, those near the end begin earlier. */
function tableOf(inputs: number, rows: readonly Row[]): AxisTable {
  const reach = rows.map((row) => (row.length === 0 ? 1 : row[row.length - 1][0] - row[0][0] + 1));
  const taps = Math.max(1, ...reach);
  const starts = new Int32Array(rows.length);
  const weights = new Float64Array(rows.length * taps);
  for (const [o, row] of rows.entries()) {
    starts[o] = row.length === 0 ? 0 : Math.min(row[0][0], inputs - taps);
    for (const [i, weight] of row) weights[o * taps + i - starts[o]] += weight;
  }
  return { inputs, outputs: rows.length, taps, starts, weights };
}

export function resampleTable(inputs: number, outputs: number, how: ResampleMethod): AxisTable {
  invariant(inputs > 0, 'an axis that is resized must not be empty');
  const row =
    how.method === 'nearest'
      ? nearestRow
      : how.method === 'bilinear'
        ? bilinearRow
        : how.method === 'area'
          ? areaRow
          : kernelRow;
  return tableOf(
    inputs,
    Array.from({ length: outputs }, (_, o) => row(o, inputs, outputs, how)),
  );
}

/** The transposed matrix. */
export function transposed({ inputs, outputs, taps, starts, weights }: AxisTable): AxisTable {
  const rows: [number, number][][] = Array.from({ length: inputs }, () => []);
  for (let o = 0; o < outputs; o++) {
    for (let t = 0; t < taps; t++) {
      const weight = weights[o * taps + t];
      if (weight !== 0) rows[starts[o] + t].push([o, weight]);
    }
  }
  return tableOf(outputs, rows);
}
