/** Runs one function over arrays through the interpreter and measures its error in ulps, for tests of decompositions only. */
import { KernelBuilder } from '../../kernel/builder.ts';
import type { Capabilities } from '../../kernel/capabilities.ts';
import { interpretKernel } from '../../kernel/interpreter.ts';
import { type Kernel, type Reg, variable } from '../../kernel/ir.ts';

type Values = Float32Array | Int32Array;

const bare = ['add', 'sub', 'mul', 'div', 'and', 'or', 'xor', 'shl', 'shr', 'sar', 'bitsToF32', 'bitsToI32'] as const;

/** A target with no more than it must have. */
export const minimal: Pick<Capabilities, 'native'> = { native: new Set(bare) };

/** A target like x64 or WebAssembly. */
export const full: Pick<Capabilities, 'native'> = {
  native: new Set([
    ...bare,
    ...(['neg', 'abs', 'not', 'floor', 'ceil', 'round', 'sqrt', 'mod', 'min', 'max'] as const),
    ...(['f32ToI32', 'i32ToF32', 'maskToI32', 'i32ToMask'] as const),
  ]),
};

/** Wide registers, because the interpreter's cost is per instruction. */
const lanes = 1024;

/** out[i] = emit(inputs[0][i], inputs[1][i], ...). */
export function kernelOf(emit: (b: KernelBuilder, ...args: Reg[]) => Reg, inputs: readonly Values[]): Kernel {
  const b = new KernelBuilder(lanes);
  const size = inputs[0].length;
  const elem = (array: Values) => (array instanceof Float32Array ? 'f32' : 'i32');
  const buffers = inputs.map((input, i) => b.param(`in${i}`, elem(input), size, 'read'));
  const args = (chunk: Parameters<typeof b.load>[1], count: number) =>
    buffers.map((buf) => b.load(buf, chunk, 1, count));
  const probe = new KernelBuilder(lanes);
  let type: 'f32' | 'i32' = 'f32';
  inputs.forEach((input, i) => probe.param(`in${i}`, elem(input), size, 'read'));
  probe.region('probe', 1, () => {
    const result = emit(probe, ...inputs.map((_, i) => probe.load(i, { offset: 0, terms: [] }, 1, 1)));
    type = probe.typeOf(result) === 'f32' ? 'f32' : 'i32';
  });
  const out = b.param('out', type, size, 'write');
  const whole = Math.floor(size / lanes);
  b.region('chunk', whole, (v) => {
    const at = variable(v, lanes);
    b.store(out, at, 1, lanes, emit(b, ...args(at, lanes)));
  });
  const rest = size - whole * lanes;
  if (rest > 0) {
    b.region('rest', 1, () => {
      const at = { offset: whole * lanes, terms: [] };
      b.store(out, at, 1, rest, emit(b, ...args(at, rest)));
    });
  }
  return b.build('measured', { flops: 0, bytes: 0 });
}

export function compute(kernel: Kernel, inputs: readonly Values[], fma = true): Values {
  const { elem, size } = kernel.params[kernel.params.length - 1];
  const out = elem === 'f32' ? new Float32Array(size) : new Int32Array(size);
  interpretKernel(kernel, [...inputs, out], [], { fma });
  return out;
}

export interface Accuracy {
  readonly worst: number;
  /** Arguments of the worst result. */
  readonly at: readonly number[];
  /** Arguments for which NaN, an infinity or the sign of zero is not what it must be. */
  readonly wrong: readonly (readonly number[])[];
}

/** How far `results` are from a function of doubles. Infinity, where the function is finite, counts as 2^128. */
export function accuracy(
  results: Values,
  inputs: readonly Values[],
  reference: (...args: number[]) => number,
): Accuracy {
  let worst = 0;
  let at: number[] = [];
  const wrong: number[][] = [];
  for (let i = 0; i < results.length; i++) {
    const args = inputs.length === 1 ? [inputs[0][i]] : inputs.map((input) => input[i]);
    const exact = inputs.length === 1 ? reference(inputs[0][i]) : reference(...args);
    const error = ulps(results[i], exact);
    if (Number.isNaN(error)) wrong.push(args);
    else if (error > worst) {
      worst = error;
      at = args;
    }
  }
  return { worst, at, wrong };
}

/** |got - exact| in units of the last place of exact; NaN where the kind of number is wrong. */
function ulps(got: number, exact: number): number {
  if (Number.isNaN(exact)) return Number.isNaN(got) ? 0 : NaN;
  if (exact === 0 || got === 0) {
    if (exact === 0 && !Object.is(got, exact)) return NaN;
    if (Math.sign(1 / got) !== Math.sign(1 / exact)) return NaN;
  }
  const end = 2 ** 128; // what f32 rounds to infinity from, but for half an ulp
  if (Math.abs(exact) === Infinity) return got === exact ? 0 : NaN;
  const clamp = (x: number): number => Math.max(-end, Math.min(end, x));
  return Math.abs(clamp(got) - clamp(exact)) / unit(exact);
}

const scratch = new Float64Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The last place of an f32 near x. */
function unit(x: number): number {
  scratch[0] = x;
  const exponent = ((scratchBits[1] >>> 20) & 0x7ff) - 1023;
  return 2 ** Math.min(Math.max(exponent - 23, -149), 104);
}
