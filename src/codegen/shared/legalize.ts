/**
 * Rewrites a kernel for a target that lacks some functions: each is decomposed into what the target has (one rule per function,
 * in math/). Asks the capability record, never the target's name. Division of i32 has no rule: targets do it themselves.
 */
import { KernelBuilder } from '../../kernel/builder.ts';
import { type Capabilities, isNative } from '../../kernel/capabilities.ts';
import type { Affine, Dynamic, Elem, Instr, Kernel, LoopVar, Node, Reg } from '../../kernel/ir.ts';
import { convertTypes } from '../../kernel/ir.ts';
import { eliminateDeadCode } from './deadcode.ts';
import * as basic from './math/basic.ts';
import * as doubles from './math/double.ts';
import { pow as doublePow } from './math/double-power.ts';
import { Emitter, type Rules } from './math/emitter.ts';
import { erf } from './math/error-function.ts';
import { exp, tanh } from './math/exponential.ts';
import { log } from './math/logarithm.ts';
import { pow } from './math/power.ts';
import * as small from './math/small-floats.ts';
import { cos, sin } from './math/trigonometric.ts';
import * as wide from './math/wide.ts';

/** How to do without a function, by the type of its operand. */
const rules: Rules = {
  unary: {
    f32: {
      neg: basic.negF32,
      abs: basic.absF32,
      round: basic.round,
      floor: basic.floor,
      ceil: basic.ceil,
      exp,
      log,
      sin,
      cos,
      tanh,
      erf,
      toF16: small.toF16,
      toBf16: small.toBf16,
    },
    i32: { neg: basic.negI32, abs: basic.absI32, not: basic.notI32 },
    f64: {
      exp: doubles.exp,
      log: doubles.log,
      sin: doubles.sin,
      cos: doubles.cos,
      tanh: doubles.tanh,
      erf: doubles.erf,
    },
    i64: { neg: wide.negI64, abs: wide.absI64, not: wide.notI64 },
    mask: { not: basic.notMask },
  },
  binary: {
    f32: { pow, min: basic.min, max: basic.max },
    i32: { min: basic.min, max: basic.max },
    f64: { pow: doublePow, min: basic.min, max: basic.max },
    i64: {
      min: basic.min,
      max: basic.max,
      div: wide.divI64,
      mod: wide.modI64,
      sar: wide.sarI64,
    },
  },
  convert: {
    f32: { f32ToI32: basic.f32ToI32 },
    i32: { i32ToF32: basic.i32ToF32, i32ToMask: basic.i32ToMask },
    mask: { maskToI32: basic.maskToI32 },
    i64: { i64ToF64: wide.i64ToF64 },
    f64: { f64ToI64: wide.f64ToI64 },
  },
};

/** The same kernel in functions that `caps` calls native, and without dead code; the kernel itself where it is both already. */
export function legalize(kernel: Kernel, { native }: Pick<Capabilities, 'native'>): Kernel {
  const spelled = kernel.params.some(({ elem }) => spelledOut(elem, native));
  if (!spelled && !kernel.regions.some((region) => lacks(region.body, native))) return kernel;
  return eliminateDeadCode(new Rewriter(kernel, native).run());
}

/** Floats of 16 bits that the target loads and stores as integers. */
function spelledOut(elem: Elem, native: Capabilities['native']): elem is keyof typeof small.bits {
  return elem === 'bf16' || (elem === 'f16' && !native.has('toF16'));
}

function lacks(nodes: readonly Node[], native: Capabilities['native']): boolean {
  return nodes.some((node) => {
    switch (node.op) {
      case 'loop':
        return lacks(node.body, native);
      case 'unary':
        return !isNative(native, node.fn, node.type) && rules.unary[node.type]?.[node.fn] !== undefined;
      case 'binary':
        return !isNative(native, node.fn, node.type) && rules.binary[node.type]?.[node.fn] !== undefined;
      case 'convert':
        return !native.has(node.fn) && rules.convert[convertTypes[node.fn].from]?.[node.fn] !== undefined;
      case 'reduce':
        return node.type === 'i64' && !isNative(native, node.fn, node.type);
      default:
        return false;
    }
  });
}

/** Copies a kernel through a builder, which numbers registers and loop variables anew. */
class Rewriter {
  readonly #kernel: Kernel;
  readonly #native: Capabilities['native'];
  readonly #b: KernelBuilder;
  readonly #emitter: Emitter;
  readonly #registers: Reg[] = [];
  readonly #vars: LoopVar[] = [];

  constructor(kernel: Kernel, native: Capabilities['native']) {
    this.#kernel = kernel;
    this.#native = native;
    this.#b = new KernelBuilder(kernel.lanes);
    this.#emitter = new Emitter(this.#b, native, rules);
  }

  run(): Kernel {
    const { params, regions, flops, bytes } = this.#kernel;
    for (const { name, elem, size, access } of params) {
      this.#b.param(name, spelledOut(elem, this.#native) ? 'u16' : elem, size, access);
    }
    for (const { v, extent, body } of regions) {
      this.#b.region(v.name, extent, (copy) => {
        this.#vars[v.id] = copy;
        this.#block(body);
      });
    }
    return this.#b.build(this.#kernel.name, { flops, bytes });
  }

  #block(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.op !== 'loop') {
        const copy = this.#instr(node);
        if ('out' in node && copy !== undefined) this.#registers[node.out] = copy;
        continue;
      }
      const { v, lo, hi, step, body } = node;
      const until = node.until === undefined ? undefined : this.#registers[node.until];
      const bounds = (list: readonly Affine[]): Affine[] => list.map((at) => this.#affine(at));
      const copyBody = (copy: LoopVar): void => {
        this.#vars[v.id] = copy;
        this.#block(body);
      };
      this.#b.loop(v.name, bounds(lo), bounds(hi), copyBody, { step, until });
    }
  }

  #instr(instr: Instr): Reg | undefined {
    const b = this.#b;
    const r = (reg: Reg): Reg => this.#registers[reg];
    switch (instr.op) {
      case 'const':
        return b.constant(instr.type, instr.value);
      case 'index':
        return b.index(this.#affine(instr.at), instr.laneStep);
      case 'load':
        return this.#load(instr);
      case 'store': {
        const { buf, at, stride, lanes, dyn } = instr;
        const { elem } = this.#kernel.params[buf];
        const value = spelledOut(elem, this.#native) ? small.bits[elem](this.#emitter, r(instr.value)) : r(instr.value);
        b.store(buf, this.#affine(at), stride, lanes, value, this.#dynamic(dyn));
        return undefined;
      }
      case 'unary':
        return this.#emitter.unary(instr.fn, r(instr.a));
      case 'binary':
        return this.#emitter.binary(instr.fn, r(instr.a), r(instr.b));
      case 'compare':
        return b.compare(instr.fn, r(instr.a), r(instr.b));
      case 'select':
        return b.select(r(instr.mask), r(instr.a), r(instr.b));
      case 'fma':
        return b.fma(r(instr.a), r(instr.b), r(instr.c));
      case 'convert':
        return this.#emitter.convert(instr.fn, r(instr.a));
      case 'reduce':
        return this.#emitter.reduce(instr.fn, r(instr.a), instr.lanes);
      case 'exchange':
        return b.exchange(r(instr.a), r(instr.b), instr.size, instr.odd);
      case 'acc':
        return b.acc(r(instr.init));
      case 'set':
        b.set(r(instr.acc), r(instr.value));
        return undefined;
      case 'fmaAcc':
        b.fmaAcc(r(instr.acc), r(instr.a), r(instr.b));
        return undefined;
      case 'guard':
        return b.guard(r(instr.index), instr.bound, instr.site);
    }
  }

  #load({ buf, at, stride, lanes, dyn }: Extract<Instr, { op: 'load' }>): Reg {
    const { elem } = this.#kernel.params[buf];
    const loaded = this.#b.load(buf, this.#affine(at), stride, lanes, this.#dynamic(dyn));
    return spelledOut(elem, this.#native) ? small.number[elem](this.#emitter, loaded) : loaded;
  }

  #affine({ offset, terms }: Affine): Affine {
    return { offset, terms: terms.map(({ v, coef }) => ({ v: this.#vars[v.id], coef })) };
  }

  #dynamic(dyn: Dynamic | undefined): Dynamic | undefined {
    return dyn && { index: this.#registers[dyn.index], scale: dyn.scale };
  }
}
