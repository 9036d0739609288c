/** Rows that work on the bits of elements: logic and shifts of integers, and the same bits as another dtype. */
import type { KernelBuilder } from '../kernel/builder.ts';
import { binaryI64 } from '../kernel/scalar.ts';
import type { Reg } from '../kernel/ir.ts';
import { dtypes, newArray } from '../types/dtype.ts';
import { binary } from './binary.ts';
import type { OpRow } from './row.ts';
import { everyShape, expectDType, f32, fewShapes, i32, integers, numbers } from './rule.ts';

/** Wide ranges: every bit counts. */
const wide: readonly [readonly [number, number], readonly [number, number]] = [
  [-(2 ** 31), 2 ** 31],
  [-(2 ** 31), 2 ** 31],
];

function logic(name: string, fn: 'and' | 'or' | 'xor', at: (a: number, b: number) => number): OpRow {
  return binary(name, {
    summary: `a ${fn} b, bit by bit`,
    dtypes: integers,
    at,
    emit: (b, x, y) => b.binary(fn, x, y),
    gradient: 'constant',
    intRanges: wide,
  });
}

/** Shifts by a count from data: one conditional shift for each of its five or six bits. */
function emitShift(b: KernelBuilder, fn: 'shl' | 'shr' | 'sar', x: Reg, count: Reg, bits: number): Reg {
  const zero = b.like(x, 0);
  let shifted = x;
  for (let by = 1; by < bits; by *= 2) {
    const set = b.compare('ne', b.binary('and', count, b.like(x, by)), zero);
    shifted = b.select(set, b.binary(fn, shifted, b.like(x, by)), shifted);
  }
  const inside = b.compare('eq', b.binary('and', count, b.like(x, -bits)), zero);
  return b.select(inside, shifted, fn === 'sar' ? b.binary('sar', x, b.like(x, bits - 1)) : zero);
}

/** The same of int64, whose bits are counted to 63. */
function longShift(fn: 'shl' | 'shr' | 'sar'): (x: bigint, n: bigint) => bigint {
  const inside = binaryI64(fn);
  return (x, n) => (n >= 0n && n < 64n ? inside(x, n) : fn === 'sar' ? x >> 63n : 0n);
}

function shift(name: string, summary: string, fn: 'shl' | 'shr' | 'sar', at: (x: number, n: number) => number): OpRow {
  return binary(name, {
    summary: `${summary}; a count outside of [0, 31] (of int64 [0, 63]) shifts everything out`,
    dtypes: integers,
    at: (x, n) => (n >= 0 && n < 32 ? at(x, n) : fn === 'sar' ? x >> 31 : 0),
    longAt: longShift(fn),
    emit: (b, x, n, dtype) => emitShift(b, fn, x, n, 8 * dtypes[dtype].bytes),
    gradient: 'constant',
    intRanges: [wide[0], [-3, 36]],
  });
}

/** What the bits of a dtype become, and the conversion that makes it. */
const otherOf = { float32: 'int32', int32: 'float32', float64: 'int64', int64: 'float64' } as const;
const bitsOf = { float32: 'bitsToI32', int32: 'bitsToF32', float64: 'bitsToI64', int64: 'bitsToF64' } as const;

export const bitwiseRows = {
  bitwiseAnd: logic('bitwiseAnd', 'and', (a, b) => a & b),
  bitwiseOr: logic('bitwiseOr', 'or', (a, b) => a | b),
  bitwiseXor: logic('bitwiseXor', 'xor', (a, b) => a ^ b),
  leftShift: shift('leftShift', 'a times 2^b, wrapping', 'shl', (x, n) => x << n),
  rightShift: shift('rightShift', 'a over 2^b, rounded down', 'sar', (x, n) => x >> n),
  rightShiftLogical: shift('rightShiftLogical', 'the bits of a moved b places, zeros behind', 'shr', (x, n) => x >>> n),
  bitcast: {
    name: 'bitcast',
    // Bits of a small dtype are not those of a register.
    small: 'asIs',
    summary: 'the same 32 or 64 bits as another dtype: float32 and int32, float64 and int64',
    arity: 1,
    infer([x]) {
      expectDType('bitcast', x, numbers);
      return [{ dtype: otherOf[x.dtype as keyof typeof otherOf], shape: x.shape }];
    },
    gradient: 'constant',
    batching: 'elementwise',
    evaluate([x], _attrs, [type]) {
      const out = newArray(type.dtype, x.data.length);
      new Uint8Array(out.buffer).set(new Uint8Array(x.data.buffer, x.data.byteOffset, x.data.byteLength));
      return [out];
    },
    lowering: {
      tag: 'map',
      emit: (b, [x], _attrs, [dtype]) => b.convert(bitsOf[dtype as keyof typeof bitsOf], x),
    },
    get samples() {
      return [...everyShape((s) => f32(s, -100, 100)), ...fewShapes((s) => i32(s, 0, 2 ** 30))];
    },
  },
} satisfies Record<string, OpRow>;
