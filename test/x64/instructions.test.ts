/** Every instruction of kernel IR as machine code, bit for bit against the interpreter, on ordinary and special values. */
import { describe, expect, it } from 'vitest';
import type { KernelBuilder } from '../../src/kernel/builder.ts';
import type { BinaryFn, CompareFn, Kernel, Reg, UnaryFn } from '../../src/kernel/ir.ts';
import { plus, variable } from '../../src/kernel/ir.ts';
import { allLanes, builder, disagreement, random, reason, someFloats, someIntegers, zeros } from './harness.ts';

const SIZE = 512;
type Kind = 'f32' | 'i32';

/** out[i] = body(a[i], b[i], c[i]) for elements of one kind. */
function elementwise(
  lanes: number,
  from: Kind,
  to: Kind,
  body: (k: KernelBuilder, a: Reg, b: Reg, c: Reg) => Reg,
): Kernel {
  const k = builder(lanes);
  const names = ['a', 'b', 'c'].map((name) => k.param(name, from, SIZE, 'read'));
  const out = k.param('out', to, SIZE, 'write');
  k.region('chunk', 4, (chunk) => {
    k.loop('i', 0, SIZE / 4 / lanes, (i) => {
      const at = plus(variable(chunk, SIZE / 4), variable(i, lanes));
      const [a, b, c] = names.map((buf) => k.load(buf, at, 1, lanes));
      k.store(out, at, 1, lanes, body(k, a, b, c));
    });
  });
  return k.build('elementwise', { flops: 0, bytes: 0 });
}

function data(kind: Kind, to: Kind, seed: number) {
  const make = kind === 'f32' ? someFloats : someIntegers;
  return [make(SIZE, seed), make(SIZE, seed + 1), make(SIZE, seed + 2), zeros(to, SIZE)];
}

type Body = (k: KernelBuilder, a: Reg, b: Reg, c: Reg) => Reg;

function check(from: Kind, to: Kind, body: Body, lanes = allLanes): void {
  for (const n of lanes) {
    expect(disagreement(elementwise(n, from, to, body), data(from, to, 17 * n)), `${n} lanes`).toBeNull();
  }
}

/** The interpreter rounds a * b + c to double first, which shows where c is tiny and a * b a tie: ordinary values only. */
function checkFused(body: Body, lanes = allLanes): void {
  for (const n of lanes) {
    const next = random(n);
    const make = () => new Float32Array(SIZE).map(() => (next(20001) - 10000) / 137);
    const buffers = [make(), make(), make(), zeros('f32', SIZE)];
    expect(disagreement(elementwise(n, 'f32', 'f32', body), buffers), `${n} lanes`).toBeNull();
  }
}

// Skipped where the x64 device cannot run (another processor, no koffi).
describe.skipIf(reason !== null)('x64 instructions', () => {
  const unaries: [UnaryFn, Kind][] = [
    ...(['neg', 'abs', 'floor', 'ceil', 'round', 'sqrt'] as const).map((fn): [UnaryFn, Kind] => [fn, 'f32']),
    ...(['neg', 'abs', 'not'] as const).map((fn): [UnaryFn, Kind] => [fn, 'i32']),
  ];
  it.each(unaries)('unary %s of %s', (fn, kind) => check(kind, kind, (k, a) => k.unary(fn, a)));

  const binaries: [BinaryFn, Kind][] = [
    ...(['add', 'sub', 'mul', 'div', 'min', 'max'] as const).map((fn): [BinaryFn, Kind] => [fn, 'f32']),
    ...(['add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'and', 'or', 'xor'] as const).map((fn): [BinaryFn, Kind] => [
      fn,
      'i32',
    ]),
  ];
  it.each(binaries)('binary %s of %s', (fn, kind) => {
    check(kind, kind, (k, a, b) => k.binary(fn, a, b));
    check(kind, kind, (k, a) => k.binary(fn, a, a));
    const constant = (k: KernelBuilder) => (kind === 'f32' ? k.f32(-2.5) : k.i32(-3));
    check(kind, kind, (k, a) => k.binary(fn, a, constant(k)));
    check(kind, kind, (k, a) => k.binary(fn, constant(k), a));
    check(kind, kind, (k, a, b, c) => k.binary(fn, k.binary(fn, a, b), k.binary(fn, b, c)));
  });

  it.each(['shl', 'shr', 'sar'] as const)('%s', (fn) => {
    for (const count of [0, 1, 5, 31]) check('i32', 'i32', (k, a) => k.binary(fn, a, k.i32(count)));
  });

  const compares: CompareFn[] = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'];
  it.each(compares.flatMap((fn) => [[fn, 'f32'] as const, [fn, 'i32'] as const]))('compare %s of %s', (fn, kind) => {
    check(kind, 'i32', (k, a, b) => k.convert('maskToI32', k.compare(fn, a, b)));
    const constant = (k: KernelBuilder) => (kind === 'f32' ? k.f32(1) : k.i32(1));
    check(kind, kind, (k, a, b) => k.select(k.compare(fn, constant(k), a), a, b));
    check(kind, kind, (k, a, b) => k.select(k.compare(fn, a, constant(k)), b, constant(k)));
  });

  it('masks', () => {
    for (const fn of ['and', 'or', 'xor'] as const) {
      check('f32', 'f32', (k, a, b, c) => {
        const mask = k.binary(fn, k.compare('lt', a, b), k.unary('not', k.compare('lt', b, c)));
        return k.select(mask, a, c);
      });
    }
    check('i32', 'i32', (k, a, b, c) => k.select(k.convert('i32ToMask', a), b, c));
    check('f32', 'f32', (k, a, b) => k.select(k.compare('lt', a, b), a, k.f32(0)));
    check('f32', 'f32', (k, a, b) => k.select(k.compare('lt', a, b), k.f32(0), a));
  });

  it('conversions', () => {
    check('f32', 'i32', (k, a) => k.convert('f32ToI32', a));
    check('i32', 'f32', (k, a) => k.convert('i32ToF32', a));
    check('f32', 'i32', (k, a) => k.convert('bitsToI32', a));
    check('i32', 'i32', (k, a) =>
      k.convert('bitsToI32', k.binary('add', k.convert('bitsToF32', k.binary('and', a, k.i32(0x3fffffff))), k.f32(1))),
    );
  });

  it('fma in every form', () => {
    checkFused((k, a, b, c) => k.fma(a, b, c));
    checkFused((k, a, _, c) => k.fma(a, k.f32(2), c));
    checkFused((k, a) => k.fma(a, k.f32(2), k.f32(1)));
    checkFused((k, a) => k.fma(k.f32(3), a, k.f32(1)));
    checkFused((k, a) => k.fma(a, a, a));
    checkFused((k, a, b) => k.fma(a, b, a));
    checkFused((k, a, b) => k.fma(b, b, a));
    checkFused((k, a, b, c) => {
      const x = k.binary('add', a, b);
      const y = k.binary('add', b, c);
      const z = k.fma(x, y, c);
      return k.fma(x, z, k.fma(z, y, x));
    });
  });

  it('accumulators', () => {
    checkFused((k, a, b, c) => {
      const acc = k.acc(a);
      k.fmaAcc(acc, b, c);
      k.set(acc, k.binary('add', acc, b));
      k.set(acc, k.fma(acc, b, c));
      k.set(acc, k.fma(acc, acc, acc));
      const other = k.acc(acc);
      k.set(acc, k.binary('mul', other, acc));
      k.set(other, k.fma(a, b, other));
      k.set(other, k.f32(2));
      const copy = k.acc(other);
      k.set(copy, k.fma(other, b, a));
      return k.binary('sub', acc, k.binary('add', other, copy));
    });
    // A value that looks like it could be computed in place, while the accumulator is read in between.
    checkFused((k, a, b) => {
      const acc = k.acc(a);
      const next = k.binary('add', acc, b);
      const before = k.binary('mul', acc, b);
      k.set(acc, next);
      return k.binary('sub', acc, before);
    });
    checkFused((k, a, b, c) => {
      const acc = k.acc(k.f32(0));
      k.loop('t', 0, 3, () => {
        k.fmaAcc(acc, a, b);
        k.set(acc, k.select(k.compare('lt', acc, c), acc, k.binary('max', acc, b)));
      });
      return acc;
    });
    check('f32', 'i32', (k, a) => {
      const acc = k.acc(a);
      const bits = k.convert('bitsToI32', acc);
      k.set(acc, k.f32(1));
      return k.binary('add', bits, k.convert('bitsToI32', acc));
    });
  });

  it('exchange of blocks', () => {
    for (const lanes of allLanes.slice(1)) {
      for (let size = 1; size < lanes; size *= 2) {
        for (const odd of [false, true]) {
          check('f32', 'f32', (k, a, b) => k.exchange(a, b, size, odd), [lanes]);
          check('i32', 'i32', (k, a, b) => k.exchange(a, b, size, odd), [lanes]);
        }
      }
    }
  });

  it('reduce, in the order of the definition', () => {
    for (const lanes of allLanes) {
      for (let active = 1; active <= lanes; active++) {
        for (const fn of ['add', 'mul', 'min', 'max'] as const) {
          check('f32', 'f32', (k, a) => k.reduceLanes(fn, a, active), [lanes]);
          check('i32', 'i32', (k, a) => k.reduceLanes(fn, a, active), [lanes]);
        }
      }
    }
  });

  it('index', () => {
    const k = builder();
    const out = k.param('out', 'i32', SIZE, 'write');
    k.region('chunk', 4, (chunk) => {
      k.loop('i', 0, 16, (i) => {
        const at = plus(variable(chunk, 128), variable(i, 8));
        const value = k.binary(
          'add',
          k.index(
            {
              offset: -5,
              terms: [
                { v: i, coef: -3 },
                { v: chunk, coef: 1000 },
              ],
            },
            7,
          ),
          k.index({ offset: 3, terms: [] }, 1),
        );
        k.store(out, at, 1, 8, k.binary('add', value, k.index(variable(i))));
      });
    });
    expect(disagreement(k.build('index', { flops: 0, bytes: 0 }), [zeros('i32', SIZE)])).toBeNull();
  });

  it('long random expressions, more live values than registers', () => {
    // Small integers, so that every sum is exact and any order of rounding gives the same.
    const buffers = [1, 2, 3].map((seed) => {
      const next = random(seed);
      return new Float32Array(SIZE).map(() => next(9) - 4);
    });
    for (let seed = 1; seed <= 40; seed++) {
      const next = random(seed);
      const body: Body = (k, a, b, c) => {
        const live = [a, b, c, k.f32(2)];
        const small = (x: Reg) => k.binary('max', k.binary('min', x, k.f32(9)), k.f32(-9));
        for (let i = 0; i < 80; i++) {
          const pick = () => live[next(live.length)];
          const kind = next(4);
          if (kind === 0) live.push(small(k.fma(pick(), pick(), pick())));
          else if (kind === 1) live.push(k.select(k.compare('lt', pick(), pick()), pick(), pick()));
          else live.push(small(k.binary((['add', 'sub', 'mul', 'max'] as const)[next(4)], pick(), pick())));
        }
        return live.reduce((x, y) => k.binary('add', x, y));
      };
      for (const lanes of allLanes.slice(2)) {
        const kernel = elementwise(lanes, 'f32', 'f32', body);
        expect(disagreement(kernel, [...buffers, zeros('f32', SIZE)]), `seed ${seed}`).toBeNull();
      }
    }
  });
});
