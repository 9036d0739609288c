import { describe, expect, it } from 'vitest';
import { InternalError } from '../base/errors.ts';
import type { TypedArray } from '../types/dtype.ts';
import { KernelBuilder } from './builder.ts';
import { erf } from './erf.ts';
import { type GuardFailure, interpretKernel, interpretProgram } from './interpreter.ts';
import { type BinaryFn, constant, type Elem, plus, type Reg, shift, type UnaryFn, variable, zero } from './ir.ts';
import type { Program } from './program.ts';

const none = { flops: 0, bytes: 0 };
const LANES = 4;

/** Runs `emit` once on one vector of each input and returns what it gives. */
function onVectors(inputs: readonly TypedArray[], out: TypedArray, emit: (b: KernelBuilder, args: Reg[]) => Reg) {
  const b = new KernelBuilder(LANES);
  const bufs = inputs.map((input, i) => b.param(`in${i}`, elemOf(input), input.length, 'read'));
  const result = b.param('out', elemOf(out), out.length, 'write');
  b.region('r', 1, () => {
    const args = bufs.map((buf, i) => b.load(buf, zero, 1, inputs[i].length));
    b.store(result, zero, 1, out.length, emit(b, args));
  });
  interpretKernel(b.build('test', none), [...inputs, out]);
  return Array.from(out);
}

function elemOf(array: TypedArray): Elem {
  return array instanceof Float32Array ? 'f32' : array instanceof Int32Array ? 'i32' : 'u8';
}

const f32 = (...values: number[]): Float32Array => Float32Array.from(values);
const i32 = (...values: number[]): Int32Array => Int32Array.from(values);
const f32Unary = (fn: UnaryFn, ...a: number[]) => onVectors([f32(...a)], f32(0, 0, 0, 0), (b, [x]) => b.unary(fn, x));
const f32Binary = (fn: BinaryFn, a: number[], y: number[]) =>
  onVectors([f32(...a), f32(...y)], f32(0, 0, 0, 0), (b, [p, q]) => b.binary(fn, p, q));
const i32Binary = (fn: BinaryFn, a: number[], y: number[]) =>
  onVectors([i32(...a), i32(...y)], i32(0, 0, 0, 0), (b, [p, q]) => b.binary(fn, p, q));

describe('functions', () => {
  it('rounds f32 arithmetic to single precision', () => {
    expect(f32Binary('add', [16777216, 0.1, 1, 0], [1, 0.2, -1, -0])).toEqual([16777216, Math.fround(0.3), 0, 0]);
    expect(f32Binary('div', [1, 1, -1, 0], [3, 0, 0, 0])).toEqual([Math.fround(1 / 3), Infinity, -Infinity, NaN]);
  });

  it('takes the second operand where min and max cannot order', () => {
    expect(f32Binary('min', [NaN, 1, -0, 0], [1, NaN, 0, -0])).toEqual([1, NaN, 0, -0]);
    expect(f32Binary('max', [NaN, 1, 2, 3], [1, NaN, 1, 4])).toEqual([1, NaN, 2, 4]);
  });

  it('rounds half to even and keeps the sign of zero', () => {
    expect(f32Unary('round', 0.5, 1.5, -0.5, -2.5)).toEqual([0, 2, -0, -2]);
    expect(f32Unary('round', 2.5, -0.3, 8388609, Infinity)).toEqual([2, -0, 8388609, Infinity]);
  });

  it('divides integers toward minus infinity, and by zero to zero', () => {
    expect(i32Binary('div', [7, -7, 7, 5], [2, 2, -2, 0])).toEqual([3, -4, -4, 0]);
    expect(i32Binary('mod', [7, -7, 7, 5], [2, 2, -2, 0])).toEqual([1, 1, -1, 0]);
    expect(i32Binary('div', [-(2 ** 31), 0, 1, 1], [-1, 1, 1, 1])[0]).toBe(-(2 ** 31));
  });

  it('wraps integer arithmetic', () => {
    expect(i32Binary('mul', [65537, -1, 3, 0], [65537, 5, 3, 9])).toEqual([131073, -5, 9, 0]);
    expect(i32Binary('add', [2147483647, 0, 0, 0], [1, 0, 0, 0])[0]).toBe(-2147483648);
    expect(onVectors([i32(-2147483648, -5)], i32(0, 0), (b, [x]) => b.unary('abs', x))).toEqual([-2147483648, 5]);
  });

  it('shifts', () => {
    const shifted = (fn: BinaryFn) => onVectors([i32(-16, 1)], i32(0, 0), (b, [x]) => b.binary(fn, x, b.i32(2)));
    expect(shifted('shl')).toEqual([-64, 4]);
    expect(shifted('shr')).toEqual([1073741820, 0]);
    expect(shifted('sar')).toEqual([-4, 0]);
  });

  it('converts', () => {
    expect(onVectors([f32(NaN, 1e20, -1e20, -2.9)], i32(0, 0, 0, 0), (b, [x]) => b.convert('f32ToI32', x))).toEqual([
      0, 2147483647, -2147483648, -2,
    ]);
    expect(onVectors([i32(16777217, -3)], f32(0, 0), (b, [x]) => b.convert('i32ToF32', x))).toEqual([16777216, -3]);
    expect(onVectors([f32(1, -0)], i32(0, 0), (b, [x]) => b.convert('bitsToI32', x))).toEqual([0x3f800000, -(2 ** 31)]);
    expect(onVectors([i32(0x3f800000, 1)], f32(0, 0), (b, [x]) => b.convert('bitsToF32', x))).toEqual([1, 2 ** -149]);
    expect(onVectors([i32(0, 7)], i32(0, 0), (b, [x]) => b.convert('maskToI32', b.convert('i32ToMask', x)))).toEqual([
      0, 1,
    ]);
  });

  it('compares and selects by lane; NaN is unordered', () => {
    const chosen = (fn: 'lt' | 'ne') =>
      onVectors([f32(1, 3, NaN, 2), f32(2, 2, 2, 2)], f32(0, 0, 0, 0), (b, [x, y]) =>
        b.select(b.compare(fn, x, y), x, b.f32(-1)),
      );
    expect(chosen('lt')).toEqual([1, -1, -1, -1]);
    expect(chosen('ne')).toEqual([1, 3, NaN, -1]);
  });

  it('computes fma with one rounding, or with two where asked', () => {
    const a = Math.fround(1 + 2 ** -12);
    const kernel = (() => {
      const b = new KernelBuilder(1);
      const out = b.param('out', 'f32', 1, 'write');
      b.region('r', 1, () => b.store(out, zero, 1, 1, b.fma(b.f32(a), b.f32(a), b.f32(-1))));
      return b.build('fma', none);
    })();
    const out = f32(0);
    interpretKernel(kernel, [out]);
    expect(out[0]).toBe(2 ** -11 + 2 ** -24);
    interpretKernel(kernel, [out], [], { fma: false });
    expect(out[0]).toBe(2 ** -11);
  });

  it('knows pow of IEEE 754 and erf', () => {
    expect(f32Binary('pow', [1, -1, 0, -2], [NaN, Infinity, 0, 3])).toEqual([1, 1, 1, -8]);
    const known = [
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
      [-1.5, -0.9661051464753108],
    ];
    for (const [x, y] of known) expect(Math.abs(erf(x) / y - 1)).toBeLessThan(1e-15);
    expect(erf(2.5 - 1e-9)).toBeCloseTo(erf(2.5), 10);
    expect([erf(0), erf(-0), erf(9), erf(-Infinity), erf(NaN)]).toEqual([0, -0, 1, -1, NaN]);
  });
});

describe('memory', () => {
  it('gives 0 in lanes that a load leaves out, and fills all lanes with stride 0', () => {
    const b = new KernelBuilder(4);
    const a = b.param('a', 'f32', 3, 'read');
    const out = b.param('out', 'f32', 12, 'write');
    b.region('r', 1, () => {
      b.store(out, zero, 1, 4, b.load(a, zero, 1, 3));
      b.store(out, constant(4), 1, 4, b.load(a, constant(1), 0, 1));
      b.store(out, constant(11), -1, 3, b.load(a, constant(2), -1, 3));
    });
    const result = new Float32Array(12).fill(9);
    interpretKernel(b.build('loads', none), [f32(1, 2, 3), result]);
    expect(Array.from(result)).toEqual([1, 2, 3, 0, 2, 2, 2, 2, 9, 1, 2, 3]);
  });

  it('keeps the low byte in a u8 buffer and loads it as 0..255', () => {
    expect(onVectors([i32(-1, 258)], new Uint8Array(2), (_, [x]) => x)).toEqual([255, 2]);
    expect(onVectors([Uint8Array.of(255, 2)], i32(0, 0), (_, [x]) => x)).toEqual([255, 2]);
  });

  it('refuses an access outside of its buffer', () => {
    const b = new KernelBuilder(4);
    const a = b.param('a', 'f32', 10, 'readwrite');
    b.region('r', 3, (v) => b.store(a, variable(v, 4), 1, 4, b.f32(1)));
    expect(() => interpretKernel(b.build('over', none), [new Float32Array(99)])).toThrow(/store of a\[10\]/);
  });

  it('refuses buffers of another type or size', () => {
    const b = new KernelBuilder(4);
    b.param('a', 'f32', 10, 'read');
    const kernel = b.build('empty', none);
    expect(() => interpretKernel(kernel, [new Int32Array(10)])).toThrow(InternalError);
    expect(() => interpretKernel(kernel, [new Float32Array(9)])).toThrow(/10 elements of f32/);
    expect(() => interpretKernel(kernel, [])).toThrow(/takes 1 buffers/);
  });

  it('records guards that fail and goes on with 0', () => {
    const b = new KernelBuilder(2);
    const ids = b.param('ids', 'i32', 3, 'read');
    const table = b.param('table', 'f32', 8, 'read');
    const out = b.param('out', 'f32', 6, 'write');
    b.region('r', 3, (v) => {
      const row = b.guard(b.load(ids, variable(v), 0, 1), 4, 7);
      b.store(out, variable(v, 2), 1, 2, b.load(table, zero, 1, 2, { index: row, scale: 2 }));
    });
    const result = new Float32Array(6);
    const errors: GuardFailure[] = [];
    interpretKernel(b.build('gather', none), [i32(3, -1, 4), f32(0, 1, 2, 3, 4, 5, 6, 7), result], errors);
    expect(Array.from(result)).toEqual([6, 7, 0, 1, 0, 1]);
    expect(errors).toEqual([
      { site: 7, index: -1 },
      { site: 7, index: 4 },
    ]);
  });
});

describe('loops', () => {
  it('takes the tightest of several bounds, and steps', () => {
    const b = new KernelBuilder(1);
    const out = b.param('out', 'i32', 40, 'write');
    b.region('ih', 5, (ih) => {
      const row = variable(ih, 8);
      b.loop('kh', [zero, shift(variable(ih), -2)], [constant(3)], (kh) => {
        b.store(out, plus(row, variable(kh)), 1, 1, b.i32(1));
      });
      b.loop('s', 3, 8, (s) => b.store(out, plus(row, variable(s)), 1, 1, b.i32(2)), { step: 3 });
    });
    const result = new Int32Array(40);
    interpretKernel(b.build('bounds', none), [result], [], { seed: 1, races: true });
    const rows = Array.from({ length: 5 }, (_, r) => Array.from(result.subarray(r * 8, r * 8 + 8)).join(''));
    expect(rows).toEqual(['11120020', '11120020', '11120020', '01120020', '00120020']);
  });

  it('transposes a square of lanes with exchanges', () => {
    const b = new KernelBuilder(4);
    const from = b.param('from', 'i32', 16, 'read');
    const to = b.param('to', 'i32', 16, 'write');
    b.region('r', 1, () => {
      const rows = [0, 4, 8, 12].map((at) => b.load(from, constant(at), 1, 4));
      for (const [i, row] of b.transpose(rows).entries()) b.store(to, constant(4 * i), 1, 4, row);
    });
    const result = new Int32Array(16);
    interpretKernel(b.build('transpose', { flops: 0, bytes: 0 }), [Int32Array.from([...Array(16).keys()]), result]);
    expect([...result]).toEqual([0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]);
  });

  it('accumulates across iterations and reduces lanes in halves', () => {
    const b = new KernelBuilder(4);
    const a = b.param('a', 'f32', 10, 'read');
    const out = b.param('out', 'f32', 2, 'write');
    b.region('r', 1, () => {
      const sum = b.acc(b.f32(0));
      b.loop('i', 0, 8, (i) => b.fmaAcc(sum, b.load(a, variable(i), 1, 4), b.f32(2)), { step: 4 });
      b.set(sum, b.binary('add', sum, b.load(a, constant(8), 1, 2)));
      b.store(out, zero, 1, 1, b.reduceLanes('add', sum, 4));
      b.store(out, constant(1), 1, 1, b.reduceLanes('max', sum, 3));
    });
    const result = new Float32Array(2);
    interpretKernel(b.build('sum', none), [f32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), result]);
    expect(Array.from(result)).toEqual([72 + 19, 26]);
  });

  it('runs chunks in a random order and finds those that depend on each other', () => {
    const b = new KernelBuilder(1);
    const a = b.param('a', 'i32', 9, 'readwrite');
    b.region('r', 8, (v) => b.store(a, shift(variable(v), 1), 1, 1, b.load(a, variable(v), 1, 1)));
    const kernel = b.build('chain', none);
    expect(() => interpretKernel(kernel, [new Int32Array(9)], [], { races: true })).toThrow(/not independent/);
    const inOrder = i32(1, 0, 0, 0, 0, 0, 0, 0, 0);
    const shuffled = inOrder.slice();
    interpretKernel(kernel, [inOrder]);
    interpretKernel(kernel, [shuffled], [], { seed: 5 });
    expect(inOrder.every((x) => x === 1)).toBe(true);
    expect(shuffled).not.toEqual(inOrder);
  });
});

describe('programs', () => {
  const addInPlace = (() => {
    const b = new KernelBuilder(4);
    const x = b.param('x', 'f32', 4, 'read');
    const y = b.param('y', 'f32', 4, 'read');
    const out = b.param('out', 'f32', 4, 'write');
    b.region('r', 1, () => b.store(out, zero, 1, 4, b.binary('add', b.load(x, zero, 1, 4), b.load(y, zero, 1, 4))));
    return b.build('add', none);
  })();
  const program: Program = {
    name: 'twice',
    kernels: [addInPlace],
    buffers: [
      { elem: 'f32', size: 4, kind: 'input', offset: 0 },
      { elem: 'f32', size: 4, kind: 'constant', offset: 64, data: f32(10, 20, 30, 40) },
      { elem: 'f32', size: 4, kind: 'temp', offset: 0 },
      { elem: 'f32', size: 4, kind: 'output', offset: 0, alias: 0 },
    ],
    inputs: [0],
    outputs: [3],
    steps: [
      { kernel: 0, args: [0, 1, 2], stage: 0 },
      { kernel: 0, args: [2, 0, 3], stage: 1 },
    ],
    arenaBytes: 128,
    sites: [],
  };

  it('runs stages over the arena, with constants and an output in place of an input', () => {
    const x = f32(1, 2, 3, 4);
    interpretProgram(program, [x], [x], [], { seed: 3 });
    expect(Array.from(x)).toEqual([12, 24, 36, 48]);
  });

  it('insists on the same storage for an output that shares it', () => {
    expect(() => interpretProgram(program, [f32(1, 2, 3, 4)], [f32(1, 2, 3, 4)])).toThrow(/handed the same/);
  });
});
