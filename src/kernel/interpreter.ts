/**
 * The definition of kernel IR: small, slow and obviously right. Runs kernels and programs on typed arrays, checks every access,
 * and on request runs chunks in a random order and looks for races between them. It does not know graphs, targets or speed.
 */
import { InternalError, invariant } from '../base/errors.ts';
import { Mulberry } from '../base/mulberry.ts';
import type { TypedArray } from '../types/dtype.ts';
import type { Affine, Dynamic, Elem, Instr, Kernel, Loop, Node, Param, Reg, Region } from './ir.ts';
import { elemBytes } from './ir.ts';
import { walkProgram, windowStart } from './loop-walk.ts';
import type { BufferSpec, Program, Step } from './program.ts';
import { RaceCheck } from './races.ts';
import * as scalar from './scalar.ts';

/** A guard that did not hold. */
export interface GuardFailure {
  readonly site: number;
  readonly index: number;
}

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
  buffers: readonly TypedArray[],
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
  inputs: readonly TypedArray[],
  outputs: readonly TypedArray[],
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
function windowed(
  program: Program,
  buffers: readonly TypedArray[],
  index: number,
  iterations: readonly number[],
): TypedArray {
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

/** One register: the same 32-bit lanes seen as floats and as integers. A mask is integers, 0 or -1. */
interface Lanes {
  readonly f: Float32Array;
  readonly i: Int32Array;
}

class Run {
  readonly #kernel: Kernel;
  readonly #buffers: readonly TypedArray[];
  readonly #errors: GuardFailure[];
  readonly #fma: scalar.Ternary;
  readonly #races: RaceCheck | null;
  readonly #registers: Lanes[] = [];
  readonly #vars: number[] = [];

  constructor(kernel: Kernel, buffers: readonly TypedArray[], errors: GuardFailure[], options: InterpretOptions) {
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
        if (instr.type === 'f32') out.f.fill(instr.value);
        else out.i.fill(instr.value);
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
      case 'unary': {
        const fn = scalar.unary(instr.fn, instr.type);
        const out = view(this.#out(instr.out), instr.type);
        const a = view(this.#in(instr.a), instr.type);
        for (let l = 0; l < out.length; l++) out[l] = fn(a[l]);
        break;
      }
      case 'binary': {
        const fn = scalar.binary(instr.fn, instr.type);
        const out = view(this.#out(instr.out), instr.type);
        const a = view(this.#in(instr.a), instr.type);
        const b = view(this.#in(instr.b), instr.type);
        for (let l = 0; l < out.length; l++) out[l] = fn(a[l], b[l]);
        break;
      }
      case 'compare': {
        const fn = scalar.compare[instr.fn];
        const out = this.#out(instr.out).i;
        const a = view(this.#in(instr.a), instr.of);
        const b = view(this.#in(instr.b), instr.of);
        for (let l = 0; l < out.length; l++) out[l] = fn(a[l], b[l]) ? -1 : 0;
        break;
      }
      case 'select': {
        const out = this.#out(instr.out).i;
        const mask = this.#in(instr.mask).i;
        const a = this.#in(instr.a).i;
        const b = this.#in(instr.b).i;
        for (let l = 0; l < out.length; l++) out[l] = mask[l] !== 0 ? a[l] : b[l];
        break;
      }
      case 'fma':
        this.#multiplyAdd(this.#out(instr.out), instr.a, instr.b, this.#in(instr.c));
        break;
      case 'fmaAcc':
        this.#multiplyAdd(this.#in(instr.acc), instr.a, instr.b, this.#in(instr.acc));
        break;
      case 'convert':
        convert(instr.fn, this.#in(instr.a), this.#out(instr.out));
        break;
      case 'reduce': {
        const out = view(this.#out(instr.out), instr.type);
        const a = view(this.#in(instr.a), instr.type);
        out.fill(reduceTree(scalar.binary(instr.fn, instr.type), a, instr.lanes));
        break;
      }
      case 'exchange': {
        const out = this.#out(instr.out).i;
        const [a, b] = [this.#in(instr.a).i, this.#in(instr.b).i];
        const { size, odd } = instr;
        for (let l = 0; l < out.length; l++) {
          const fromA = Math.floor(l / size) % 2 === 0;
          out[l] = fromA ? a[odd ? l + size : l] : b[odd ? l : l - size];
        }
        break;
      }
      case 'acc':
        this.#out(instr.out).i.set(this.#in(instr.init).i);
        break;
      case 'set':
        this.#in(instr.acc).i.set(this.#in(instr.value).i);
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

  #load(instr: Extract<Instr, { op: 'load' }>): void {
    const out = view(this.#out(instr.out), instr.type);
    const buffer = this.#buffers[instr.buf];
    const at = this.#address(instr.at, instr.dyn);
    if (instr.stride === 0) {
      this.#races?.load(instr.buf, this.#element(instr, at));
      out.fill(buffer[at]);
      return;
    }
    for (let l = 0; l < out.length; l++) {
      if (l >= instr.lanes) {
        out[l] = 0;
        continue;
      }
      const element = this.#element(instr, at + l * instr.stride);
      this.#races?.load(instr.buf, element);
      out[l] = buffer[element];
    }
  }

  #store(instr: Extract<Instr, { op: 'store' }>): void {
    const buffer = this.#buffers[instr.buf];
    const value = this.#in(instr.value);
    const lanes = this.#kernel.params[instr.buf].elem === 'f32' ? value.f : value.i;
    const at = this.#address(instr.at, instr.dyn);
    for (let l = 0; l < instr.lanes; l++) {
      const element = this.#element(instr, at + l * instr.stride);
      this.#races?.store(instr.buf, element);
      buffer[element] = lanes[l]; // a Uint8Array takes the low byte
    }
  }

  #multiplyAdd(out: Lanes, aReg: Reg, bReg: Reg, c: Lanes): void {
    const a = this.#in(aReg).f;
    const b = this.#in(bReg).f;
    for (let l = 0; l < out.f.length; l++) out.f[l] = this.#fma(a[l], b[l], c.f[l]);
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
    const f = this.#registers[reg]?.f ?? new Float32Array(this.#kernel.lanes);
    this.#registers[reg] ??= { f, i: new Int32Array(f.buffer) };
    return this.#registers[reg];
  }
}

function view(lanes: Lanes, type: 'f32' | 'i32' | 'mask'): Float32Array | Int32Array {
  return type === 'f32' ? lanes.f : lanes.i;
}

function convert(fn: Extract<Instr, { op: 'convert' }>['fn'], a: Lanes, out: Lanes): void {
  for (let l = 0; l < a.i.length; l++) {
    if (fn === 'f32ToI32') out.i[l] = scalar.saturate(a.f[l]);
    else if (fn === 'i32ToF32') out.f[l] = a.i[l];
    else if (fn === 'maskToI32') out.i[l] = a.i[l] !== 0 ? 1 : 0;
    else if (fn === 'i32ToMask') out.i[l] = a.i[l] !== 0 ? -1 : 0;
    else out.i[l] = a.i[l];
  }
}

/** The upper half of the lanes onto the lower half, until one is left. */
function reduceTree(fn: scalar.Binary, lanes: Float32Array | Int32Array, count: number): number {
  const rest = lanes.slice(0, count);
  for (let n = count; n > 1; ) {
    const half = (n + 1) >> 1;
    for (let l = 0; l + half < n; l++) rest[l] = fn(rest[l], rest[l + half]);
    n = half;
  }
  return rest[0];
}

// ---- buffers and order -------------------------------------------------------------------------------------------------

const arrayOf = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;

function checkBuffers(kernel: Kernel, buffers: readonly TypedArray[]): void {
  invariant(
    buffers.length === kernel.params.length,
    `kernel ${kernel.name} takes ${kernel.params.length} buffers, got ${buffers.length}`,
  );
  kernel.params.forEach((param, i) => {
    checkBuffer(`kernel ${kernel.name}, param ${param.name}`, param, buffers[i]);
  });
}

function checkBuffer(what: string, spec: Pick<Param, 'elem' | 'size'>, buffer: TypedArray | undefined): void {
  invariant(
    buffer instanceof arrayOf[spec.elem] && buffer.length >= spec.size,
    `${what} takes ${spec.size} elements of ${spec.elem}, got ${buffer?.length} of ${buffer?.constructor.name}`,
  );
}

function bindBuffers(program: Program, inputs: readonly TypedArray[], outputs: readonly TypedArray[]): TypedArray[] {
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

function arenaView(arena: ArrayBuffer, spec: BufferSpec): TypedArray {
  const view = newView(arena, spec.elem, spec.offset, spec.size);
  if (spec.data) view.set(spec.data);
  return view;
}

function newView(arena: ArrayBuffer, elem: Elem, offset: number, size: number): TypedArray {
  return new arrayOf[elem](arena, offset, size);
}

function checkAlias(program: Program, output: number, given: TypedArray, input: TypedArray | undefined): void {
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
