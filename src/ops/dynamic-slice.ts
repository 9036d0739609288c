/**
 * Rows that read or write a box whose place comes from data. The box must lie inside: a start outside of [0, extent - size] is an
 * error on every target.
 */
import { fail } from '../base/errors.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Reg } from '../kernel/ir.ts';
import { constant, plus, times, variable, zero } from '../kernel/ir.ts';
import { isFloat, newArray } from '../types/dtype.ts';
import type { Shape, TensorType } from '../types/shape.ts';
import { sizeOf, stridesOf } from '../types/shape.ts';
import type { BatchingContext } from './batching.ts';
import { oneByOne, stacked } from './batching.ts';
import { flatIndex, forEachIndex } from './array.ts';
import { apply, concat, constant as constantOf, dynamicSlice, dynamicUpdateSlice, zerosLike } from './build.ts';
import type { KernelStage } from './lowering.ts';
import { checkedIndex } from './places.ts';
import type { NDArray, OpRow } from './row.ts';
import { bool, expectDType, expectSameDType, f32, i32, intsAttr, show } from './rule.ts';

function checkBox(op: string, x: TensorType, starts: TensorType, size: Shape): void {
  expectDType(op, starts, ['int32'], 'the starts');
  const rank = x.shape.length;
  if (starts.shape.length !== 1 || starts.shape[0] !== rank) {
    fail(op, `there must be ${rank} starts, one for each axis`, `got ${show(starts)} for ${show(x)}`);
  }
  const fits = size.length === rank && size.every((n, axis) => Number.isInteger(n) && n >= 0 && n <= x.shape[axis]);
  if (!fits) fail(op, 'the box must fit into the tensor', `got [${size}] for ${show(x)}`);
}

/** The starts, checked. */
function startsOf(op: string, starts: NDArray, shape: Shape, size: Shape): number[] {
  return shape.map((extent, axis) =>
    checkedIndex(op, `start of axis ${axis}`, starts.data[axis], extent - size[axis] + 1),
  );
}

/** The box's place as one guarded number: each start is checked, and then their sum (which cannot fail) once more. */
function boxPlace(stage: KernelStage, starts: number, shape: Shape, size: Shape): Reg {
  const { b } = stage;
  const strides = stridesOf(shape);
  let place = b.i32(0);
  let most = 0;
  for (const [axis, extent] of shape.entries()) {
    const bound = extent - size[axis] + 1;
    const start = b.guard(b.load(starts, constant(axis), 0, 1), bound, stage.site(`start of axis ${axis}`, bound));
    if (bound === 1) continue;
    place = b.binary('add', place, b.binary('mul', start, b.i32(strides[axis])));
    most += (bound - 1) * strides[axis];
  }
  return b.guard(place, most + 1, stage.site('place', most + 1));
}

/** Visits a box of `size` row by row: the coordinates of all axes but the last, then vectors along that. */
function eachVector(
  b: KernelBuilder,
  size: Shape,
  visit: (at: readonly Affine[], lanes: number) => void,
  from: readonly Affine[] = [],
): void {
  const axis = from.length;
  if (axis < size.length - 1) {
    b.each(`i${axis}`, size[axis], (i) => eachVector(b, size, visit, [...from, i]));
    return;
  }
  const length = size.length === 0 ? 1 : size[axis];
  const whole = length - (length % b.lanes);
  const at = (i: Affine) => (size.length === 0 ? [] : [...from, i]);
  if (whole > 0) b.loop('v', 0, whole, (v) => visit(at(variable(v)), b.lanes), { step: b.lanes });
  if (whole < length) visit(at(constant(whole)), length - whole);
}

const flat = (at: readonly Affine[], strides: readonly number[]): Affine =>
  at.reduce((sum, coordinate, axis) => plus(sum, times(coordinate, strides[axis])), zero);

/** The axis that chunks share: the longest, but not the lanes' unless it is the only one. */
function sharedAxis(size: Shape, allowed: (axis: number) => boolean = () => true): number {
  let best = -1;
  for (let axis = 0; axis < size.length - 1; axis++) {
    if (allowed(axis) && size[axis] > (best < 0 ? 1 : size[best])) best = axis;
  }
  return best;
}

/** A box with one axis held, and what is to be added to its coordinates. */
function eachChunk(
  b: KernelBuilder,
  size: Shape,
  shared: number,
  body: (box: Shape, moved: (at: readonly Affine[]) => readonly Affine[]) => void,
): void {
  if (shared < 0) {
    b.region('all', 1, () => body(size, (at) => at));
    return;
  }
  b.region('chunk', size[shared], (v) =>
    body(size.with(shared, 1), (at) => at.map((coordinate, axis) => (axis === shared ? variable(v) : coordinate))),
  );
}

function emitSlice(stage: KernelStage, x: TensorType, size: Shape): void {
  const { b } = stage;
  const [from, starts, to] = [stage.input(0), stage.input(1), stage.output(0)];
  const [inStrides, outStrides] = [stridesOf(x.shape), stridesOf(size)];
  eachChunk(b, size, sharedAxis(size), (box, moved) => {
    const dyn = { index: boxPlace(stage, starts, x.shape, size), scale: 1 };
    eachVector(b, box, (at, lanes) => {
      const place = moved(at);
      b.store(to, flat(place, outStrides), 1, lanes, b.load(from, flat(place, inStrides), 1, lanes, dyn));
    });
  });
}

/** The tensor is copied and then overwritten; a chunk must do both of the same elements, so it has to know where it writes. */
function emitUpdate(stage: KernelStage, x: TensorType, size: Shape): void {
  const { b } = stage;
  const [from, updates, starts, to] = [stage.input(0), stage.input(1), stage.input(2), stage.output(0)];
  const [strides, updateStrides] = [stridesOf(x.shape), stridesOf(size)];
  const shared = sharedAxis(x.shape, (axis) => size[axis] === x.shape[axis]);
  eachChunk(b, x.shape, shared, (box, moved) => {
    eachVector(b, box, (at, lanes) => {
      const place = flat(moved(at), strides);
      b.store(to, place, 1, lanes, b.load(from, place, 1, lanes));
    });
    if (sizeOf(size) === 0) return;
    const dyn = { index: boxPlace(stage, starts, x.shape, size), scale: 1 };
    eachVector(b, shared < 0 ? size : size.with(shared, 1), (at, lanes) => {
      const place = moved(at);
      b.store(to, flat(place, strides), 1, lanes, b.load(updates, flat(place, updateStrides), 1, lanes), dyn);
    });
  });
}

/** Where the starts are the same for the whole stack, the new axis is one more that is taken from end to end. */
function batchSlice(context: BatchingContext) {
  const { kind, inputs, batched, size, attrs } = context;
  const last = inputs.length - 1;
  if (batched[last]) return oneByOne(context);
  const starts = concat([constantOf(0, 'int32', [1]), inputs[last]], 0);
  const others = inputs.slice(0, last).map((_, i) => stacked(context, i));
  return apply(kind, [...others, starts], attrs.size ? { size: [size, ...intsAttr(attrs, 'size')] } : attrs);
}

export const dynamicSliceRows = {
  dynamicSlice: {
    name: 'dynamicSlice',
    summary: 'the box of shape attrs.size that begins at the int32 starts, one for each axis',
    arity: 2,
    infer([x, starts], attrs) {
      const size = intsAttr(attrs, 'size');
      checkBox('dynamicSlice', x, starts, size);
      return [{ dtype: x.dtype, shape: size }];
    },
    gradient: ({ inputs: [x, starts] }, [dy]) => [
      dy && isFloat(x.dtype) ? dynamicUpdateSlice(zerosLike(x), dy, starts) : null,
      null,
    ],
    batching: batchSlice,
    small: 'asIs',
    evaluate([x, starts], attrs, [type]) {
      const size = intsAttr(attrs, 'size');
      const first = startsOf('dynamicSlice', starts, x.shape, size);
      const strides = stridesOf(x.shape);
      const out = newArray(type.dtype, sizeOf(size));
      forEachIndex(size, (at, to) => {
        out[to] =
          x.data[
            flatIndex(
              at.map((i, axis) => i + first[axis]),
              strides,
            )
          ];
      });
      return [out];
    },
    lowering: {
      tag: 'kernels',
      emit: ({ kernel, inputs: [x], attrs }) => kernel('', (stage) => emitSlice(stage, x, intsAttr(attrs, 'size'))),
    },
    get samples() {
      return [
        { inputs: [f32([]), i32([0], 0, 1)], attrs: { size: [] } },
        { inputs: [f32([9]), i32([1], 0, 3)], attrs: { size: [7] } },
        { inputs: [f32([9]), i32([1], 0, 10)], attrs: { size: [0] } },
        { inputs: [f32([7, 33]), i32([2], 0, 4)], attrs: { size: [3, 19] } },
        { inputs: [i32([3, 4, 5]), i32([3], 0, 1)], attrs: { size: [3, 2, 5] } },
        { inputs: [bool([3, 12]), i32([2], 0, 2)], attrs: { size: [2, 11] } },
      ];
    },
  },
  dynamicUpdateSlice: {
    name: 'dynamicUpdateSlice',
    summary: 'a copy of the tensor in which the box that begins at the int32 starts holds the updates',
    arity: 3,
    infer([x, updates, starts]) {
      expectSameDType('dynamicUpdateSlice', [x, updates]);
      checkBox('dynamicUpdateSlice', x, starts, updates.shape);
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    gradient({ inputs: [x, updates, starts] }, [dy]) {
      if (dy === null || !isFloat(x.dtype)) return [null, null, null];
      return [dynamicUpdateSlice(dy, zerosLike(updates), starts), dynamicSlice(dy, starts, updates.shape), null];
    },
    batching: batchSlice,
    small: 'asIs',
    evaluate([x, updates, starts], _attrs, [type]) {
      const first = startsOf('dynamicUpdateSlice', starts, x.shape, updates.shape);
      const strides = stridesOf(x.shape);
      const out = newArray(type.dtype, sizeOf(type.shape));
      out.set(x.data);
      forEachIndex(updates.shape, (at, from) => {
        out[
          flatIndex(
            at.map((i, axis) => i + first[axis]),
            strides,
          )
        ] = updates.data[from];
      });
      return [out];
    },
    lowering: {
      tag: 'kernels',
      emit: ({ kernel, inputs: [x, updates] }) => kernel('', (stage) => emitUpdate(stage, x, updates.shape)),
    },
    get samples() {
      return [
        { inputs: [f32([]), f32([]), i32([0], 0, 1)] },
        { inputs: [f32([9]), f32([7]), i32([1], 0, 3)] },
        { inputs: [f32([9]), f32([0]), i32([1], 0, 10)] },
        { inputs: [f32([7, 33]), f32([3, 19]), i32([2], 0, 4)] },
        { inputs: [f32([4, 6, 5]), f32([4, 2, 5]), i32([3], 0, 1)] },
        { inputs: [i32([3, 4, 5]), i32([3, 2, 5]), i32([3], 0, 1)] },
        { inputs: [bool([3, 12]), bool([2, 11]), i32([2], 0, 2)] },
      ];
    },
  },
} satisfies Record<string, OpRow>;
