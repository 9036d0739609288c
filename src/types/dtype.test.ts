/** Storage of dtypes as numbers and bits, against the formats' definitions; promotion against the order that docs state. */
import { describe, expect, it } from 'vitest';
import { type DType, dtypes, elementOf, newArray, pack, promote, unpack } from './dtype.ts';

/** Every finite number of a format of 16 bits, by its definition, in order. */
function everyNumber(exponentBits: number, fractionBits: number): number[] {
  const bias = 2 ** (exponentBits - 1) - 1;
  const numbers: number[] = [];
  for (let e = 0; e < 2 ** exponentBits - 1; e++) {
    for (let f = 0; f < 2 ** fractionBits; f++) {
      const scale = 2 ** (Math.max(e, 1) - bias - fractionBits);
      numbers.push((e === 0 ? f : f + 2 ** fractionBits) * scale);
    }
  }
  return numbers;
}

/** The nearest of sorted numbers, ties to the even place; Infinity from half a step above the largest. */
function nearest(numbers: readonly number[], x: number): number {
  let low = 0;
  let high = numbers.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= x) low = middle;
    else high = middle;
  }
  const below = numbers[low];
  const above = numbers[low + 1] ?? 2 * below - numbers[low - 1];
  const toAbove = x - below > above - x || (x - below === above - x && low % 2 === 1);
  if (!toAbove) return below;
  return low + 1 < numbers.length ? above : Number.POSITIVE_INFINITY;
}

function stored(dtype: DType, values: readonly number[]): ArrayLike<number> {
  const numbers = newArray(dtype, values.length);
  for (const [i, x] of values.entries()) numbers[i] = elementOf(dtype, x);
  const bits = new dtypes[dtype].store(new ArrayBuffer(values.length * dtypes[dtype].bytes), 0, values.length);
  pack(dtype, numbers, bits);
  return bits;
}

describe.each([
  ['float16', 5, 10],
  ['bfloat16', 8, 7],
] as const)('%s', (dtype, exponentBits, fractionBits) => {
  const numbers = everyNumber(exponentBits, fractionBits);

  it('gives back each of its 2^16 patterns', () => {
    const bits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
    const values = unpack(dtype, bits);
    const again = new Uint16Array(2 ** 16);
    pack(dtype, values, again);
    const infinity = numbers.length;
    for (const [i, x] of values.entries()) {
      const size = i & 0x7fff;
      if (size > infinity) expect(x).toBeNaN();
      else {
        expect(Math.abs(x)).toBe(numbers[size] ?? Number.POSITIVE_INFINITY);
        expect(again[i]).toBe(i);
      }
    }
  });

  it('rounds to the nearest, halves to even', () => {
    const xs = [0, 2 ** -26, 3 * 2 ** -26, 2 ** -25, 65519, 65520, 65536, 1e30, 3.4e38, 1e39, 1e-45, 2 ** -134];
    for (let i = 0; i < 20_000; i++) xs.push(2 ** (-140 + (280 * i) / 20_000) * (1 + ((i * 7919) % 1000) / 1000));
    // Halves between neighbours, and a little to either side of them.
    for (let i = 0; i + 1 < numbers.length; i += 37) {
      const half = (numbers[i] + numbers[i + 1]) / 2;
      xs.push(half, half * (1 + 2 ** -40), half * (1 - 2 ** -40));
    }
    for (const x of xs) {
      const expected = nearest(numbers, x);
      if (elementOf(dtype, x) !== expected) expect([x, elementOf(dtype, x)]).toEqual([x, expected]);
      if (elementOf(dtype, -x) !== -expected) expect([-x, elementOf(dtype, -x)]).toEqual([-x, -expected]);
    }
  });

  it('keeps the sign of zero, infinities, and gives NaN one pattern', () => {
    const bits = stored(dtype, [-0, Number.NEGATIVE_INFINITY, Number.NaN]);
    const infinity = numbers.length;
    expect([...unpack(dtype, Uint16Array.from(bits))]).toEqual([-0, Number.NEGATIVE_INFINITY, Number.NaN]);
    expect(bits[2]).toBe(infinity + 2 ** (fractionBits - 1));
  });
});

it('wraps integers of one byte', () => {
  expect([...Array.from(stored('int8', [127, 128, -129, 300.7, -1]))]).toEqual([127, -128, 127, 44, -1]);
  expect([...Array.from(stored('uint8', [255, 256, -1, 300.7]))]).toEqual([255, 0, 255, 44]);
});

it('promotes in the documented order, and two of one place to what both are computed in', () => {
  const order: DType[][] = [
    ['bool'],
    ['uint8', 'int8'],
    ['int32'],
    ['int64'],
    ['float16', 'bfloat16'],
    ['float32'],
    ['float64'],
  ];
  for (const [i, group] of order.entries()) {
    for (const a of group) {
      expect(promote(a, a)).toBe(a);
      for (const b of order.slice(0, i).flat()) expect([promote(a, b), promote(b, a)]).toEqual([a, a]);
    }
  }
  expect(promote('int8', 'uint8')).toBe('int32');
  expect(promote('bfloat16', 'float16')).toBe('float32');
  const all = order.flat();
  for (const a of all) {
    for (const b of all) for (const c of all) expect(promote(promote(a, b), c)).toBe(promote(a, promote(b, c)));
  }
});
