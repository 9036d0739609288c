/** Rows that choose between values or change their dtype, elementwise. */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Reg } from '../kernel/ir.ts';
import type { DType } from '../types/dtype.ts';
import { checkDType, dtypes, elementOf, isFloat, isSmall, newArray, promote, roundTo } from '../types/dtype.ts';
import { cast, select, zerosLike } from './build.ts';
import type { OpRow } from './row.ts';
import { bool, everyShape, expectDType, expectSameDType, expectSameShape, f32, fewShapes, i32 } from './rule.ts';

/** Toward zero and saturating, NaN to 0. */
function saturate(x: number, least: number, most: number): number {
  return Number.isNaN(x) ? 0 : Math.max(least, Math.min(most, Math.trunc(x)));
}

/**
 * What x is as `to`: x != 0 for bool, the nearest for floats. A float becomes an integer toward zero and saturating in what that is
 * computed in; integers wrap to fewer bits.
 */
function castAt(x: number | bigint, to: DType): number {
  if (to === 'bool') return Number(x) !== 0 ? 1 : 0;
  // A small float is rounded from what it is computed in.
  if (isFloat(to)) return elementOf(to, isSmall(to) ? Math.fround(Number(x)) : Number(x));
  if (typeof x === 'number' && to !== 'int64') return roundTo(to, saturate(x, -(2 ** 31), 2 ** 31 - 1));
  const whole = typeof x === 'bigint' ? x : BigInt(saturate(x, -(2 ** 63), 2 ** 63));
  const most = 2n ** 63n - 1n;
  if (to === 'int64') return (whole > most ? most : whole) as unknown as number;
  return roundTo(to, Number(BigInt.asIntN(32, whole)));
}

/** What a register of `from` is as one of `to`, whatever of `to`'s numbers fit into memory. */
function emitCast(b: KernelBuilder, x: Reg, from: DType, to: DType): Reg {
  if (from === to) return x;
  if (from === 'int64') return fromLong(b, x, to);
  if (to === 'int64') return toLong(b, x, from);
  if (to === 'float64') return toDouble(b, x, from);
  if (from === 'float64') {
    if (to === 'bool') return b.compare('ne', x, b.f64(0));
    if (isFloat(to)) return narrow(b, b.convert('f64ToF32', x), 'float32', to);
    return narrow(b, b.convert('f64ToI32', x), 'int32', to);
  }
  if (from === 'bool') {
    const number = b.convert('maskToI32', x);
    return isFloat(to) ? b.convert('i32ToF32', number) : number;
  }
  if (to === 'bool') return isFloat(from) ? b.compare('ne', x, b.f32(0)) : b.convert('i32ToMask', x);
  if (isFloat(from) === isFloat(to)) return narrow(b, x, from, to);
  return narrow(b, b.convert(isFloat(to) ? 'i32ToF32' : 'f32ToI32', x), dtypes[to].compute, to);
}

function toDouble(b: KernelBuilder, x: Reg, from: DType): Reg {
  if (isFloat(from)) return b.convert('f32ToF64', x);
  return b.convert('i32ToF64', from === 'bool' ? b.convert('maskToI32', x) : x);
}

/** Floats by way of float64, as the definition does; integers take the low half. */
function fromLong(b: KernelBuilder, x: Reg, to: DType): Reg {
  if (to === 'bool') return b.compare('ne', x, b.i64(0n));
  if (!isFloat(to)) return narrow(b, b.convert('i64ToI32', x), 'int32', to);
  const double = b.convert('i64ToF64', x);
  return to === 'float64' ? double : narrow(b, b.convert('f64ToF32', double), 'float32', to);
}

function toLong(b: KernelBuilder, x: Reg, from: DType): Reg {
  if (from === 'float64') return b.convert('f64ToI64', x);
  if (isFloat(from)) return b.convert('f64ToI64', b.convert('f32ToF64', x));
  return b.convert('i32ToI64', from === 'bool' ? b.convert('maskToI32', x) : x);
}

/** Registers of small dtypes hold what memory can: floats are rounded, integers wrapped. What is wider takes them as they are. */
function narrow(b: KernelBuilder, x: Reg, from: DType, to: DType): Reg {
  if (promote(from, to) === to) return x;
  switch (to) {
    case 'float16':
      return b.unary('toF16', x);
    case 'bfloat16':
      return b.unary('toBf16', x);
    case 'int8':
      return b.binary('sar', b.binary('shl', x, b.i32(24)), b.i32(24));
    case 'uint8':
      return b.binary('and', x, b.i32(255));
    default:
      return x;
  }
}

export const selectRows = {
  select: {
    name: 'select',
    summary: 'a where the condition holds, else b',
    arity: 3,
    infer([condition, a, b]) {
      expectDType('select', condition, ['bool'], 'the condition');
      expectSameDType('select', [a, b]);
      expectSameShape('select', [condition, a, b]);
      return [{ dtype: a.dtype, shape: a.shape }];
    },
    gradient({ inputs: [condition, a] }, [dy]) {
      if (dy === null || !isFloat(a.dtype)) return [null, null, null];
      const zero = zerosLike(dy);
      return [null, select(condition, dy, zero), select(condition, zero, dy)];
    },
    evaluate([condition, a, b], _attrs, [type]) {
      const out = newArray(type.dtype, a.data.length);
      for (let i = 0; i < out.length; i++) out[i] = condition.data[i] ? a.data[i] : b.data[i];
      return [out];
    },
    batching: 'elementwise',
    small: 'asIs',
    lowering: { tag: 'map', emit: (b, [condition, x, y]) => b.select(condition, x, y) },
    get samples() {
      return [...everyShape(bool, f32, f32), ...fewShapes(bool, i32, i32), ...fewShapes(bool, bool, bool)];
    },
  },
  cast: {
    name: 'cast',
    summary: 'another dtype: to int32 toward zero and saturating (NaN gives 0), to bool by x != 0',
    arity: 1,
    infer([x], attrs) {
      return [{ dtype: checkDType('cast', attrs.dtype), shape: x.shape }];
    },
    gradient({ inputs: [x], outputs: [y] }, [dy]) {
      return [dy === null || !isFloat(x.dtype) || !isFloat(y.dtype) ? null : cast(dy, x.dtype)];
    },
    evaluate([x], _attrs, [type]) {
      const out = newArray(type.dtype, x.data.length);
      for (let i = 0; i < out.length; i++) out[i] = castAt(x.data[i], type.dtype);
      return [out];
    },
    batching: 'elementwise',
    small: 'asIs',
    lowering: {
      tag: 'map',
      emit: (b, [x], _attrs, [from], to) => emitCast(b, x, from, to),
      unpacks: (from, to) => isSmall(from) && to === dtypes[from].compute,
    },
    get samples() {
      return (['float32', 'int32', 'bool'] as const).flatMap((dtype) => [
        ...everyShape((s) => f32(s, -9, 9)).map((sample) => ({ ...sample, attrs: { dtype } })),
        ...fewShapes((s) => i32(s)).map((sample) => ({ ...sample, attrs: { dtype } })),
        ...fewShapes(bool).map((sample) => ({ ...sample, attrs: { dtype } })),
      ]);
    },
  },
} satisfies Record<string, OpRow>;
