/**
 * Rows of counter-based random bits: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw 2011). Each element is a pure
 * function of the key and its own place, the same on every target and for any number of threads.
 */
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Reg } from '../kernel/ir.ts';
import { constant, plus, times } from '../kernel/ir.ts';
import { newArray } from '../types/dtype.ts';
import { checkShape, sizeOf, stridesOf } from '../types/shape.ts';
import { fail } from '../base/errors.ts';
import type { OpRow } from './row.ts';
import { expectDType, fewShapes, i32, intAttr, intsAttr, show } from './rule.ts';

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

/** Both words of one block, in JavaScript: the definition. */
export function threefry(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const keys = [k0, k1, k0 ^ k1 ^ PARITY];
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  for (let round = 0; round < 20; round++) {
    const rotation = ROTATIONS[round % 8];
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    if (round % 4 === 3) {
      const step = (round + 1) / 4;
      x0 = (x0 + keys[step % 3]) | 0;
      x1 = (x1 + keys[(step + 1) % 3] + step) | 0;
    }
  }
  return [x0, x1];
}

/** The first word of a block, for counters in every lane. */
export function emitThreefry(b: KernelBuilder, k0: Reg, k1: Reg, c0: Reg, c1: Reg): Reg {
  const keys = [k0, k1, b.binary('xor', b.binary('xor', k0, k1), b.i32(PARITY))];
  let x0 = b.binary('add', c0, k0);
  let x1 = b.binary('add', c1, k1);
  for (let round = 0; round < 20; round++) {
    const rotation = ROTATIONS[round % 8];
    x0 = b.binary('add', x0, x1);
    const left = b.binary('shl', x1, b.i32(rotation));
    x1 = b.binary('xor', b.binary('or', left, b.binary('shr', x1, b.i32(32 - rotation))), x0);
    if (round % 4 === 3) {
      const step = (round + 1) / 4;
      x0 = b.binary('add', x0, keys[step % 3]);
      x1 = b.binary('add', b.binary('add', x1, keys[(step + 1) % 3]), b.i32(step));
    }
  }
  return x0;
}

export const randomRows = {
  randomBits: {
    name: 'randomBits',
    summary:
      '32 random bits for each element: Threefry of the key (int32[..., 2]), its flat index there and the stream',
    arity: 1,
    infer([key], attrs) {
      expectDType('randomBits', key, ['int32'], 'the key');
      if (key.shape.at(-1) !== 2) fail('randomBits', 'the key must be int32[2] or int32[..., 2]', `got ${show(key)}`);
      const shape = intsAttr(attrs, 'shape');
      checkShape('randomBits', shape);
      intAttr(attrs, 'stream');
      return [{ dtype: 'int32', shape: [...key.shape.slice(0, -1), ...shape] }];
    },
    gradient: 'constant',
    evaluate([key], attrs, [type]) {
      const out = newArray('int32', sizeOf(type.shape));
      const stream = intAttr(attrs, 'stream');
      const count = sizeOf(intsAttr(attrs, 'shape'));
      for (let i = 0; i < out.length; i++) {
        const at = 2 * Math.floor(i / count);
        out[i] = threefry(key.data[at], key.data[at + 1], i % count, stream)[0];
      }
      return [out];
    },
    batching: 'leading',
    lowering: {
      tag: 'point',
      emit({ b, attrs, inputs, outputs: [type], load }, at) {
        const strides = stridesOf(type.shape);
        const lead = inputs[0].shape.length - 1;
        const own = at.slice(lead);
        const flat = own.reduce((sum, coord, axis) => plus(sum, times(coord.at, strides[lead + axis])), constant(0));
        const counter = b.index(flat, own.at(-1)?.laneStep ?? 0);
        const word = (i: number) => load(0, [...at.slice(0, lead), { at: constant(i), laneStep: 0 }]);
        return [emitThreefry(b, word(0), word(1), counter, b.i32(intAttr(attrs, 'stream')))];
      },
    },
    get samples() {
      return [
        ...[[], [0], [1], [7], [9], [3, 5], [2, 3, 17]].map((shape) => ({
          inputs: [i32([2], -(2 ** 31), 2 ** 31 - 1)],
          attrs: { shape, stream: shape.length },
        })),
        ...[[], [1], [5], [2, 9]].map((shape) => ({
          inputs: [i32([3, 3, 2], -(2 ** 31), 2 ** 31 - 1)],
          attrs: { shape, stream: 1 },
        })),
      ];
    },
    tolerance: { absolute: 0, relative: 0 },
  },
  bitsToUnit: {
    name: 'bitsToUnit',
    summary: 'the upper 24 of 32 bits as a float32 in [0, 1)',
    arity: 1,
    infer([bits]) {
      expectDType('bitsToUnit', bits, ['int32']);
      return [{ dtype: 'float32', shape: bits.shape }];
    },
    gradient: 'constant',
    evaluate: ([bits]) => [Float32Array.from(bits.data, (x) => (x >>> 8) * 2 ** -24)],
    batching: 'elementwise',
    lowering: {
      tag: 'map',
      emit: (b, [bits]) => b.binary('mul', b.convert('i32ToF32', b.binary('shr', bits, b.i32(8))), b.f32(2 ** -24)),
    },
    get samples() {
      return fewShapes((shape) => i32(shape, -(2 ** 31), 2 ** 31 - 1));
    },
    tolerance: { absolute: 0, relative: 0 },
  },
} satisfies Record<string, OpRow>;
