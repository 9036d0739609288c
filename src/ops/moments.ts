/**
 * Rows of statistics over the middle axis of [groups, rows, channels]: what batch, instance and group normalization read their
 * input for. Both read memory once: a block of rows is summed, and squared about its own mean while it is in the cache; blocks
 * are then combined by Chan's formula, which loses nothing where the mean is large beside the deviation.
 */
import { fail } from '../base/errors.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, registerOf, shift, times, variable } from '../kernel/ir.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { newArray } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { forEachIndex } from './array.ts';
import { foldedFirst } from './batching.ts';
import { add, broadcastTo, mul, neg, reshape, scale, sub } from './build.ts';
import { elemOf } from './elements.ts';
import type { KernelsContext, KernelStage, ScratchMemory } from './lowering.ts';
import type { OpRow } from './row.ts';
import { expectDType, expectRank, f32, floats, show } from './rule.ts';
import type { Value } from '../graph/graph.ts';

/** Elements of a block: half of a second cache, so that its second reading is cheap. */
const BLOCK = 32768;
/** Vectors of channels that are accumulated side by side. */
const WIDE = 4;

function expectGroups(op: string, x: TensorType, what = 'the input'): void {
  expectDType(op, x, floats, what);
  expectRank(op, x, 3, `${what} [groups, rows, channels]`);
  if (x.shape[1] === 0 && x.shape[0] * x.shape[2] > 0) fail(op, 'there must be rows', `got ${show(x)}`);
}

/** [groups, channels] at every row of [groups, rows, channels]. */
function spread(statistic: Value, shape: Shape): Value {
  return broadcastTo(reshape(statistic, [shape[0], 1, shape[2]]), shape);
}

interface Blocks {
  readonly groups: number;
  readonly rows: number;
  readonly channels: number;
  readonly size: number;
  readonly full: number;
  /** Rows behind the last full block. */
  readonly rest: number;
  readonly count: number;
}

/** How the rows are cut: by the shape alone, so that no sum depends on threads. */
function blocksOf([groups, rows, channels]: Shape): Blocks {
  const size = Math.min(rows, Math.max(8, Math.floor(BLOCK / channels)));
  const full = Math.floor(rows / size);
  const rest = rows - full * size;
  return { groups, rows, channels, size, full, rest, count: full + (rest > 0 ? 1 : 0) };
}

/** Walks all channels, a few vectors at a time. */
function eachColumns(
  b: KernelBuilder,
  channels: number,
  visit: (from: Affine, lanes: readonly number[]) => void,
): void {
  const wide = WIDE * b.lanes;
  const whole = Math.floor(channels / wide);
  b.each('w', whole, (w) => visit(times(w, wide), new Array<number>(WIDE).fill(b.lanes)));
  const rest = channels - whole * wide;
  if (rest === 0) return;
  const lanes = new Array<number>(Math.floor(rest / b.lanes)).fill(b.lanes);
  if (rest % b.lanes > 0) lanes.push(rest % b.lanes);
  visit(constant(whole * wide), lanes);
}

/** Regions over all blocks of all groups; `write` gets the block's first element, its number and its rows. */
function eachBlock(
  b: KernelBuilder,
  { groups, rows, channels, size, full, rest, count }: Blocks,
  write: (group: Affine, first: Affine, block: Affine, rows: number) => void,
): void {
  const at = (g: Affine, p: Affine, n: number) =>
    write(g, plus(times(g, rows * channels), times(p, size * channels)), plus(times(g, count), p), n);
  if (groups > full) {
    b.region('group', groups, (g) => {
      b.each('block', full, (p) => at(variable(g), p, size));
      if (rest > 0) at(variable(g), constant(full), rest);
    });
    return;
  }
  if (full > 0) b.region('block', full, (p) => b.each('group', groups, (g) => at(g, variable(p), size)));
  if (rest > 0) b.region('rest', 1, () => b.each('group', groups, (g) => at(g, constant(full), rest)));
}

/** Regions over all statistics; `write` gets a few vectors of channels of one group. */
function eachStatistic(
  b: KernelBuilder,
  { groups, channels }: Blocks,
  write: (group: Affine, from: Affine, lanes: readonly number[]) => void,
): void {
  if (groups === 0 || channels === 0) return;
  b.region('group', groups, (g) => eachColumns(b, channels, (from, lanes) => write(variable(g), from, lanes)));
}

/** Accumulators for vectors of channels over `count` rows from element `first`; `term` gives what is added for a row. */
function overRows(
  b: KernelBuilder,
  lanes: readonly number[],
  count: number,
  channels: number,
  first: Affine,
  add: (at: Affine, vector: number, lanes: number) => void,
): void {
  b.each('row', count, (row) =>
    lanes.forEach((active, v) => add(shift(plus(first, times(row, channels)), v * b.lanes), v, active)),
  );
}

/** Zero of what a buffer's elements are in registers. */
function zeroLike(b: KernelBuilder, buffer: number): Reg {
  return b.constant(registerOf[b.paramInfo(buffer).elem], 0);
}

function emitMoments(context: KernelsContext): void {
  const blocks = blocksOf(context.inputs[0].shape);
  const size = blocks.groups * blocks.count * blocks.channels;
  if (size === 0) return;
  const elem = elemOf(context.inputs[0].dtype);
  const means = context.scratch(elem, size);
  const squares = context.scratch(elem, size);
  context.kernel('blocks', (stage) => blockMoments(stage, blocks, means, squares));
  context.kernel('', (stage) => combineMoments(stage, blocks, means, squares));
}

function blockMoments(stage: KernelStage, blocks: Blocks, means: ScratchMemory, squares: ScratchMemory): void {
  const { b } = stage;
  const [x, mean, square] = [stage.input(0), stage.scratch(means, 'write'), stage.scratch(squares, 'write')];
  const { channels } = blocks;
  eachBlock(b, blocks, (_group, first, block, rows) =>
    eachColumns(b, channels, (from, lanes) => {
      const zero = zeroLike(b, x);
      const start = plus(first, from);
      const sums = lanes.map(() => b.acc(zero));
      overRows(b, lanes, rows, channels, start, (at, v, active) =>
        b.set(sums[v], b.binary('add', sums[v], b.load(x, at, 1, active))),
      );
      const centers = sums.map((sum) => b.binary('mul', sum, b.like(sum, 1 / rows)));
      const totals = lanes.map(() => b.acc(zero));
      overRows(b, lanes, rows, channels, start, (at, v, active) => {
        const d = b.binary('sub', b.load(x, at, 1, active), centers[v]);
        b.fmaAcc(totals[v], d, d);
      });
      lanes.forEach((active, v) => {
        const at = shift(plus(times(block, channels), from), v * b.lanes);
        b.store(mean, at, 1, active, centers[v]);
        b.store(square, at, 1, active, totals[v]);
      });
    }),
  );
}

/** Visits the blocks of one group, the last with its own number of rows. */
function eachPart(b: KernelBuilder, blocks: Blocks, group: Affine, visit: (block: Affine, rows: number) => void): void {
  const first = times(group, blocks.count);
  b.each('block', blocks.full, (p) => visit(plus(first, p), blocks.size));
  if (blocks.rest > 0) visit(shift(first, blocks.full), blocks.rest);
}

function combineMoments(stage: KernelStage, blocks: Blocks, means: ScratchMemory, squares: ScratchMemory): void {
  const { b } = stage;
  const [mean, square] = [stage.scratch(means, 'read'), stage.scratch(squares, 'read')];
  const [outMean, outVariance] = [stage.output(0), stage.output(1)];
  const { channels } = blocks;
  const share = 1 / blocks.rows;
  eachStatistic(b, blocks, (group, from, lanes) => {
    const zero = zeroLike(b, mean);
    const at = (block: Affine, v: number) => shift(plus(times(block, channels), from), v * b.lanes);
    const totals = lanes.map(() => b.acc(zero));
    eachPart(b, blocks, group, (block, rows) =>
      lanes.forEach((active, v) =>
        b.fmaAcc(totals[v], b.load(mean, at(block, v), 1, active), b.like(totals[v], rows * share)),
      ),
    );
    const variances = lanes.map(() => b.acc(zero));
    eachPart(b, blocks, group, (block, rows) =>
      lanes.forEach((active, v) => {
        const d = b.binary('sub', b.load(mean, at(block, v), 1, active), totals[v]);
        b.fmaAcc(variances[v], b.load(square, at(block, v), 1, active), b.like(variances[v], share));
        b.fmaAcc(variances[v], b.binary('mul', d, d), b.like(variances[v], rows * share));
      }),
    );
    lanes.forEach((active, v) => {
      b.store(outMean, at(group, v), 1, active, totals[v]);
      b.store(outVariance, at(group, v), 1, active, variances[v]);
    });
  });
}

function emitSums(context: KernelsContext): void {
  const blocks = blocksOf(context.inputs[0].shape);
  const { channels } = blocks;
  const size = blocks.groups * blocks.count * channels;
  if (size === 0) return;
  const elem = elemOf(context.inputs[0].dtype);
  const parts = [context.scratch(elem, size), context.scratch(elem, size)];
  context.kernel('blocks', (stage) => {
    const { b } = stage;
    const [dy, x, center] = [0, 1, 2].map((i) => stage.input(i));
    const outs = parts.map((part) => stage.scratch(part, 'write'));
    eachBlock(b, blocks, (group, first, block, rows) =>
      eachColumns(b, channels, (from, lanes) => {
        const centers = lanes.map((active, v) =>
          b.load(center, shift(plus(times(group, channels), from), v * b.lanes), 1, active),
        );
        const zero = zeroLike(b, x);
        const sums = lanes.map(() => [b.acc(zero), b.acc(zero)]);
        overRows(b, lanes, rows, channels, plus(first, from), (at, v, active) => {
          const d = b.load(dy, at, 1, active);
          b.set(sums[v][0], b.binary('add', sums[v][0], d));
          b.fmaAcc(sums[v][1], d, b.binary('sub', b.load(x, at, 1, active), centers[v]));
        });
        lanes.forEach((active, v) => {
          const at = shift(plus(times(block, channels), from), v * b.lanes);
          outs.forEach((out, i) => b.store(out, at, 1, active, sums[v][i]));
        });
      }),
    );
  });
  context.kernel('', (stage) => addParts(stage, blocks, parts));
}

function addParts(stage: KernelStage, blocks: Blocks, parts: readonly ScratchMemory[]): void {
  const { b } = stage;
  const from = parts.map((part) => stage.scratch(part, 'read'));
  const to = parts.map((_, i) => stage.output(i));
  eachStatistic(b, blocks, (group, column, lanes) => {
    const at = (block: Affine, v: number) => shift(plus(times(block, blocks.channels), column), v * b.lanes);
    const zero = zeroLike(b, from[0]);
    const sums: Reg[][] = lanes.map(() => from.map(() => b.acc(zero)));
    eachPart(b, blocks, group, (block) =>
      lanes.forEach((active, v) =>
        from.forEach((part, i) =>
          b.set(sums[v][i], b.binary('add', sums[v][i], b.load(part, at(block, v), 1, active))),
        ),
      ),
    );
    lanes.forEach((active, v) => to.forEach((out, i) => b.store(out, at(group, v), 1, active, sums[v][i])));
  });
}

const shapes: readonly Shape[] = [
  [1, 1, 1],
  [1, 5, 3],
  [2, 9, 8],
  [3, 7, 33],
  [1, 300, 5],
  [2, 0, 0],
  [1, 4100, 9],
  [1, 2060, 32],
];

export const momentsRows = {
  channelMoments: {
    name: 'channelMoments',
    summary: 'mean and variance (of the population) over the rows of [groups, rows, channels], in one reading',
    arity: 1,
    infer([x]) {
      expectGroups('channelMoments', x);
      const type: TensorType = { dtype: x.dtype, shape: [x.shape[0], x.shape[2]] };
      return [type, type];
    },
    gradient({ inputs: [x], outputs: [mean] }, [dMean, dVariance]) {
      const share = 1 / Math.max(1, x.shape[1]);
      const ofMean = dMean && spread(scale(dMean, share), x.shape);
      if (dVariance === null) return [ofMean];
      const deviation = sub(x, spread(mean, x.shape));
      const ofVariance = mul(deviation, spread(scale(dVariance, 2 * share), x.shape));
      return [ofMean === null ? ofVariance : add(ofMean, ofVariance)];
    },
    batching: foldedFirst(),
    evaluate([x], _attrs, [type]) {
      const [, rows, channels] = x.shape;
      const [mean, variance] = [newArray(type.dtype, sizeOf(type.shape)), newArray(type.dtype, sizeOf(type.shape))];
      forEachIndex(type.shape, ([g, c], flat) => {
        const at = (row: number) => x.data[(g * rows + row) * channels + c];
        let total = 0;
        for (let row = 0; row < rows; row++) total += at(row);
        let squares = 0;
        for (let row = 0; row < rows; row++) squares += (at(row) - total / rows) ** 2;
        mean[flat] = total / rows;
        variance[flat] = squares / rows;
      });
      return [mean, variance];
    },
    lowering: { tag: 'kernels', emit: emitMoments },
    get samples() {
      return shapes.map((shape) => ({ inputs: [f32(shape)] }));
    },
    tolerance: { absolute: 2e-6, relative: 1e-5 },
  },
  channelSums: {
    name: 'channelSums',
    summary: 'sums over the rows of [groups, rows, channels]: of dy, and of dy (x - center), in one reading',
    arity: 3,
    infer([dy, x, center]) {
      expectGroups('channelSums', dy);
      for (const [what, type, shape] of [
        ['x', x, dy.shape],
        ['center', center, [dy.shape[0], dy.shape[2]]],
      ] as const) {
        expectDType('channelSums', type, [dy.dtype], what);
        if (type.shape.join() !== shape.join())
          fail('channelSums', `${what} must have shape [${shape}]`, `got ${show(type)}`);
      }
      const type: TensorType = { dtype: dy.dtype, shape: [dy.shape[0], dy.shape[2]] };
      return [type, type];
    },
    gradient({ inputs: [dy, x, center], outputs: [plain] }, [gPlain, gProduct]) {
      const ofPlain = gPlain && spread(gPlain, dy.shape);
      if (gProduct === null) return [ofPlain, null, null];
      const g = spread(gProduct, dy.shape);
      const ofProduct = mul(g, sub(x, spread(center, x.shape)));
      return [ofPlain === null ? ofProduct : add(ofPlain, ofProduct), mul(g, dy), neg(mul(gProduct, plain))];
    },
    batching: foldedFirst(),
    evaluate([dy, x, center], _attrs, [type]) {
      const [, rows, channels] = dy.shape;
      const [plain, product] = [newArray(type.dtype, sizeOf(type.shape)), newArray(type.dtype, sizeOf(type.shape))];
      forEachIndex(type.shape, ([g, c], flat) => {
        let [a, b] = [0, 0];
        for (let row = 0; row < rows; row++) {
          const at = (g * rows + row) * channels + c;
          a += dy.data[at];
          b += dy.data[at] * (x.data[at] - center.data[flat]);
        }
        plain[flat] = a;
        product[flat] = b;
      });
      return [plain, product];
    },
    lowering: { tag: 'kernels', emit: emitSums },
    get samples() {
      return shapes.map((shape) => ({ inputs: [f32(shape), f32(shape), f32([shape[0], shape[2]])] }));
    },
    // A block's sum of 1,024 products of up to 8 passes 128, whose last place is 1.5e-5; its roundings, up to half of that each,
    // wander by 1.5e-5 / sqrt(12) * sqrt(1024) = 1.4e-4 (one sigma).
    tolerance: { absolute: 6e-4, relative: 1e-5 },
  },
} satisfies Record<string, OpRow>;
