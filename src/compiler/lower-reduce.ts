/**
 * Reductions. Where the innermost axis stays, lanes run along it and the reduced axes are loops around accumulators; where it
 * is reduced, lanes hold partial results that are combined at the end. A reduction with few results and much to read is
 * cut into a fixed number of parts (by its shape, never by the number of threads, so that the bits do not depend on it).
 */
import { constantOf, elemOf, identityOf, isFloatRegister } from '../ops/elements.ts';
import type { Operation, Value } from '../graph/graph.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, ReduceFn, Reg } from '../kernel/ir.ts';
import { constant, plus, shift, times, variable, zero } from '../kernel/ir.ts';
import type { Coord } from '../ops/lowering.ts';
import { rowOf } from '../ops/table.ts';
import type { DType } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { type Emitter, type LoweredKernel, Scratch } from './emitter.ts';
import { coord, Index } from './index-space.ts';
import { type LowerContext, newEmitter, trialGroups, workOf } from './lower-elementwise.ts';
import { blockedRegion, chunkElements, spreadGroups } from './nest.ts';
import type { Group } from './plan.ts';

/** Elements below which cutting a reduction into parts costs more than it gives. */
const SPLIT_FROM = 32768;
const PARTS = 32;
/** Elements from which a reduction does not fit into a cache. */
const LARGE = 2 ** 20;
/** Elements of a row that is wider than the accumulators of a few registers, and rows that are combined at once. */
const WIDE_ROW = 512;
const ROWS_AT_ONCE = 4;
/** Vectors of results that one chunk puts together. */
const COMBINED_VECTORS = 64;
/** Vectors that are accumulated side by side, to hide the latency of one addition behind the next. */
const ILP = 4;

/** What a reduction starts from. bool is reduced as int32 0 and 1. */
export function startOf(b: KernelBuilder, fn: ReduceFn, dtype: DType): Reg {
  return constantOf(b, dtype, identityOf(fn, dtype));
}

/** x is combined into acc so that a NaN on either side stays: min and max choose their second operand when comparing with NaN. */
export function combine(b: KernelBuilder, fn: ReduceFn, acc: Reg, x: Reg): Reg {
  if ((fn === 'min' || fn === 'max') && isFloatRegister(b.typeOf(x))) {
    return b.select(b.compare('ne', acc, acc), acc, b.binary(fn, acc, x));
  }
  return b.binary(fn, acc, x);
}

interface Reduction {
  readonly context: LowerContext;
  readonly group: Group;
  readonly op: Operation;
  readonly input: Value;
  readonly fn: ReduceFn;
  readonly groups: number[][];
  readonly extents: number[];
  readonly isReduced: boolean[];
  readonly cost: number;
}

export function lowerReduce(context: LowerContext, group: Group, name: string): LoweredKernel[] {
  const op = group.anchor as Operation;
  const { lowering } = rowOf(op.kind);
  if (lowering.tag !== 'reduce' || sizeOf(op.outputs[0].shape) === 0) return [];
  const input = op.inputs[0];
  const axes = new Set(op.attrs.axes as readonly number[]);
  const own = [...group.roots, op.outputs[0]];
  const read = (emitter: Emitter, dims: readonly Coord[]) => {
    emitter.b.store(
      emitter.buffer(new Scratch('i32', 1), 'write'),
      zero,
      1,
      1,
      asNumber(emitter, input, emitter.value(input, Index.at(input.shape, dims, 1))),
    );
  };
  const trial = trialGroups(context, input.shape, own, read);
  // Axes may be walked as one only where what is done with the result allows it too.
  const joined = trialGroups(context, input.shape, own, (emitter, dims) => {
    read(emitter, dims);
    const index = Index.at(
      op.outputs[0].shape,
      dims.filter((_, axis) => !axes.has(axis)),
      1,
    );
    index.memo.set(op.outputs[0], emitter.fill(input.dtype, 0));
    emitter.finish(group.roots, index);
  });
  const groups = splitByKind(joined.groups, axes);
  const reduction: Reduction = {
    context,
    group,
    op,
    input,
    fn: lowering.fn,
    groups,
    extents: groups.map((axes) => axes.reduce((product, axis) => product * input.shape[axis], 1)),
    isReduced: groups.map((list) => axes.has(list[0])),
    cost: trial.instructions,
  };
  return splitsInParts(reduction) ? inParts(reduction, name) : [whole(reduction, name)];
}

/** Axes that are walked as one must all stay or all go. */
function splitByKind(groups: readonly number[][], reduced: ReadonlySet<number>): number[][] {
  return groups.flatMap((group) => {
    const out: number[][] = [];
    for (const axis of group) {
      const last = out[out.length - 1];
      if (last && reduced.has(last[0]) === reduced.has(axis)) last.push(axis);
      else out.push([axis]);
    }
    return out;
  });
}

export function asNumber(emitter: Emitter, value: Value, reg: Reg): Reg {
  return value.dtype === 'bool' ? emitter.b.convert('maskToI32', reg) : reg;
}

/** The input's element at the merged coordinates. */
function element(r: Reduction, emitter: Emitter, at: readonly Coord[], lanes: number): Reg {
  const index = Index.at(r.input.shape, spreadGroups(r.input.shape.length, r.groups, at), lanes);
  return asNumber(emitter, r.input, emitter.value(r.input, index));
}

/** The place of the result that merged coordinates belong to. */
function resultIndex(r: Reduction, at: readonly Coord[], lanes: number): Index {
  const dims = spreadGroups(r.input.shape.length, r.groups, at);
  const axes = new Set(r.op.attrs.axes as readonly number[]);
  return Index.at(
    r.op.outputs[0].shape,
    dims.filter((_, axis) => !axes.has(axis)),
    lanes,
  );
}

function finish(r: Reduction, emitter: Emitter, at: readonly Coord[], lanes: number, acc: Reg): void {
  const index = resultIndex(r, at, lanes);
  const { b } = emitter;
  index.memo.set(r.op.outputs[0], r.input.dtype === 'bool' ? b.convert('i32ToMask', acc) : acc);
  emitter.finish(r.group.roots, index);
}

const reducedGroups = (r: Reduction) => r.groups.map((_, g) => g).filter((g) => r.isReduced[g]);
const keptGroups = (r: Reduction) => r.groups.map((_, g) => g).filter((g) => !r.isReduced[g]);
const product = (r: Reduction, list: readonly number[]) => list.reduce((p, g) => p * r.extents[g], 1);

function splitsInParts(r: Reduction): boolean {
  const reduced = reducedGroups(r);
  if (reduced.length === 0 || r.extents[reduced[0]] < 8) return false;
  const [kept, all] = [product(r, keptGroups(r)), product(r, reduced) * product(r, keptGroups(r))];
  if (all < SPLIT_FROM) return false;
  // Rows that are added up are best read from end to end, as long as the parts' results are little beside them.
  return kept < 1024 || (inRows(r) && all >= LARGE && kept * PARTS * 4 <= all);
}

/** Whole rows are combined: one axis goes, and what lies behind it stays. */
function inRows(r: Reduction): boolean {
  const last = r.groups.length - 1;
  return reducedGroups(r).length === 1 && !r.isReduced[last] && r.extents[last] >= WIDE_ROW;
}

/** Visits the reduced coordinates, from `list` outermost on; `range` replaces the bounds of the first. */
function reducedLoops(b: KernelBuilder, r: Reduction, list: readonly number[], at: Coord[], inner: () => void): void {
  if (list.length === 0) return inner();
  b.each(`r${list[0]}`, r.extents[list[0]], (a) => {
    at[list[0]] = coord(a);
    reducedLoops(b, r, list.slice(1), at, inner);
  });
}

/** One kernel for the whole reduction. */
function whole(r: Reduction, name: string): LoweredKernel {
  const emitter = newEmitter(r.context, [...r.group.roots, r.op.outputs[0]]);
  const last = r.groups.length - 1;
  const alongLanes = last >= 0 && !r.isReduced[last];
  if (alongLanes) keptInnermost(r, emitter);
  else reducedInnermost(r, emitter, (at, acc) => finish(r, emitter, at, 1, acc));
  return emitter.build(name, workOf2(r, emitter));
}

function workOf2(r: Reduction, emitter: Emitter) {
  return workOf(emitter, [r.input], Math.max(1, r.cost - 2));
}

/** Kept axes outside, lanes along the kept innermost axis, several vectors at a time. */
function keptInnermost(r: Reduction, emitter: Emitter): void {
  const { b } = emitter;
  const last = r.groups.length - 1;
  const outer = keptGroups(r).slice(0, -1);
  const perResult = Math.max(1, product(r, reducedGroups(r))) * r.cost;
  const total = product(r, keptGroups(r));
  const results = Math.max(
    1,
    Math.floor(chunkElements(total * perResult, { threads: r.context.caps.threads, work: 1 }) / perResult),
  );
  const vectors = Math.ceil(r.extents[last] / b.lanes);
  const at: Coord[] = r.groups.map(() => coord(constant(0)));
  const columns = (from: Affine, lanes: readonly number[]) =>
    accumulate(r, emitter, at, from, lanes, reducedGroups(r), (v, acc) => {
      at[last] = coord(shift(from, v * b.lanes), 1);
      finish(r, emitter, at, lanes[v], acc);
    });
  const wide = Math.min(ILP, vectors);
  const fullBlocks = Math.floor(r.extents[last] / (wide * b.lanes));
  const rest = lanesOf(r.extents[last] - fullBlocks * wide * b.lanes, b.lanes);
  const restFrom = constant(fullBlocks * wide * b.lanes);
  if (outer.length > 0 && r.extents[outer[0]] * 2 > fullBlocks) {
    const each = results / Math.max(1, total / r.extents[outer[0]]);
    blockedRegion(b, 'c', r.extents[outer[0]], Math.max(1, Math.floor(each)), (a) => {
      at[outer[0]] = coord(a);
      keptLoops(b, r, outer.slice(1), at, () => {
        b.each('w', fullBlocks, (w) => columns(times(w, wide * b.lanes), full(wide, b.lanes)));
        if (rest.length > 0) columns(restFrom, rest);
      });
    });
    return;
  }
  const block = Math.max(1, Math.floor(results / (wide * b.lanes * Math.max(1, total / r.extents[last]))));
  if (fullBlocks > 0) {
    blockedRegion(b, 'c', fullBlocks, block, (a) =>
      keptLoops(b, r, outer, at, () => columns(times(a, wide * b.lanes), full(wide, b.lanes))),
    );
  }
  if (rest.length > 0) b.region('rest', 1, () => keptLoops(b, r, outer, at, () => columns(restFrom, rest)));
}

function keptLoops(b: KernelBuilder, r: Reduction, list: readonly number[], at: Coord[], inner: () => void): void {
  reducedLoops(b, r, list, at, inner);
}

const full = (vectors: number, lanes: number) => new Array<number>(vectors).fill(lanes);

/** Active lanes of the vectors that cover `count` elements. */
export function lanesOf(count: number, lanes: number): number[] {
  const out = full(Math.floor(count / lanes), lanes);
  if (count % lanes > 0) out.push(count % lanes);
  return out;
}

/** Accumulates vectors at `from`, from + lanes, ... over all reduced coordinates. */
function accumulate(
  r: Reduction,
  emitter: Emitter,
  at: Coord[],
  from: Affine,
  lanes: readonly number[],
  reduced: readonly number[],
  done: (vector: number, acc: Reg) => void,
): void {
  const { b } = emitter;
  const last = r.groups.length - 1;
  const start = startOf(b, r.fn, r.input.dtype);
  const accs = lanes.map(() => b.acc(start));
  reducedLoops(b, r, reduced, at, () => {
    accs.forEach((acc, v) => {
      at[last] = coord(shift(from, v * b.lanes), 1);
      b.set(acc, combine(b, r.fn, acc, element(r, emitter, at, lanes[v])));
    });
  });
  accs.forEach((acc, v) => done(v, acc));
}

/** Kept axes outside, lanes along the reduced innermost axis; `done` gets the result in every lane. */
function reducedInnermost(r: Reduction, emitter: Emitter, done: (at: Coord[], acc: Reg) => void): void {
  const { b } = emitter;
  const kept = keptGroups(r);
  const reduced = reducedGroups(r);
  const at: Coord[] = r.groups.map(() => coord(constant(0)));
  const one = () => {
    const acc = reducedInnermostOnce(
      r,
      emitter,
      at,
      reduced,
      [constant(0)],
      reduced.length > 0 ? r.extents[reduced[reduced.length - 1]] : 1,
    );
    done(at, acc);
  };
  if (kept.length === 0) return b.region('all', 1, one);
  const perResult = Math.max(1, product(r, reduced)) * r.cost;
  const total = product(r, kept);
  const results = chunkElements(total * perResult, { threads: r.context.caps.threads, work: 1 }) / perResult;
  const first = kept.reduce((best, g) => (r.extents[g] > r.extents[best] ? g : best), kept[0]);
  const block = Math.max(1, Math.floor(results / (total / r.extents[first])));
  blockedRegion(b, 'c', r.extents[first], block, (a) => {
    at[first] = coord(a);
    keptLoops(
      b,
      r,
      kept.filter((g) => g !== first),
      at,
      one,
    );
  });
}

/**
 * The combination of elements over `reduced`, the innermost of them along the lanes from `from` for `count` elements.
 * Returns it in every lane.
 */
function reducedInnermostOnce(
  r: Reduction,
  emitter: Emitter,
  at: Coord[],
  reduced: readonly number[],
  from: readonly Affine[],
  count: number,
): Reg {
  const { b } = emitter;
  const inner = reduced[reduced.length - 1];
  const start = startOf(b, r.fn, r.input.dtype);
  if (inner === undefined) return combine(b, r.fn, start, element(r, emitter, at, 1));
  const wide = Math.min(ILP, Math.max(1, Math.floor(count / b.lanes)));
  const accs = full(wide, b.lanes).map(() => b.acc(start));
  const step = wide * b.lanes;
  const whole = Math.floor(count / step) * step;
  reducedLoops(b, r, reduced.slice(0, -1), at, () => {
    const vectors = (base: Affine) =>
      accs.forEach((acc, v) => {
        at[inner] = coord(shift(base, v * b.lanes), 1);
        b.set(acc, combine(b, r.fn, acc, element(r, emitter, at, b.lanes)));
      });
    if (whole === step) vectors(from[0]);
    else if (whole > 0) b.loop('v', from, [shift(from[0], whole)], (v) => vectors(variable(v)), { step });
    lanesOf(count - whole, b.lanes).forEach((lanes, v) => {
      at[inner] = coord(shift(from[0], whole + v * b.lanes), 1);
      const x = element(r, emitter, at, lanes);
      const active = lanes === b.lanes ? x : b.select(b.compare('lt', b.index(constant(0), 1), b.i32(lanes)), x, start);
      b.set(accs[v % wide], combine(b, r.fn, accs[v % wide], active));
    });
  });
  return acrossLanes(b, r.fn, accs);
}

export function acrossLanes(b: KernelBuilder, fn: ReduceFn, accs: readonly Reg[]): Reg {
  let all = accs[0];
  for (const acc of accs.slice(1)) all = combine(b, fn, all, acc);
  const result = b.reduceLanes(fn, all, b.lanes);
  if (!isFloatRegister(b.typeOf(all)) || (fn !== 'min' && fn !== 'max')) return result;
  // A NaN in any lane must survive min and max: NaN + anything is NaN, and 0 * finite is 0.
  const hasNaN = b.reduceLanes('max', b.select(b.compare('ne', all, all), b.like(all, 1), b.like(all, 0)), b.lanes);
  return b.select(b.compare('gt', hasNaN, b.like(all, 0)), b.like(all, Number.NaN), result);
}

/** Two kernels: partial results of parts of the first reduced axis, then their combination. */
function inParts(r: Reduction, name: string): LoweredKernel[] {
  const { op, input } = r;
  const split = reducedGroups(r)[0];
  const size = sizeOf(op.outputs[0].shape);
  const last = r.groups.length - 1;
  const alongLanes = !r.isReduced[last];
  const lanes = r.context.caps.lanes;
  const unit = split === last ? lanes * ILP : 1;
  const per = Math.ceil(r.extents[split] / PARTS / unit) * unit;
  const parts = Math.ceil(r.extents[split] / per);
  const dtype: DType = input.dtype === 'bool' ? 'int32' : input.dtype;
  const scratch = new Scratch(elemOf(dtype), parts * size);
  const first = partials(r, `${name}.parts`, scratch, { split, per, parts, size, alongLanes });
  return [first, combineParts(r, name, scratch, parts, size)];
}

interface Parts {
  readonly split: number;
  readonly per: number;
  readonly parts: number;
  readonly size: number;
  readonly alongLanes: boolean;
}

function partials(r: Reduction, name: string, scratch: Scratch, parts: Parts): LoweredKernel {
  const emitter = newEmitter(r.context, [...r.group.roots, r.op.outputs[0]]);
  const { b } = emitter;
  const out = emitter.buffer(scratch, 'write');
  const at: Coord[] = r.groups.map(() => coord(constant(0)));
  const fullParts = Math.floor(r.extents[parts.split] / parts.per);
  const restCount = r.extents[parts.split] - fullParts * parts.per;
  const part = (p: Affine, count: number) => {
    const base = times(p, parts.per);
    const store = (lanes: number, acc: Reg) => {
      const flat = resultIndex(r, at, lanes).flat as Coord;
      b.store(out, plus(times(p, parts.size), flat.at), 1, parts.alongLanes ? lanes : 1, acc);
    };
    if (inRows(r)) {
      const place = (lanes: number) => plus(times(p, parts.size), (resultIndex(r, at, lanes).flat as Coord).at);
      partInRows(r, emitter, at, parts.split, base, count, out, place);
    } else if (parts.alongLanes) partAlongLanes(r, emitter, at, parts, base, count, store);
    else partAcrossLanes(r, emitter, at, parts, base, count, (acc) => store(1, acc));
  };
  if (fullParts > 0) b.region('p', fullParts, (p) => part(variable(p), parts.per));
  if (restCount > 0) b.region('rest', 1, () => part(constant(fullParts), restCount));
  return emitter.build(name, workOf2(r, emitter));
}

/** Rows are read from end to end and combined into the part's own result, a few of them at once. */
function partInRows(
  r: Reduction,
  emitter: Emitter,
  at: Coord[],
  split: number,
  base: Affine,
  count: number,
  out: number,
  place: (lanes: number) => Affine,
): void {
  const { b } = emitter;
  const last = r.groups.length - 1;
  const whole = r.extents[last] - (r.extents[last] % b.lanes);
  const rows = (from: Affine, number: number, isFirst: boolean) => {
    const vector = (column: Affine, lanes: number) => {
      at[last] = coord(column, 1);
      at[split] = coord(constant(0));
      const to = place(lanes);
      let acc = isFirst ? startOf(b, r.fn, r.input.dtype) : b.load(out, to, 1, lanes);
      for (let i = 0; i < number; i++) {
        at[split] = coord(shift(from, i));
        acc = combine(b, r.fn, acc, element(r, emitter, at, lanes));
      }
      b.store(out, to, 1, lanes, acc);
    };
    if (whole > 0) b.loop('v', 0, [constant(whole)], (v) => vector(variable(v), b.lanes), { step: b.lanes });
    if (whole < r.extents[last]) vector(constant(whole), r.extents[last] - whole);
  };
  keptLoops(b, r, keptGroups(r).slice(0, -1), at, () => {
    const first = count % ROWS_AT_ONCE || ROWS_AT_ONCE;
    rows(base, first, true);
    if (first === count) return;
    b.loop('s', [shift(base, first)], [shift(base, count)], (s) => rows(variable(s), ROWS_AT_ONCE, false), {
      step: ROWS_AT_ONCE,
    });
  });
}

function partAlongLanes(
  r: Reduction,
  emitter: Emitter,
  at: Coord[],
  parts: Parts,
  base: Affine,
  count: number,
  store: (lanes: number, acc: Reg) => void,
): void {
  const { b } = emitter;
  const last = r.groups.length - 1;
  const others = reducedGroups(r).filter((g) => g !== parts.split);
  const start = startOf(b, r.fn, r.input.dtype);
  keptLoops(b, r, keptGroups(r).slice(0, -1), at, () => {
    const columns = (from: Affine, lanes: readonly number[]) => {
      const accs = lanes.map(() => b.acc(start));
      b.loop('s', [base], [shift(base, count)], (s) => {
        at[parts.split] = coord(variable(s));
        reducedLoops(b, r, others, at, () =>
          accs.forEach((acc, v) => {
            at[last] = coord(shift(from, v * b.lanes), 1);
            b.set(acc, combine(b, r.fn, acc, element(r, emitter, at, lanes[v])));
          }),
        );
      });
      accs.forEach((acc, v) => {
        at[last] = coord(shift(from, v * b.lanes), 1);
        at[parts.split] = coord(constant(0));
        store(lanes[v], acc);
      });
    };
    const wide = ILP * b.lanes;
    const blocks = Math.floor(r.extents[last] / wide);
    b.each('w', blocks, (w) => columns(times(w, wide), full(ILP, b.lanes)));
    const rest = lanesOf(r.extents[last] - blocks * wide, b.lanes);
    if (rest.length > 0) columns(constant(blocks * wide), rest);
  });
}

function partAcrossLanes(
  r: Reduction,
  emitter: Emitter,
  at: Coord[],
  parts: Parts,
  base: Affine,
  count: number,
  store: (acc: Reg) => void,
): void {
  const { b } = emitter;
  const reduced = reducedGroups(r);
  keptLoops(b, r, keptGroups(r), at, () => {
    if (parts.split === reduced[reduced.length - 1]) {
      const acc = reducedInnermostOnce(r, emitter, at, [parts.split], [base], count);
      at[parts.split] = coord(constant(0));
      return store(acc);
    }
    const total = b.acc(startOf(b, r.fn, r.input.dtype));
    b.loop('s', [base], [shift(base, count)], (s) => {
      at[parts.split] = coord(variable(s));
      const inner = reduced.filter((g) => g !== parts.split);
      b.set(
        total,
        combine(
          b,
          r.fn,
          total,
          reducedInnermostOnce(r, emitter, at, inner, [constant(0)], r.extents[inner[inner.length - 1]]),
        ),
      );
    });
    for (const g of reduced) at[g] = coord(constant(0));
    store(total);
  });
}

/** out = combination over p of scratch[p, out]. */
function combineParts(r: Reduction, name: string, scratch: Scratch, parts: number, size: number): LoweredKernel {
  const emitter = newEmitter(r.context, [...r.group.roots, r.op.outputs[0]]);
  const { b } = emitter;
  const from = emitter.buffer(scratch, 'read');
  const output = r.op.outputs[0];
  const { groups } = trialGroups(r.context, output.shape, [...r.group.roots, output], (e, dims) => {
    const index = Index.at(output.shape, dims, 1);
    index.memo.set(output, e.fill(output.dtype, 0));
    e.finish(r.group.roots, index);
  });
  const vector = (dims: Coord[], lanes: number) => {
    const index = Index.at(output.shape, dims, lanes);
    const flat = index.flat as Coord;
    const acc = b.acc(startOf(b, r.fn, r.input.dtype));
    b.each('p', parts, (p) =>
      b.set(acc, combine(b, r.fn, acc, b.load(from, plus(times(p, size), flat.at), flat.laneStep, lanes))),
    );
    index.memo.set(output, output.dtype === 'bool' ? b.convert('i32ToMask', acc) : acc);
    emitter.finish(r.group.roots, index);
  };
  if (groups.length <= 1 && size > 1) {
    const whole = Math.floor(size / b.lanes);
    const dims = (at: Affine) => spreadGroups(output.shape.length, groups, [coord(at, 1)]);
    if (whole > 0) blockedRegion(b, 'v', whole, COMBINED_VECTORS, (v) => vector(dims(times(v, b.lanes)), b.lanes));
    if (size % b.lanes > 0) b.region('rest', 1, () => vector(dims(constant(whole * b.lanes)), size % b.lanes));
  } else {
    const nest = (axis: number, dims: Coord[]): void => {
      if (axis === output.shape.length) return vector(dims, 1);
      b.each(`i${axis}`, output.shape[axis], (a) => nest(axis + 1, [...dims, coord(a)]));
    };
    b.region('all', 1, () => nest(0, []));
  }
  return emitter.build(name, { flops: parts * size, bytes: parts * size * 4 });
}
