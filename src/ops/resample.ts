/**
 * The row of resizing height and width of [batch, height, width, channels]: each axis is multiplied by a sparse matrix that
 * its attributes describe (resample-tables.ts). With `adjoint` by the transposed ones, which is the gradient.
 */
import { fail } from '../base/errors.ts';
import type { Attrs } from '../graph/graph.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../kernel/ir.ts';
import { sizeOf } from '../types/shape.ts';
import { fill, reader } from './array.ts';
import { foldedFirst } from './batching.ts';
import { resample } from './build.ts';
import type { KernelContext } from './lowering.ts';
import type { AxisTable, ResampleMethod } from './resample-tables.ts';
import { resampleTable, transposed } from './resample-tables.ts';
import type { OpRow, Sample } from './row.ts';
import { boolAttr, f32, intsAttr, show } from './rule.ts';
import { expectImage } from './window.ts';

/** The resizing from inputSize to outputSize, each [height, width]; with `adjoint` the transposed one, from outputSize to inputSize. */
export interface ResampleAttrs extends ResampleMethod {
  readonly [name: string]: string | boolean | readonly number[];
  readonly inputSize: readonly number[];
  readonly outputSize: readonly number[];
  readonly adjoint: boolean;
}

export function resampleAttrs(attrs: Attrs): ResampleAttrs {
  return {
    method: attrs.method as ResampleMethod['method'],
    alignCorners: boolAttr(attrs, 'alignCorners'),
    halfPixelCenters: boolAttr(attrs, 'halfPixelCenters'),
    antialias: boolAttr(attrs, 'antialias'),
    inputSize: intsAttr(attrs, 'inputSize'),
    outputSize: intsAttr(attrs, 'outputSize'),
    adjoint: boolAttr(attrs, 'adjoint'),
  };
}

function tablesOf(attrs: Attrs): readonly [AxisTable, AxisTable] {
  const how = resampleAttrs(attrs);
  const table = (i: number) => {
    const forward = resampleTable(how.inputSize[i], how.outputSize[i], how);
    return how.adjoint ? transposed(forward) : forward;
  };
  return [table(0), table(1)];
}

/** Products for one output element: what decides whether both axes are done at once. */
export function resampleTaps(attrs: ResampleAttrs): number {
  const [height, width] = tablesOf(attrs);
  return height.taps * width.taps;
}

/** Vectors of channels that are accumulated side by side. */
const WIDE = 4;

function emit(context: KernelContext): void {
  const { b, inputs, outputs, inputBuffers, outputBuffers } = context;
  if (sizeOf(outputs[0].shape) === 0) return;
  const [batch, height, width, channels] = inputs[0].shape;
  const tables = tablesOf(context.attrs);
  const [down, across] = tables;
  const starts = tables.map((table) => context.constant(Int32Array.from(table.starts)));
  const single = inputs[0].dtype === 'float32';
  const weights = tables.map((table) => context.constant(single ? Float32Array.from(table.weights) : table.weights));
  if (paysRowsFirst(context, down, across)) {
    emitRowsFirst(context, down, across, starts, weights);
    return;
  }
  // One guard for each pixel, on the place of its first tap: what is left of the image behind it is the bound.
  const bound = (height - down.taps) * width + (width - across.taps) + 1;
  const site = context.site('the place of a sample', bound);
  const startOf = (axis: number, at: Affine) => b.load(starts[axis], at, 0, 1);
  const weightsOf = (axis: number, at: Affine): Reg[] =>
    Array.from({ length: tables[axis].taps }, (_, t) =>
      b.load(weights[axis], shift(times(at, tables[axis].taps), t), 0, b.lanes),
    );
  const pixel = (image: Affine, row: Affine, firstRow: Reg, rowWeights: readonly Reg[], column: Affine): void => {
    const first = b.guard(b.binary('add', firstRow, startOf(1, column)), bound, site);
    const columnWeights = weightsOf(1, column);
    const from = times(image, height * width * channels);
    const to = times(plus(times(plus(times(image, down.outputs), row), across.outputs), column), channels);
    eachVectors(b, channels, (at, lanes) => {
      const sums = lanes.map((): Reg | null => null);
      rowWeights.forEach((rowWeight, i) => {
        lanes.forEach((active, v) => {
          const place = (j: number) => shift(plus(from, at), (i * width + j) * channels + v * b.lanes);
          const load = (j: number) => b.load(inputBuffers[0], place(j), 1, active, { index: first, scale: channels });
          let line = b.binary('mul', columnWeights[0], load(0));
          for (let j = 1; j < columnWeights.length; j++) line = b.fma(columnWeights[j], load(j), line);
          const sum = sums[v];
          sums[v] = sum === null ? b.binary('mul', rowWeight, line) : b.fma(rowWeight, line, sum);
        });
      });
      lanes.forEach((active, v) =>
        b.store(outputBuffers[0], shift(plus(to, at), v * b.lanes), 1, active, sums[v] as Reg),
      );
    });
  };
  const line = (image: Affine, row: Affine): void => {
    const firstRow = b.binary('mul', startOf(0, row), b.i32(width));
    const rowWeights = weightsOf(0, row);
    b.each('column', across.outputs, (column) => pixel(image, row, firstRow, rowWeights, column));
  };
  if (batch > down.outputs)
    b.region('image', batch, (n) => b.each('row', down.outputs, (row) => line(variable(n), row)));
  else b.region('row', down.outputs, (row) => b.each('image', batch, (n) => line(n, variable(row))));
}

/** Blocks of rows that chunks are made of, and elements of the combined rows that should stay in the first cache. */
const ROW_BLOCKS = 32;
const NEAR = 4096;

/** At most `most` of `batch` images, so many that no group is smaller than others where that does not halve them. */
function groupOf(batch: number, most: number): number {
  for (let size = Math.min(batch, most); size > most / 2; size--) if (batch % size === 0) return size;
  return Math.min(batch, most);
}

/** Few channels leave most lanes empty where a pixel is one vector, but a whole row of them does not. */
function paysRowsFirst({ b, inputs }: KernelContext, down: AxisTable, across: AxisTable): boolean {
  const [, , width, channels] = inputs[0].shape;
  return channels < b.lanes && down.taps > 1 && width * channels <= 4 * b.lanes * across.outputs;
}

/**
 * For few channels. Rows are combined first, with lanes along width and channels, into scratch memory; then the pixels of those. Several
 * images go side by side, so that where a column's samples lie and what they weigh is looked up once for all of them.
 */
function emitRowsFirst(
  context: KernelContext,
  down: AxisTable,
  across: AxisTable,
  starts: readonly number[],
  weights: readonly number[],
): void {
  const { b, inputs, inputBuffers, outputBuffers } = context;
  const [batch, height, width, channels] = inputs[0].shape;
  const length = width * channels;
  const group = groupOf(batch, Math.max(1, Math.floor(NEAR / length)));
  const groups = Math.ceil(batch / group);
  const perBlock = Math.ceil(down.outputs / ROW_BLOCKS);
  const byRows = down.outputs >= ROW_BLOCKS;
  const blocks = byRows ? Math.ceil(down.outputs / perBlock) : groups;
  const scratch = context.scratch(blocks * group * length);
  const rowSite = context.site('the place of a sample', height - down.taps + 1);
  const columnSite = context.site('the place of a sample', width - across.taps + 1);
  const weightsOf = (axis: number, taps: number, at: Affine): Reg[] =>
    Array.from({ length: taps }, (_, t) => b.load(weights[axis], shift(times(at, taps), t), 0, b.lanes));
  /** The images of a group, one after the other, with the place of each in the group. */
  const images = (first: Affine, visit: (image: Affine, own: Affine) => void): void =>
    batch % group === 0
      ? b.each('image', group, (n) => visit(plus(first, n), n))
      : b.loop('image', [first], [shift(first, group), constant(batch)], (n) =>
          visit(variable(n), plus(variable(n), times(first, -1))),
        );
  const line = (own: Affine, first: Affine, row: Affine): void => {
    const start = b.guard(b.load(starts[0], row, 0, 1), height - down.taps + 1, rowSite);
    const rowWeights = weightsOf(0, down.taps, row);
    images(first, (image, place) =>
      eachVectors(b, length, (at, lanes) => {
        lanes.forEach((active, v) => {
          const load = (i: number) =>
            b.load(
              inputBuffers[0],
              shift(plus(times(image, height * length), at), i * length + v * b.lanes),
              1,
              active,
              {
                index: start,
                scale: length,
              },
            );
          let sum = b.binary('mul', rowWeights[0], load(0));
          for (let i = 1; i < rowWeights.length; i++) sum = b.fma(rowWeights[i], load(i), sum);
          b.store(scratch, shift(plus(plus(own, times(place, length)), at), v * b.lanes), 1, active, sum);
        });
      }),
    );
    b.each('column', across.outputs, (column) => {
      const from = b.guard(b.load(starts[1], column, 0, 1), width - across.taps + 1, columnSite);
      const columnWeights = weightsOf(1, across.taps, column);
      images(first, (image, place) => {
        const load = (j: number) =>
          b.load(scratch, shift(plus(own, times(place, length)), j * channels), 1, channels, {
            index: from,
            scale: channels,
          });
        let sum = b.binary('mul', columnWeights[0], load(0));
        for (let j = 1; j < columnWeights.length; j++) sum = b.fma(columnWeights[j], load(j), sum);
        const to = times(plus(times(plus(times(image, down.outputs), row), across.outputs), column), channels);
        b.store(outputBuffers[0], to, 1, channels, sum);
      });
    });
  };
  b.region('block', blocks, (block) => {
    const own = times(variable(block), group * length);
    if (!byRows) {
      b.each('row', down.outputs, (row) => line(own, times(variable(block), group), row));
      return;
    }
    const first = times(variable(block), perBlock);
    b.each('group', groups, (g) =>
      b.loop('row', [first], [shift(first, perBlock), constant(down.outputs)], (row) =>
        line(own, times(g, group), variable(row)),
      ),
    );
  });
}

function eachVectors(b: KernelBuilder, channels: number, visit: (at: Affine, lanes: readonly number[]) => void): void {
  const wide = WIDE * b.lanes;
  const whole = Math.floor(channels / wide);
  b.each('c', whole, (c) => visit(times(c, wide), new Array<number>(WIDE).fill(b.lanes)));
  const rest = channels - whole * wide;
  if (rest === 0) return;
  const lanes = new Array<number>(Math.floor(rest / b.lanes)).fill(b.lanes);
  if (rest % b.lanes > 0) lanes.push(rest % b.lanes);
  visit(constant(whole * wide), lanes);
}

const plain = { alignCorners: false, halfPixelCenters: false, antialias: false, adjoint: false };
const centered = { ...plain, halfPixelCenters: true };

/** [batch, channels, inputSize, outputSize, method] */
const cases: readonly (readonly [number, number, number[], number[], Partial<ResampleAttrs>])[] = [
  [1, 1, [1, 1], [1, 1], { ...plain, method: 'nearest' }],
  [2, 3, [4, 5], [8, 10], { ...plain, method: 'nearest' }],
  [1, 9, [7, 5], [3, 4], { ...centered, method: 'nearest' }],
  [2, 8, [3, 4], [7, 5], { ...plain, method: 'bilinear' }],
  [1, 33, [5, 6], [9, 3], { ...plain, alignCorners: true, method: 'bilinear' }],
  [3, 2, [6, 1], [4, 5], { ...centered, method: 'bilinear' }],
  [1, 3, [9, 8], [4, 3], { ...centered, antialias: true, method: 'triangle' }],
  [1, 5, [6, 5], [9, 8], { ...centered, method: 'cubic' }],
  [1, 2, [11, 9], [5, 14], { ...centered, antialias: true, method: 'lanczos3' }],
  [1, 1, [7, 8], [3, 5], { ...plain, method: 'area' }],
  [5, 3, [3, 450], [4, 300], { ...centered, method: 'bilinear' }],
  [2, 3, [9, 20], [50, 10], { ...centered, method: 'cubic' }],
  [0, 3, [4, 4], [2, 2], { ...plain, method: 'bilinear' }],
];

const drawSamples = (): Sample[] =>
  cases.flatMap(([batch, channels, inputSize, outputSize, how]) => {
    const attrs = { ...how, inputSize, outputSize } as ResampleAttrs;
    return [
      { inputs: [f32([batch, ...inputSize, channels])], attrs },
      { inputs: [f32([batch, ...outputSize, channels])], attrs: { ...attrs, adjoint: true } },
    ];
  });

export const resampleRows = {
  resample: {
    name: 'resample',
    summary: 'height and width of images multiplied by sparse matrices: resizing in all its kinds, and its gradient',
    arity: 1,
    infer([x], attrs) {
      expectImage('resample', x, 2);
      const { inputSize, outputSize, adjoint } = resampleAttrs(attrs);
      const [from, to] = adjoint ? [outputSize, inputSize] : [inputSize, outputSize];
      if (x.shape[1] !== from[0] || x.shape[2] !== from[1])
        fail('resample', `images must be ${from[0]} x ${from[1]}`, `got ${show(x)}`);
      return [{ dtype: x.dtype, shape: [x.shape[0], to[0], to[1], x.shape[3]] }];
    },
    gradient({ attrs }, [dy]) {
      const how = resampleAttrs(attrs);
      return [dy && resample(dy, { ...how, adjoint: !how.adjoint })];
    },
    batching: foldedFirst(),
    evaluate([x], attrs, [type]) {
      const [down, across] = tablesOf(attrs);
      const at = reader(x);
      return [
        fill(type, ([n, row, column, c]) => {
          let total = 0;
          for (let i = 0; i < down.taps; i++) {
            for (let j = 0; j < across.taps; j++) {
              const weight = down.weights[row * down.taps + i] * across.weights[column * across.taps + j];
              total += weight * at(n, down.starts[row] + i, across.starts[column] + j, c);
            }
          }
          return total;
        }),
      ];
    },
    lowering: { tag: 'kernel', emit },
    get samples() {
      return drawSamples();
    },
    tolerance: { absolute: 3e-6, relative: 3e-6 },
  },
} satisfies Record<string, OpRow>;
