/**
 * Writes the expressions of one kernel: what is stored is loaded, everything else is computed where it is used. Loops are
 * the business of the lower-*.ts files.
 */
import { invariant } from '../base/errors.ts';
import type { Operation, Value } from '../graph/graph.ts';
import { KernelBuilder } from '../kernel/builder.ts';
import type { Affine, Elem, Kernel, Reg } from '../kernel/ir.ts';
import { plus, shift, times } from '../kernel/ir.ts';
import type { GuardSite } from '../kernel/program.ts';
import { constantOf, elemOf } from '../ops/elements.ts';
import type { ConstantData, Coord, DynamicCoord, PointContext } from '../ops/lowering.ts';
import { labelOf } from '../ops/places.ts';
import { rowOf } from '../ops/table.ts';
import type { DType } from '../types/dtype.ts';
import { roundTo } from '../types/dtype.ts';
import { sizeOf, stridesOf } from '../types/shape.ts';
import { Index } from './index-space.ts';
import { baseOf, isConstant, packedOf } from './plan.ts';

/**
 * A buffer that a kernel takes: a stored value, scratch that lowering made up, a constant array, or a part of one of them that moves
 * with a loop.
 */
export type BufferKey = Value | Scratch | Constant | Window;

/** A temporary between the kernels of one group. */
export class Scratch {
  readonly elem: Elem;
  readonly size: number;
  constructor(elem: Elem, size: number) {
    this.elem = elem;
    this.size = size;
  }
}

/** An array that is part of the program. */
export class Constant {
  readonly data: ConstantData;
  readonly elem: Elem;
  constructor(data: ConstantData) {
    this.data = data;
    this.elem = data instanceof Float32Array ? 'f32' : data instanceof Float64Array ? 'f64' : 'i32';
  }
}

const constants = new WeakMap<ConstantData, Constant>();

/** The same key for the same array, so that the kernels of a program share it. */
function constantKey(data: ConstantData): Constant {
  let key = constants.get(data);
  if (!key) constants.set(data, (key = new Constant(data)));
  return key;
}

/** What a buffer must be able to hold. */
export function bufferOf(key: BufferKey): { elem: Elem; size: number } {
  if (key instanceof Scratch || key instanceof Window) return key;
  if (key instanceof Constant) return { elem: key.elem, size: key.data.length };
  return { elem: elemOf(key.dtype), size: sizeOf(key.shape) };
}

/** One slice of a buffer, another one in each iteration of the loops that it names. Sizes and offsets in elements. */
export class Window {
  readonly of: Value | Scratch | Constant;
  readonly elem: Elem;
  readonly size: number;
  /** Where it starts in the first iteration. */
  readonly offset: number;
  readonly strides: readonly { readonly loop: object; readonly elements: number }[];

  constructor(of: BufferKey, { elem, size, offset, strides }: Pick<Window, 'elem' | 'size' | 'offset' | 'strides'>) {
    const outer = of instanceof Window ? of : null;
    this.of = outer ? outer.of : (of as Value | Scratch | Constant);
    this.elem = elem;
    this.size = size;
    this.offset = offset + (outer?.offset ?? 0);
    this.strides = [...(outer?.strides ?? []), ...strides];
  }
}

export interface LoweredKernel {
  readonly kernel: Kernel;
  readonly args: readonly BufferKey[];
  /** What has to be computed before, though the kernel does not read it. */
  readonly waits?: ReadonlySet<BufferKey>;
}

/** Thrown where lanes would need different data-dependent indices; the nest is then written one element at a time. */
export class NeedsScalar extends Error {}

/** Thrown where a value cannot be computed in place, since its coordinates are not known there; the plan is made anew with it stored. */
export class NeedsStore extends Error {
  readonly value: Value;
  constructor(value: Value) {
    super('a value has to be stored');
    this.value = value;
  }
}

function sameCoord(a: Coord | null, b: Coord | null): boolean {
  if (a === null || b === null || a.laneStep !== b.laneStep) return false;
  const difference = plus(a.at, times(b.at, -1));
  return difference.offset === 0 && difference.terms.length === 0;
}

function keyOf({ at, laneStep }: Coord): string {
  const terms = at.terms.map(({ v, coef }) => `${coef}*${v.id}`).sort();
  return `${laneStep}|${at.offset}|${terms.join('+')}`;
}

function emitOf(op: Operation): (context: PointContext, at: readonly Coord[]) => Reg[] {
  const { lowering } = rowOf(op.kind);
  invariant(lowering.tag === 'point' && lowering.emit, `${op.kind} is not a point operation that is written in one`);
  return lowering.emit;
}

/** The row of a square of lanes that is evaluated, and what has been transposed for all of them. */
interface Square {
  readonly row: number;
  readonly known: Map<string, readonly Reg[]>;
}

/** Values that later walks of a row need too, each with its row of scratch memory. */
interface RowStore {
  readonly rows: ReadonlyMap<Value, { readonly buffer: number; readonly at: Affine }>;
  /** Those that an earlier walk has stored, and those that the walk at hand stores. */
  readonly known: Set<Value>;
  readonly fresh: Set<Value>;
  /** The element that is being computed, and its place in the row. */
  place: { readonly index: Index; readonly inRow: Affine } | null;
}

export class Emitter {
  readonly b: KernelBuilder;
  readonly #stored: ReadonlySet<Value>;
  /** Values that this kernel computes itself although they are stored. */
  readonly #own: ReadonlySet<Value>;
  readonly #sites: GuardSite[];
  /** Values that are the same for the whole row at hand: registers that hold them in every lane. */
  readonly #ofRow = new Map<Value, Reg>();
  #rowStore: RowStore | null = null;
  #square: Square | null = null;
  /** Behind views, what has been computed for places that stand in one straight line of code. */
  #together: Map<Value, Map<string, Reg>> | null = null;
  readonly #args: BufferKey[] = [];
  readonly #params = new Map<BufferKey, number>();

  constructor(
    lanes: number,
    stored: ReadonlySet<Value>,
    own: Iterable<Value>,
    sites: GuardSite[],
    realType: 'f32' | 'f64' = 'f32',
  ) {
    this.b = new KernelBuilder(lanes, realType);
    this.#stored = stored;
    this.#own = new Set(own);
    this.#sites = sites;
  }

  /** The parameter that holds a value. What a kernel both reads and writes must be asked for with 'readwrite' first. */
  buffer(key: Exclude<BufferKey, Window>, access: 'read' | 'write' | 'readwrite'): number {
    const base = key instanceof Scratch || key instanceof Constant ? key : baseOf(key);
    let param = this.#params.get(base);
    if (param === undefined) {
      const { elem, size } = bufferOf(base);
      param = this.b.param(`p${this.#args.length}`, elem, size, access);
      this.#args.push(base);
      this.#params.set(base, param);
    }
    return param;
  }

  /** The parameter that holds what an operation reads: the value, or what becomes it when it is loaded. */
  operand(value: Value): number {
    return this.buffer(this.isLoaded(value) ? value : packedOf(value), 'read');
  }

  /** The parameter that holds a constant array. */
  constant(data: ConstantData): number {
    return this.buffer(constantKey(data), 'read');
  }

  isLoaded(value: Value): boolean {
    return this.#stored.has(baseOf(value)) && !this.#own.has(value) && !this.#own.has(baseOf(value));
  }

  /** The value at a place of its own shape. */
  value(value: Value, index: Index): Reg {
    const known = this.#ofRow.get(value) ?? index.memo.get(value);
    if (known !== undefined) return known;
    const reg = this.isLoaded(value) ? this.loadFlat(value, index) : this.#throughRow(value, index);
    index.memo.set(value, reg);
    return reg;
  }

  /** Begins a row: `rows` says where values that several walks need are kept between them. */
  beginRow(rows: RowStore['rows']): void {
    this.#rowStore = { rows, known: new Set(), fresh: new Set(), place: null };
  }

  /** Begins a walk of the row: what the last one stored is loaded from here on. */
  beginWalk(): void {
    const store = this.#rowStore;
    if (!store) return;
    for (const value of store.fresh) store.known.add(value);
    store.fresh.clear();
    store.place = null;
  }

  /** The walk is at `index`, `inRow` elements from the start of the row. */
  atPlace(index: Index, inRow: Affine): Index {
    if (this.#rowStore) this.#rowStore.place = { index, inRow };
    return index;
  }

  /** Computes a value, or loads it where an earlier walk of the row has kept it. */
  #throughRow(value: Value, index: Index): Reg {
    const row = this.#rowStore?.rows.get(value);
    const place = this.#rowStore?.place;
    if (!row || !place || !sameCoord(place.index.flat, index.flat)) return this.#compute(value, index);
    const { known, fresh } = this.#rowStore as RowStore;
    const at = plus(row.at, place.inRow);
    if (known.has(value)) return this.b.load(row.buffer, at, 1, index.lanes);
    const reg = this.#compute(value, index);
    this.b.store(row.buffer, at, 1, index.lanes, reg);
    fresh.add(value);
    return reg;
  }

  /** From here to the end of the row, `value` is this register wherever it is read. */
  setOfRow(value: Value, reg: Reg): void {
    this.#ofRow.set(value, reg);
  }

  loadFlat(value: Value, index: Index): Reg {
    invariant(index.flat !== null, 'a flat position is always known');
    const { at, laneStep } = index.flat;
    const isAcross = this.#square !== null && laneStep !== 0 && laneStep !== 1;
    const loaded = isAcross
      ? this.#loadAcross(this.buffer(value, 'read'), at, laneStep)
      : this.b.load(this.buffer(value, 'read'), at, laneStep, index.lanes);
    return this.#asRegister(value, loaded);
  }

  /**
   * Evaluates the rows of a square of lanes one after the other. What is read with lanes apart must lie together from row to row:
   * it is loaded that way, once for all rows, and transposed.
   */
  inSquare(rows: number, each: (row: number) => void): void {
    const known = new Map<string, readonly Reg[]>();
    for (let row = 0; row < rows; row++) {
      this.#square = { row, known };
      each(row);
    }
    this.#square = null;
  }

  /**
   * `body` writes many places without a loop between them. What several of them see through a view (the scale of a channel, in
   * every row of a tile) is computed once; what is merely loaded is loaded again, since that needs no register.
   */
  together(body: () => void): void {
    this.#together = new Map();
    body();
    this.#together = null;
  }

  #throughView(value: Value, index: Index): Reg {
    if (!this.#together || !index.flat || this.isLoaded(value) || isConstant(value.op)) return this.value(value, index);
    let known = this.#together.get(value);
    if (!known) this.#together.set(value, (known = new Map()));
    const key = `${keyOf(index.flat)}|${index.lanes}`;
    let reg = known.get(key);
    if (reg === undefined) known.set(key, (reg = this.value(value, index)));
    return reg;
  }

  #loadAcross(buffer: number, at: Affine, laneStep: number): Reg {
    const { row, known } = this.#square as Square;
    const first = shift(at, -row);
    const key = `${buffer}|${keyOf({ at: first, laneStep })}`;
    let square = known.get(key);
    if (!square) {
      const { lanes } = this.b;
      square = this.b.transpose(
        Array.from({ length: lanes }, (_, l) => this.b.load(buffer, shift(first, l * laneStep), 1, lanes)),
      );
      known.set(key, square);
    }
    return square[row];
  }

  #asRegister(value: Value, loaded: Reg): Reg {
    return value.dtype === 'bool' ? this.b.convert('i32ToMask', loaded) : loaded;
  }

  store(value: Value, index: Index, reg: Reg): void {
    invariant(index.flat !== null, 'a flat position is always known');
    const stored = value.dtype === 'bool' ? this.b.convert('maskToI32', reg) : reg;
    const { at, laneStep } = index.flat;
    this.b.store(
      this.buffer(value, 'write'),
      at,
      laneStep === 0 ? 1 : laneStep,
      laneStep === 0 ? 1 : index.lanes,
      stored,
    );
  }

  /** Computes the roots at a place given in the anchor's shape, and stores them. */
  finish(roots: readonly Value[], index: Index): void {
    const regs = roots.map((root) => this.value(root, index.reshape(root.shape)));
    roots.forEach((root, i) => this.store(root, index.reshape(root.shape), regs[i]));
  }

  fill(dtype: DType, value: number): Reg {
    const number = constantOf(this.b, dtype, roundTo(dtype, value));
    return dtype === 'bool' ? this.b.convert('i32ToMask', number) : number;
  }

  #compute(value: Value, index: Index): Reg {
    const { op } = value;
    const { lowering } = rowOf(op.kind);
    if (isConstant(op)) return this.fill(value.dtype, Number(op.attrs.value));
    switch (lowering.tag) {
      case 'reshape':
        return this.value(op.inputs[0], index.reshape(op.inputs[0].shape));
      case 'view': {
        const inner = index.view(op, () => lowering.axes(op.attrs, op.inputs[0].shape, value.shape));
        if (inner === null) throw new NeedsStore(value);
        return this.#throughView(op.inputs[0], inner);
      }
      case 'map': {
        const args = op.inputs.map((input) => this.value(input, index));
        return lowering.emit(
          this.b,
          args,
          op.attrs,
          op.inputs.map((input) => input.dtype),
          value.dtype,
        );
      }
      case 'point': {
        const regs = this.point(op, index);
        op.outputs.forEach((output, i) => {
          index.memo.set(output, regs[i]);
        });
        return regs[value.index];
      }
      default:
        invariant(false, `${op.kind} cannot be computed inside of another kernel`);
    }
  }

  /** Writes a point operation's outputs at one place; `emit` is the row's unless the operation is written in parts. */
  point(op: Operation, index: Index, emit = emitOf(op)): Reg[] {
    if (index.dims === null) throw new NeedsStore(op.outputs[0]);
    const context: PointContext = {
      b: this.b,
      attrs: op.attrs,
      inputs: op.inputs,
      outputs: op.outputs,
      load: (input, at) => this.value(op.inputs[input], Index.at(op.inputs[input].shape, at, index.lanes)),
      guarded: (input, at, bound, what) => {
        if (at.some((c) => c.laneStep !== 0)) throw new NeedsScalar();
        const reg = this.value(op.inputs[input], Index.at(op.inputs[input].shape, at, index.lanes));
        return { index: this.b.guard(reg, bound, this.site(op, what, bound)) };
      },
      loadAt: (input, at) => this.#loadAt(op.inputs[input], at, index.lanes),
      constant: (data, at) => this.b.load(this.constant(data), at.at, at.laneStep, index.lanes),
    };
    return emit(context, index.dims);
  }

  #loadAt(value: Value, at: readonly (Coord | DynamicCoord)[], lanes: number): Reg {
    if (!this.isLoaded(value) && !this.isLoaded(packedOf(value))) throw new NeedsStore(value);
    const strides = stridesOf(value.shape);
    let offset = times({ offset: 0, terms: [] }, 1);
    let laneStep = 0;
    let dyn: { index: Reg; scale: number } | undefined;
    at.forEach((c, axis) => {
      if ('index' in c) {
        invariant(dyn === undefined, 'one coordinate may come from data');
        dyn = { index: c.index, scale: strides[axis] };
      } else {
        offset = plus(offset, times(c.at, strides[axis]));
        laneStep += c.laneStep * strides[axis];
      }
    });
    return this.#asRegister(value, this.b.load(this.operand(value), shift(offset, 0), laneStep, lanes, dyn));
  }

  site(op: Operation, what: string, bound: number): number {
    this.#sites.push({ op: op.name || labelOf(op.attrs, op.kind), what, bound });
    return this.#sites.length - 1;
  }

  build(name: string, work: { flops: number; bytes: number }): LoweredKernel {
    return { kernel: this.b.build(name, work), args: this.#args };
  }
}
