/**
 * Checks one kernel: types, scopes, and the proof that every access lies inside its buffer. It does not check that chunks are
 * independent (the interpreter can), nor that the kernel computes what was meant.
 */
import { InternalError } from '../base/errors.ts';
import { Bounds } from './bounds.ts';
import type {
  Affine,
  BinaryFn,
  Dynamic,
  Instr,
  Kernel,
  Loop,
  LoopVar,
  Node,
  Reg,
  Region,
  RegType,
  UnaryFn,
} from './ir.ts';
import { convertTypes, isWide, registerOf } from './ir.ts';
import { printNode } from './printer.ts';

const verified = new WeakMap<Kernel, KernelFacts>();

/** What verifyProgram asks of a kernel. */
export interface KernelFacts {
  /** One more than the greatest guard site. */
  readonly sites: number;
}

/** Throws an InternalError that shows the offending instruction unless the kernel keeps every rule. */
export function verifyKernel(kernel: Kernel): void {
  kernelFacts(kernel);
}

/** Verifies the kernel unless it has been already. */
export function kernelFacts(kernel: Kernel): KernelFacts {
  const known = verified.get(kernel);
  if (known) return known;
  const facts = new KernelVerifier(kernel).run();
  verified.set(kernel, facts);
  return facts;
}

const floats: readonly RegType[] = ['f32', 'f64'];
const i32: readonly RegType[] = ['i32'];
const integers: readonly RegType[] = ['i32', 'i64'];
const numeric: readonly RegType[] = ['f32', 'i32', 'f64', 'i64'];
const bits: readonly RegType[] = ['i32', 'i64', 'mask'];

const unaryTypes: { readonly [F in UnaryFn]: readonly RegType[] } = {
  neg: numeric,
  abs: numeric,
  not: bits,
  floor: floats,
  ceil: floats,
  round: floats,
  sqrt: floats,
  exp: floats,
  log: floats,
  sin: floats,
  cos: floats,
  tanh: floats,
  erf: floats,
  toF16: ['f32'],
  toBf16: ['f32'],
};

const binaryTypes: { readonly [F in BinaryFn]: readonly RegType[] } = {
  add: numeric,
  sub: numeric,
  mul: numeric,
  div: numeric,
  mod: integers,
  min: numeric,
  max: numeric,
  pow: floats,
  and: bits,
  or: bits,
  xor: bits,
  shl: integers,
  shr: integers,
  sar: integers,
};

type Access = Extract<Instr, { op: 'load' | 'store' }>;
type Definition = Extract<Instr, { out: Reg }>;

class KernelVerifier {
  readonly #kernel: Kernel;
  readonly #bounds = new Bounds();
  /** By register, once it is defined. */
  readonly #definitions: Definition[] = [];
  /** By register: can it be read here? */
  readonly #visible: boolean[] = [];
  readonly #loopVars = new Set<number>();
  readonly #stored = new Set<number>();
  /** Loops around us that never run. */
  #dead = 0;
  #sites = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  run(): KernelFacts {
    const { lanes, params, regions } = this.#kernel;
    if (!isCount(lanes, 1) || (lanes & (lanes - 1)) !== 0) this.#refuse(`lanes must be a power of two, not ${lanes}`);
    for (const param of params) {
      if (!isCount(param.size, 0)) this.#refuse(`param ${param.name} has size ${param.size}`);
    }
    for (const region of regions) this.#findStores(region.body);
    for (const region of regions) this.#region(region);
    return { sites: this.#sites };
  }

  #findStores(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.op === 'loop') this.#findStores(node.body);
      else if (node.op === 'store') this.#stored.add(node.buf);
    }
  }

  #region(region: Region): void {
    if (!isCount(region.extent, 0)) this.#refuse(`region ${region.v.name} has extent ${region.extent}`);
    this.#defineVar(region.v);
    this.#bounds.enterRegion(region.v, region.extent);
    this.#scope(region.body, region.extent > 0);
  }

  #loop(loop: Loop): void {
    if (loop.lo.length === 0 || loop.hi.length === 0) this.#refuse('a loop has at least one bound on each side', loop);
    if (!isCount(loop.step, 1)) this.#refuse(`a loop's step is a positive integer, not ${loop.step}`, loop);
    for (const at of [...loop.lo, ...loop.hi]) this.#affine(loop, at);
    if (loop.until !== undefined) this.#use(loop, loop.until, 'i32');
    this.#defineVar(loop.v, loop);
    const runs = this.#bounds.enterLoop(loop);
    this.#scope(loop.body, runs);
  }

  #scope(body: readonly Node[], runs: boolean): void {
    const defined: Reg[] = [];
    if (!runs) this.#dead++;
    for (const node of body) {
      if (node.op === 'loop') {
        this.#loop(node);
        continue;
      }
      this.#instr(node);
      if ('out' in node) {
        this.#define(node);
        defined.push(node.out);
      }
    }
    for (const reg of defined) this.#visible[reg] = false;
    if (!runs) this.#dead--;
    this.#bounds.leave();
  }

  #instr(instr: Instr): void {
    switch (instr.op) {
      case 'const': {
        if (!fits(instr)) this.#refuse(`${instr.value} is no ${instr.type}`, instr);
        break;
      }
      case 'index':
        this.#type(instr, i32);
        this.#affine(instr, instr.at);
        if (!isInteger(instr.laneStep)) this.#refuse(`laneStep is ${instr.laneStep}`, instr);
        break;
      case 'load':
      case 'store':
        this.#access(instr);
        break;
      case 'unary':
        this.#type(instr, unaryTypes[instr.fn]);
        this.#use(instr, instr.a, instr.type);
        break;
      case 'binary':
        this.#type(instr, binaryTypes[instr.fn]);
        this.#use(instr, instr.a, instr.type);
        this.#use(instr, instr.b, instr.type);
        if (instr.fn === 'shl' || instr.fn === 'shr' || instr.fn === 'sar') this.#shiftCount(instr, instr.b);
        break;
      case 'compare':
        this.#use(instr, instr.a, instr.of);
        this.#use(instr, instr.b, instr.of);
        break;
      case 'select':
        this.#use(instr, instr.mask, 'mask');
        this.#use(instr, instr.a, instr.type);
        this.#use(instr, instr.b, instr.type);
        break;
      case 'fma':
        this.#type(instr, floats);
        for (const operand of [instr.a, instr.b, instr.c]) this.#use(instr, operand, instr.type);
        break;
      case 'convert': {
        const { from, to } = convertTypes[instr.fn];
        this.#type(instr, [to]);
        this.#use(instr, instr.a, from);
        break;
      }
      case 'reduce':
        this.#type(instr, numeric);
        this.#use(instr, instr.a, instr.type);
        this.#lanes(instr, instr.lanes);
        break;
      case 'exchange': {
        this.#use(instr, instr.a, instr.type);
        this.#use(instr, instr.b, instr.type);
        const { size } = instr;
        if (!isCount(size, 1) || (size & (size - 1)) !== 0 || size >= this.#kernel.lanes) {
          this.#refuse(`blocks have a power of two below ${this.#kernel.lanes} of lanes, not ${size}`, instr);
        }
        break;
      }
      case 'acc':
        this.#use(instr, instr.init, instr.type);
        break;
      case 'set':
        this.#use(instr, instr.value, this.#accumulator(instr, instr.acc));
        break;
      case 'fmaAcc': {
        const type = this.#accumulator(instr, instr.acc);
        if (!floats.includes(type)) this.#refuse('fmaAcc takes an accumulator of floats', instr);
        this.#use(instr, instr.a, type);
        this.#use(instr, instr.b, type);
        break;
      }
      case 'guard':
        this.#use(instr, instr.index, 'i32');
        if (!isCount(instr.bound, 1)) this.#refuse(`a guard's bound is at least 1, not ${instr.bound}`, instr);
        if (!isCount(instr.site, 0)) this.#refuse(`a guard's site is ${instr.site}`, instr);
        this.#sites = Math.max(this.#sites, instr.site + 1);
        break;
    }
  }

  // ---- accesses ----

  #access(instr: Access): void {
    const param = this.#kernel.params[instr.buf];
    if (!param) this.#refuse(`there is no param ${instr.buf}`, instr);
    const type = registerOf[param.elem];
    if (instr.op === 'store') {
      if (param.access === 'read') this.#refuse(`${param.name} may only be read`, instr);
      if (instr.stride === 0 && instr.lanes !== 1) this.#refuse('a store with stride 0 has one lane', instr);
      this.#use(instr, instr.value, type);
    } else {
      if (param.access === 'write' && !this.#stored.has(instr.buf)) {
        this.#refuse(`${param.name} may only be written, and nothing here writes it`, instr);
      }
      if (instr.type !== type) this.#refuse(`an element of ${param.elem} is loaded as ${type}`, instr);
    }
    this.#lanes(instr, instr.lanes);
    if (!isInteger(instr.stride)) this.#refuse(`the stride is ${instr.stride}`, instr);
    this.#affine(instr, instr.at);
    const dyn = instr.dyn ? this.#dynamic(instr, instr.dyn) : 0;
    const last = (instr.lanes - 1) * instr.stride;
    if (this.#dead > 0) return;
    this.#prove(instr, param.size, Math.min(0, last) + Math.min(0, dyn), Math.max(0, last) + Math.max(0, dyn));
  }

  /** What the dynamic part adds at most (or, where the scale is negative, at least); its other end is 0. */
  #dynamic(instr: Access, { index, scale }: Dynamic): number {
    this.#use(instr, index, 'i32');
    const guard = this.#definitions[index];
    if (guard.op !== 'guard') this.#refuse('a dynamic index is the result of a guard', instr);
    if (!isInteger(scale)) this.#refuse(`the scale is ${scale}`, instr);
    return (guard.bound - 1) * scale;
  }

  /** Every address, which is `at` plus something from below to above, lies in 0..size-1. */
  #prove(instr: Access, size: number, below: number, above: number): void {
    const quick = this.#bounds.quick(instr.at);
    if (quick.min + below >= 0 && quick.max + above < size) return;
    const min = this.#bounds.min(instr.at) + below;
    const max = this.#bounds.max(instr.at) + above;
    if (min >= 0 && max < size) return;
    const { name } = this.#kernel.params[instr.buf];
    this.#refuse(`${name} has ${size} elements, and all that is proven is ${min} <= element <= ${max}`, instr);
  }

  // ---- registers ----

  #define(instr: Definition): void {
    if (!isCount(instr.out, 0)) this.#refuse(`${instr.out} is no register`, instr);
    if (this.#definitions[instr.out]) this.#refuse('a register is defined once', instr);
    this.#definitions[instr.out] = instr;
    this.#visible[instr.out] = true;
  }

  #use(instr: Node, reg: Reg, type: RegType): void {
    this.#inScope(instr, reg);
    const found = this.#definitions[reg].type;
    if (found !== type) this.#refuse(`register ${reg} is ${found}, and ${type} is needed`, instr);
  }

  #accumulator(instr: Instr, reg: Reg): RegType {
    this.#inScope(instr, reg);
    const definition = this.#definitions[reg];
    if (definition.op !== 'acc') this.#refuse(`register ${reg} is no accumulator`, instr);
    return definition.type;
  }

  #inScope(instr: Node, reg: Reg): void {
    if (this.#visible[reg]) return;
    const why = this.#definitions[reg] ? 'is out of scope' : 'is not defined';
    this.#refuse(`register ${reg} ${why} here`, instr);
  }

  #shiftCount(instr: Instr, reg: Reg): void {
    const count = this.#definitions[reg];
    const most = isWide(count.type) ? 63 : 31;
    if (count.op !== 'const' || count.value < 0 || count.value > most) {
      this.#refuse(`a shift count is a constant in 0..${most}`, instr);
    }
  }

  #type(instr: Instr & { readonly type: RegType }, allowed: readonly RegType[]): void {
    if (!allowed?.includes(instr.type)) this.#refuse(`this instruction does not give ${instr.type}`, instr);
  }

  #lanes(instr: Instr, lanes: number): void {
    if (!isCount(lanes, 1) || lanes > this.#kernel.lanes) {
      this.#refuse(`lanes must be in 1..${this.#kernel.lanes}, not ${lanes}`, instr);
    }
  }

  // ---- loop variables ----

  #defineVar(v: LoopVar, loop?: Loop): void {
    if (this.#loopVars.has(v.id)) this.#refuse(`loop variable ${v.name} (${v.id}) is declared twice`, loop);
    this.#loopVars.add(v.id);
  }

  #affine(node: Node, at: Affine): void {
    if (!isInteger(at.offset)) this.#refuse(`the offset is ${at.offset}`, node);
    at.terms.forEach(({ v, coef }, i) => {
      if (!this.#bounds.knows(v)) this.#refuse(`loop variable ${v.name} is not in scope here`, node);
      if (!isInteger(coef) || coef === 0) this.#refuse(`the coefficient of ${v.name} is ${coef}`, node);
      for (let other = 0; other < i; other++) {
        if (at.terms[other].v.id === v.id) this.#refuse(`${v.name} stands in two terms`, node);
      }
    });
  }

  #refuse(message: string, node?: Node): never {
    const where = node ? `; in '${printNode(this.#kernel, node)}'` : '';
    throw new InternalError(`internal: kernel ${this.#kernel.name} is refused: ${message}${where}`);
  }
}

function fits(instr: Extract<Instr, { op: 'const' }>): boolean {
  switch (instr.type) {
    case 'f32':
      return Object.is(Math.fround(instr.value), instr.value);
    case 'i32':
      return (instr.value | 0) === instr.value;
    case 'f64':
      return typeof instr.value === 'number';
    case 'i64':
      return typeof instr.value === 'bigint' && BigInt.asIntN(64, instr.value) === instr.value;
  }
}

/** Far below 2^53, so that sums of a few stay exact. */
function isInteger(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) <= 2 ** 48;
}

function isCount(value: number, least: number): boolean {
  return isInteger(value) && value >= least;
}
