/** Writes kernel IR: hands out registers and loop variables and keeps the open block. Knows no target and no graph. */
import { invariant } from '../base/errors.ts';
import type {
  Affine,
  BinaryFn,
  CompareFn,
  ConvertFn,
  Dynamic,
  Elem,
  Instr,
  Kernel,
  Loop,
  LoopVar,
  Node,
  NumberType,
  Param,
  ReduceFn,
  Reg,
  Region,
  RegType,
  UnaryFn,
} from './ir.ts';
import { constant, convertTypes, registerOf, variable } from './ir.ts';

export interface LoopOptions {
  readonly step?: number;
  /** One more upper bound, from data: lane 0 of an i32 register. */
  readonly until?: Reg;
}

export class KernelBuilder {
  readonly lanes: number;
  /** What the kernel computes reals in. */
  readonly realType: 'f32' | 'f64';
  readonly #params: Param[] = [];
  readonly #regions: Region[] = [];
  readonly #types: RegType[] = [];
  #block: Node[] | null = null;
  #constants: Map<string, Reg>[] = [];
  #loopVars = 0;

  constructor(lanes: number, realType: 'f32' | 'f64' = 'f32') {
    this.lanes = lanes;
    this.realType = realType;
  }

  param(name: string, elem: Elem, size: number, access: Param['access']): number {
    this.#params.push({ name, elem, size, access });
    return this.#params.length - 1;
  }

  paramInfo(index: number): Param {
    return this.#params[index];
  }

  typeOf(reg: Reg): RegType {
    return this.#types[reg];
  }

  /** A loop whose iterations are shared among threads; none at all where the body writes nothing. */
  region(name: string, extent: number, body: (v: LoopVar) => void): void {
    invariant(this.#block === null, 'regions do not nest');
    const v = this.#loopVar(name);
    const nodes = this.#scope(() => body(v));
    if (extent > 0 && nodes.length > 0) this.#regions.push({ v, extent, body: nodes });
  }

  /** `for v in [lo, hi) by step`; a bound that is a list means the tightest of them. */
  loop(
    name: string,
    lo: number | readonly Affine[],
    hi: number | readonly Affine[],
    body: (v: LoopVar) => void,
    options: LoopOptions = {},
  ): void {
    const v = this.#loopVar(name);
    const nodes = this.#scope(() => body(v));
    const los = typeof lo === 'number' ? [constant(lo)] : lo;
    const his = typeof hi === 'number' ? [constant(hi)] : hi;
    const { step = 1, until } = options;
    this.#push({
      op: 'loop',
      v,
      lo: los,
      hi: his,
      ...(until !== undefined && { until }),
      step,
      body: nodes,
    } satisfies Loop);
  }

  /** Runs the body where lane 0 of the mask is true: a loop that runs once or not at all. */
  when(mask: Reg, body: () => void): void {
    this.loop('if', 0, 1, body, { until: this.convert('maskToI32', mask) });
  }

  /** Like loop over [0, extent), but calls the body with plain affines and emits no loop at all for a single iteration, and copies for `unroll`. */
  each(name: string, extent: number, body: (at: Affine) => void, unroll = false): void {
    if (extent <= 0) return;
    if (extent === 1 || unroll) {
      for (let i = 0; i < extent; i++) body(constant(i));
    } else {
      this.loop(name, 0, extent, (v) => body(variable(v)));
    }
  }

  /** A constant of a type that is known when the kernel is written; of i64 an integer below 2^53 or a bigint. */
  constant(type: NumberType, value: number | bigint): Reg {
    if (type === 'i64') return this.i64(BigInt(value));
    if (type === 'f64') return this.f64(Number(value));
    return type === 'f32' ? this.f32(Number(value)) : this.i32(Number(value));
  }

  /** A constant of another register's type. */
  like(reg: Reg, value: number | bigint): Reg {
    const type = this.typeOf(reg);
    invariant(type !== 'mask', 'a mask has no constants');
    return this.constant(type, value);
  }

  f32(value: number): Reg {
    return this.#constant('f32', Math.fround(value));
  }

  /** A constant of what the kernel computes reals in. */
  real(value: number): Reg {
    return this.constant(this.realType, value);
  }

  f64(value: number): Reg {
    return this.#constant('f64', value);
  }

  i32(value: number): Reg {
    return this.#constant('i32', value | 0);
  }

  i64(value: bigint): Reg {
    const wrapped = BigInt.asIntN(64, value);
    return this.#known('i64', `${wrapped}`, (out) => ({ op: 'const', out, type: 'i64', value: wrapped }));
  }

  index(at: Affine, laneStep = 0): Reg {
    return this.#emit('i32', (out) => ({ op: 'index', out, type: 'i32', at, laneStep }));
  }

  load(buf: number, at: Affine, stride: number, lanes: number, dyn?: Dynamic): Reg {
    const type = registerOf[this.#params[buf].elem];
    return this.#emit(type, (out) => ({ op: 'load', out, type, buf, at, stride, lanes, ...(dyn && { dyn }) }));
  }

  store(buf: number, at: Affine, stride: number, lanes: number, value: Reg, dyn?: Dynamic): void {
    this.#push({ op: 'store', buf, at, stride, lanes, value, ...(dyn && { dyn }) });
  }

  unary(fn: UnaryFn, a: Reg): Reg {
    const type = this.typeOf(a);
    return this.#emit(type, (out) => ({ op: 'unary', out, type, fn, a }));
  }

  binary(fn: BinaryFn, a: Reg, b: Reg): Reg {
    const type = this.typeOf(a);
    invariant(type === this.typeOf(b), `binary ${fn} takes registers of one type, got ${type} and ${this.typeOf(b)}`);
    return this.#emit(type, (out) => ({ op: 'binary', out, type, fn, a, b }));
  }

  compare(fn: CompareFn, a: Reg, b: Reg): Reg {
    const of = this.typeOf(a);
    invariant(of !== 'mask' && of === this.typeOf(b), `compare ${fn} takes two registers of one type of number`);
    return this.#emit('mask', (out) => ({ op: 'compare', out, type: 'mask', fn, of, a, b }));
  }

  select(mask: Reg, a: Reg, b: Reg): Reg {
    const type = this.typeOf(a);
    invariant(
      this.typeOf(mask) === 'mask' && type === this.typeOf(b),
      'select takes a mask and two registers of one type',
    );
    return this.#emit(type, (out) => ({ op: 'select', out, type, mask, a, b }));
  }

  fma(a: Reg, b: Reg, c: Reg): Reg {
    const type = this.typeOf(a);
    invariant(type === 'f32' || type === 'f64', `fma takes f32 or f64, got ${type}`);
    return this.#emit(type, (out) => ({ op: 'fma', out, type, a, b, c }));
  }

  convert(fn: ConvertFn, a: Reg): Reg {
    const type = convertTypes[fn].to;
    return this.#emit(type, (out) => ({ op: 'convert', out, type, fn, a }));
  }

  reduceLanes(fn: ReduceFn, a: Reg, lanes: number): Reg {
    const type = this.typeOf(a);
    invariant(type !== 'mask', 'reduce takes numbers');
    return this.#emit(type, (out) => ({ op: 'reduce', out, type, fn, a, lanes }));
  }

  exchange(a: Reg, b: Reg, size: number, odd: boolean): Reg {
    const type = this.typeOf(a);
    invariant(type === this.typeOf(b), 'exchange takes registers of one type');
    return this.#emit(type, (out) => ({ op: 'exchange', out, type, a, b, size, odd }));
  }

  /** `lanes` registers as a square of lanes: lane j of register i becomes lane i of register j. */
  transpose(rows: readonly Reg[]): Reg[] {
    invariant(rows.length === this.lanes, `transpose takes ${this.lanes} registers, got ${rows.length}`);
    let square = rows.slice();
    for (let size = 1; size < this.lanes; size *= 2) {
      square = square.map((row, i) =>
        (i & size) === 0
          ? this.exchange(row, square[i + size], size, false)
          : this.exchange(square[i - size], row, size, true),
      );
    }
    return square;
  }

  acc(init: Reg): Reg {
    const type = this.typeOf(init);
    return this.#emit(type, (out) => ({ op: 'acc', out, type, init }));
  }

  set(acc: Reg, value: Reg): void {
    this.#push({ op: 'set', acc, value });
  }

  fmaAcc(acc: Reg, a: Reg, b: Reg): void {
    this.#push({ op: 'fmaAcc', acc, a, b });
  }

  guard(index: Reg, bound: number, site: number): Reg {
    return this.#emit('i32', (out) => ({ op: 'guard', out, type: 'i32', index, bound, site }));
  }

  build(name: string, work: { flops: number; bytes: number }): Kernel {
    invariant(this.#block === null, 'build within a region');
    return {
      name,
      params: this.#params,
      regions: this.#regions,
      lanes: this.lanes,
      flops: work.flops,
      bytes: work.bytes,
    };
  }

  #constant(type: 'f32' | 'i32' | 'f64', value: number): Reg {
    const text = Object.is(value, -0) ? '-0' : `${value}`;
    return this.#known(type, text, (out) => ({ op: 'const', out, type, value }));
  }

  /** The register that holds a constant in this block, or in one around it. */
  #known(type: NumberType, value: string, make: (out: Reg) => Instr): Reg {
    const key = `${type} ${value}`;
    for (const scope of this.#constants) {
      const known = scope.get(key);
      if (known !== undefined) return known;
    }
    const reg = this.#emit(type, make);
    this.#constants[this.#constants.length - 1].set(key, reg);
    return reg;
  }

  #emit(type: RegType, make: (out: Reg) => Instr): Reg {
    const out = this.#types.length;
    this.#types.push(type);
    this.#push(make(out));
    return out;
  }

  #push(node: Node): void {
    invariant(this.#block !== null, 'instructions live inside a region');
    this.#block.push(node);
  }

  #loopVar(name: string): LoopVar {
    return { id: this.#loopVars++, name };
  }

  #scope(body: () => void): Node[] {
    const outer = this.#block;
    const nodes: Node[] = [];
    this.#block = nodes;
    this.#constants.push(new Map());
    try {
      body();
    } finally {
      this.#block = outer;
      this.#constants.pop();
    }
    return nodes;
  }
}
