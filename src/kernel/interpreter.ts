/**
 * The definition of kernel IR: small, slow and obviously right. Runs kernels and programs on typed arrays, checks every access,
 * and on request runs chunks in a random order and looks for races between them. It does not know graphs, targets or speed.
 */
import { InternalError, invariant } from '../base/errors.ts';
import { Mulberry } from '../base/mulberry.ts';
import type { TypedArray } from '../types/dtype.ts';
import { bfloat16Bits, bfloat16Number, float16Bits, float16Number } from '../types/half.ts';
import type { Affine, Dynamic, Elem, Instr, Kernel, Loop, Node, Param, Reg, Region, RegType } from './ir.ts';
import { convertTypes, elemBytes, isWide, registerOf } from './ir.ts';
import { walkProgram, windowStart } from './loop-walk.ts';
import type { BufferSpec, Program, Step } from './program.ts';
import { RaceCheck } from './races.ts';
import * as scalar from './scalar.ts';

/** A guard that did not hold. */
export interface GuardFailure {
  readonly site: number;
  readonly index: number;
}

/** What a buffer may be. */
export type Memory = TypedArray | BigInt64Array;

export interface InterpretOptions {
  /** Runs the chunks of a kernel (and the steps of a stage), which are independent, in an order drawn from this seed. */
  readonly seed?: number;
  /** false: fma rounds twice, as on a target that has none. */
  readonly fma?: boolean;
  /** Throws where one chunk touches an element that another chunk writes. */
  readonly races?: boolean;
}

/** Runs one kernel; buffers[i] is what kernel.params[i] stands for. Guards that fail are appended to `errors`. */
export function interpretKernel(
  kernel: Kernel,
  buffers: readonly Memory[],
  errors: GuardFailure[] = [],
  options: InterpretOptions = {},
): void {
  checkBuffers(kernel, buffers);
  const chunks = kernel.regions.flatMap((region) =>
    Array.from({ length: region.extent }, (_, at): Chunk => ({ region, at })),
  );
  if (options.seed !== undefined) new Mulberry(options.seed).shuffle(chunks);
  const run = new Run(kernel, buffers, errors, options);
  for (const chunk of chunks) run.chunk(chunk);
}

/** Runs a whole program; inputs and outputs stand in the order of program.inputs and program.outputs. */
export function interpretProgram(
  program: Program,
  inputs: readonly Memory[],
  outputs: readonly Memory[],
  errors: GuardFailure[] = [],
  options: InterpretOptions = {},
): void {
  const buffers = bindBuffers(program, inputs, outputs);
  walkProgram(program, {
    run(first, end, iterations) {
      for (const step of stepOrder(program.steps.slice(first, end), options.seed)) {
        const args = step.args.map((arg) => windowed(program, buffers, arg, iterations));
        interpretKernel(program.kernels[step.kernel], args, errors, options);
      }
    },
    isSet: (buffer, iterations) => windowed(program, buffers, buffer, iterations)[0] !== 0,
  });
}

/** What a buffer is in these iterations. */
function windowed(program: Program, buffers: readonly Memory[], index: number, iterations: readonly number[]): Memory {
  const { window, size, elem } = program.buffers[index];
  if (!window) return buffers[index];
  const at = windowStart(program, index, iterations) / elemBytes[elem];
  const root = buffers[window.of];
  invariant(at >= 0 && at + size <= root.length, `a window of buffer ${window.of} at ${at} lies outside of it`);
  return root.subarray(at, at + size);
}

// ---- kernels -----------------------------------------------------------------------------------------------------------

interface Chunk {
  readonly region: Region;
  readonly at: number;
}

/** One register: the same bits seen as each type; those of 32 bits fill the first half. A mask is integers, 0 or -1. */
interface Lanes {
  readonly f: Float32Array;
  readonly i: Int32Array;
  readonly d: Float64Array;
  readonly q: BigInt64Array;
}

type Narrow = Float32Array | Int32Array | Float64Array;

class Run {
  readonly #kernel: Kernel;
  readonly #buffers: readonly Memory[];
  readonly #errors: GuardFailure[];
  readonly #fma: scalar.Ternary;
  readonly #races: RaceCheck | null;
  readonly #registers: Lanes[] = [];
  readonly #accumulators: RegType[] = [];
  readonly #vars: number[] = [];

  constructor(kernel: Kernel, buffers: readonly Memory[], errors: GuardFailure[], options: InterpretOptions) {
    this.#kernel = kernel;
    this.#buffers = buffers;
    this.#errors = errors;
    this.#fma = options.fma === false ? scalar.mulAdd : scalar.fma;
    this.#races = options.races ? new RaceCheck(kernel.params) : null;
  }

  chunk({ region, at }: Chunk): void {
    this.#races?.nextChunk();
    this.#vars[region.v.id] = at;
    this.#block(region.body);
  }

  #block(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.op === 'loop') this.#loop(node);
      else this.#instr(node);
    }
  }

  #loop(loop: Loop): void {
    const lo = Math.max(...loop.lo.map((bound) => this.#affine(bound)));
    const until = loop.until === undefined ? Number.POSITIVE_INFINITY : this.#in(loop.until).i[0];
    const hi = Math.min(until, ...loop.hi.map((bound) => this.#affine(bound)));
    for (let v = lo; v < hi; v += loop.step) {
      this.#vars[loop.v.id] = v;
      this.#block(loop.body);
    }
  }

  #instr(instr: Instr): void {
    switch (instr.op) {
      case 'const': {
        const out = this.#out(instr.out);
        if (instr.type === 'i64') out.q.fill(instr.value);
        else view(out, instr.type).fill(instr.value);
        break;
      }
      case 'index': {
        const at = this.#affine(instr.at);
        const out = this.#out(instr.out).i;
        for (let l = 0; l < out.length; l++) out[l] = at + l * instr.laneStep;
        break;
      }
      case 'load':
        this.#load(instr);
        break;
      case 'store':
        this.#store(instr);
        break;
      case 'unary':
        this.#unary(instr);
        break;
      case 'binary':
        this.#binary(instr);
        break;
      case 'compare': {
        const fn = scalar.compare[instr.fn];
        const out = this.#out(instr.out).i;
        const [left, right] = [this.#in(instr.a), this.#in(instr.b)];
        if (instr.of === 'i64') {
          for (let l = 0; l < out.length; l++) out[l] = fn(left.q[l], right.q[l]) ? -1 : 0;
        } else {
          const [a, b] = [view(left, instr.of), view(right, instr.of)];
          for (let l = 0; l < out.length; l++) out[l] = fn(a[l], b[l]) ? -1 : 0;
        }
        break;
      }
      case 'select': {
        const mask = this.#in(instr.mask).i;
        const [out, a, b] = [this.#out(instr.out), this.#in(instr.a), this.#in(instr.b)];
        if (isWide(instr.type)) for (let l = 0; l < out.q.length; l++) out.q[l] = mask[l] !== 0 ? a.q[l] : b.q[l];
        else for (let l = 0; l < out.i.length; l++) out.i[l] = mask[l] !== 0 ? a.i[l] : b.i[l];
        break;
      }
      case 'fma':
        this.#multiplyAdd(this.#out(instr.out), instr.a, instr.b, this.#in(instr.c), instr.type);
        break;
      case 'fmaAcc': {
        const type = this.#accumulators[instr.acc] === 'f64' ? 'f64' : 'f32';
        this.#multiplyAdd(this.#in(instr.acc), instr.a, instr.b, this.#in(instr.acc), type);
        break;
      }
      case 'convert':
        convert(instr.fn, this.#in(instr.a), this.#out(instr.out));
        break;
      case 'reduce': {
        const [out, a] = [this.#out(instr.out), this.#in(instr.a)];
        const { type, fn, lanes } = instr;
        if (type === 'i64') out.q.fill(reduceTree(scalar.binaryI64(fn), [...a.q.subarray(0, lanes)], long));
        else
          view(out, type).fill(reduceTree(scalar.binary(fn, type), [...view(a, type).subarray(0, lanes)], fit(type)));
        break;
      }
      case 'exchange': {
        const [out, a, b] = [this.#out(instr.out), this.#in(instr.a), this.#in(instr.b)];
        const { size, odd } = instr;
        for (let l = 0; l < out.i.length; l++) {
          const isA = Math.floor(l / size) % 2 === 0;
          const [from, lane] = isA ? [a, odd ? l + size : l] : [b, odd ? l : l - size];
          if (isWide(instr.type)) out.q[l] = from.q[lane];
          else out.i[l] = from.i[lane];
        }
        break;
      }
      case 'acc':
        this.#accumulators[instr.out] = instr.type;
        this.#out(instr.out).q.set(this.#in(instr.init).q);
        break;
      case 'set':
        this.#in(instr.acc).q.set(this.#in(instr.value).q);
        break;
      case 'guard': {
        const index = this.#in(instr.index).i[0];
        const holds = index >= 0 && index < instr.bound;
        if (!holds) this.#errors.push({ site: instr.site, index });
        this.#out(instr.out).i.fill(holds ? index : 0);
        break;
      }
    }
  }

  #unary(instr: Extract<Instr, { op: 'unary' }>): void {
    const out = this.#out(instr.out);
    const a = this.#in(instr.a);
    if (instr.type === 'i64') {
      const fn = scalar.unaryI64(instr.fn);
      for (let l = 0; l < out.q.length; l++) out.q[l] = fn(a.q[l]);
      return;
    }
    const fn = scalar.unary(instr.fn, instr.type);
    const [to, from] = [view(out, instr.type), view(a, instr.type)];
    for (let l = 0; l < to.length; l++) to[l] = fn(from[l]);
  }

  #binary(instr: Extract<Instr, { op: 'binary' }>): void {
    const out = this.#out(instr.out);
    const [a, b] = [this.#in(instr.a), this.#in(instr.b)];
    if (instr.type === 'i64') {
      const fn = scalar.binaryI64(instr.fn);
      for (let l = 0; l < out.q.length; l++) out.q[l] = fn(a.q[l], b.q[l]);
      return;
    }
    const fn = scalar.binary(instr.fn, instr.type);
    const [to, left, right] = [view(out, instr.type), view(a, instr.type), view(b, instr.type)];
    for (let l = 0; l < to.length; l++) to[l] = fn(left[l], right[l]);
  }

  #load(instr: Extract<Instr, { op: 'load' }>): void {
    const out = this.#out(instr.out);
    const at = this.#address(instr.at, instr.dyn);
    const put = element(this.#buffers[instr.buf], out, instr.type, this.#kernel.params[instr.buf].elem);
    if (instr.stride === 0) {
      this.#races?.load(instr.buf, this.#element(instr, at));
      for (let l = 0; l < this.#kernel.lanes; l++) put(l, at);
      return;
    }
    for (let l = 0; l < this.#kernel.lanes; l++) {
      if (l >= instr.lanes) {
        if (isWide(instr.type)) out.q[l] = 0n;
        else out.i[l] = 0;
        continue;
      }
      const from = this.#element(instr, at + l * instr.stride);
      this.#races?.load(instr.buf, from);
      put(l, from);
    }
  }

  #store(instr: Extract<Instr, { op: 'store' }>): void {
    const buffer = this.#buffers[instr.buf];
    const value = this.#in(instr.value);
    const { elem } = this.#kernel.params[instr.buf];
    const type = registerOf[elem];
    const write = writing[elem] ?? same;
    const at = this.#address(instr.at, instr.dyn);
    for (let l = 0; l < instr.lanes; l++) {
      const to = this.#element(instr, at + l * instr.stride);
      this.#races?.store(instr.buf, to);
      if (buffer instanceof BigInt64Array) buffer[to] = value.q[l];
      else if (type !== 'i64') buffer[to] = write(view(value, type)[l]); // arrays of small integers take the low bits
    }
  }

  #multiplyAdd(out: Lanes, aReg: Reg, bReg: Reg, c: Lanes, type: 'f32' | 'f64'): void {
    const [to, a, b, addend] = [out, this.#in(aReg), this.#in(bReg), c].map((lanes) => view(lanes, type));
    // In f64 the product is rounded before the sum: nothing may count on one rounding.
    const fn = type === 'f64' ? scalar.fma : this.#fma;
    for (let l = 0; l < to.length; l++) to[l] = fn(a[l], b[l], addend[l]);
  }

  #address(at: Affine, dyn: Dynamic | undefined): number {
    return this.#affine(at) + (dyn ? this.#in(dyn.index).i[0] * dyn.scale : 0);
  }

  /** `at` itself, once it is known to lie inside the parameter. */
  #element(instr: { readonly op: string; readonly buf: number }, at: number): number {
    const param = this.#kernel.params[instr.buf];
    if (Number.isInteger(at) && at >= 0 && at < param.size) return at;
    throw new InternalError(
      `internal: kernel ${this.#kernel.name}: ${instr.op} of ${param.name}[${at}], which has ${param.size} elements`,
    );
  }

  #affine(at: Affine): number {
    let value = at.offset;
    for (const term of at.terms) value += term.coef * this.#vars[term.v.id];
    return value;
  }

  #in(reg: Reg): Lanes {
    const lanes = this.#registers[reg];
    invariant(lanes !== undefined, `kernel ${this.#kernel.name} reads register ${reg} before it is defined`);
    return lanes;
  }

  #out(reg: Reg): Lanes {
    this.#registers[reg] ??= newLanes(this.#kernel.lanes);
    return this.#registers[reg];
  }
}

function newLanes(lanes: number): Lanes {
  const bits = new ArrayBuffer(8 * lanes);
  return {
    f: new Float32Array(bits, 0, lanes),
    i: new Int32Array(bits, 0, lanes),
    d: new Float64Array(bits),
    q: new BigInt64Array(bits),
  };
}

function view(lanes: Lanes, type: scalar.Narrow): Narrow {
  return type === 'f32' ? lanes.f : type === 'f64' ? lanes.d : lanes.i;
}

/** What puts an element of a buffer into a lane. */
function element(buffer: Memory, out: Lanes, type: RegType, elem: Elem): (lane: number, at: number) => void {
  if (buffer instanceof BigInt64Array) {
    return (lane, at) => {
      out.q[lane] = buffer[at];
    };
  }
  const to = view(out, type === 'i64' ? 'i32' : type);
  const read = reading[elem] ?? same;
  return (lane, at) => {
    to[lane] = read(buffer[at]);
  };
}

function convert(fn: Extract<Instr, { op: 'convert' }>['fn'], a: Lanes, out: Lanes): void {
  const { from, to } = convertTypes[fn];
  for (let l = 0; l < a.i.length; l++) {
    if (fn === 'i64ToF64') out.d[l] = Number(a.q[l]);
    else if (fn === 'i64ToI32') out.i[l] = Number(BigInt.asIntN(32, a.q[l]));
    else if (fn === 'bitsToF64' || fn === 'bitsToI64') out.q[l] = a.q[l];
    else if (fn === 'bitsToF32' || fn === 'bitsToI32') out.i[l] = a.i[l];
    else {
      const value = scalar.convert[fn]?.(view(a, from as scalar.Narrow)[l]);
      if (typeof value === 'bigint') out.q[l] = value;
      else view(out, to as scalar.Narrow)[l] = value ?? Number.NaN;
    }
  }
}

const long = (value: bigint): bigint => BigInt.asIntN(64, value);

/** What a register makes of a number. */
function fit(type: scalar.Narrow): (value: number) => number {
  return type === 'f32' ? Math.fround : type === 'f64' ? (value) => value : (value) => value | 0;
}

/** The upper half of the lanes onto the lower half, until one is left. */
function reduceTree<N extends number | bigint>(fn: (a: N, b: N) => N, lanes: N[], rounded: (value: N) => N): N {
  for (let n = lanes.length; n > 1; ) {
    const half = (n + 1) >> 1;
    for (let l = 0; l + half < n; l++) lanes[l] = rounded(fn(lanes[l], lanes[l + half]));
    n = half;
  }
  return lanes[0];
}

// ---- buffers and order -------------------------------------------------------------------------------------------------

/** The array that holds elements as they are in memory. */
export const arrayOf = {
  f32: Float32Array,
  i32: Int32Array,
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  f64: Float64Array,
  i64: BigInt64Array,
} as const;

type Convert = (element: number) => number;
const same: Convert = (element) => element;
/** Floats of 16 bits as numbers, and numbers as their bits. */
const reading: { readonly [K in Elem]?: Convert } = { f16: float16Number, bf16: bfloat16Number };
const writing: { readonly [K in Elem]?: Convert } = { f16: float16Bits, bf16: bfloat16Bits };

function checkBuffers(kernel: Kernel, buffers: readonly Memory[]): void {
  invariant(
    buffers.length === kernel.params.length,
    `kernel ${kernel.name} takes ${kernel.params.length} buffers, got ${buffers.length}`,
  );
  kernel.params.forEach((param, i) => {
    checkBuffer(`kernel ${kernel.name}, param ${param.name}`, param, buffers[i]);
  });
}

function checkBuffer(what: string, spec: Pick<Param, 'elem' | 'size'>, buffer: Memory | undefined): void {
  invariant(
    buffer instanceof arrayOf[spec.elem] && buffer.length >= spec.size,
    `${what} takes ${spec.size} elements of ${spec.elem}, got ${buffer?.length} of ${buffer?.constructor.name}`,
  );
}

function bindBuffers(program: Program, inputs: readonly Memory[], outputs: readonly Memory[]): Memory[] {
  const arena = new ArrayBuffer(program.arenaBytes);
  return program.buffers.map((spec, index) => {
    if (spec.kind === 'window') return new arrayOf[spec.elem](0);
    if (spec.kind === 'input' || spec.kind === 'output') {
      const order = spec.kind === 'input' ? program.inputs : program.outputs;
      const buffer = (spec.kind === 'input' ? inputs : outputs)[order.indexOf(index)];
      checkBuffer(`program ${program.name}, ${spec.kind} ${index}`, spec, buffer);
      if (spec.alias !== undefined) checkAlias(program, index, buffer, inputs[program.inputs.indexOf(spec.alias)]);
      return buffer;
    }
    return arenaView(arena, spec);
  });
}

function arenaView(arena: ArrayBuffer, spec: BufferSpec): Memory {
  const view = newView(arena, spec.elem, spec.offset, spec.size);
  if (spec.data) bytesOf(view).set(bytesOf(spec.data));
  return view;
}

function bytesOf({ buffer, byteOffset, byteLength }: Memory): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function newView(arena: ArrayBuffer, elem: Elem, offset: number, size: number): Memory {
  return new arrayOf[elem](arena, offset, size);
}

function checkAlias(program: Program, output: number, given: Memory, input: Memory | undefined): void {
  invariant(
    input !== undefined && input.buffer === given.buffer && input.byteOffset === given.byteOffset,
    `program ${program.name}: output ${output} shares its storage with an input, so both must be handed the same one`,
  );
}

function stepOrder(steps: readonly Step[], seed: number | undefined): Step[] {
  const order = steps.slice();
  if (seed !== undefined) new Mulberry(seed).shuffle(order);
  return order.sort((a, b) => a.stage - b.stage); // stable: steps of one stage stay as they were drawn
}
