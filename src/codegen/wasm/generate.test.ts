import { describe, expect, it } from 'vitest';
import { KernelBuilder } from '../../kernel/builder.ts';
import type {
  Affine,
  BinaryFn,
  CompareFn,
  ConvertFn,
  Elem,
  Kernel,
  LoopVar,
  ReduceFn,
  Reg,
  UnaryFn,
} from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable, zero } from '../../kernel/ir.ts';
import type { TypedArray } from '../../types/dtype.ts';
import { runInterpreter, runWasm } from './testing.ts';

const none = { flops: 0, bytes: 0 };
const MIN = -(2 ** 31);
const MAX = 2 ** 31 - 1;
const floats = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -2.5,
  3e9,
  -3e9,
  1e-40,
  -1e-45,
  3.4e38,
  NaN,
  Infinity,
  -Infinity,
  7.25,
  -0.3,
];
const integers = [0, 1, -1, 2, -2, 7, -7, 3, 100, -100, MIN, MAX, MIN + 1, 65536, -65537, 5, 12345678, -9];

/** Every pair of values, in two arrays whose length is a multiple of four. */
function pairs(values: readonly number[], make: (list: number[]) => TypedArray): [TypedArray, TypedArray] {
  const a: number[] = [];
  const b: number[] = [];
  for (const x of values) for (const y of values) a.push(x) && b.push(y);
  while (a.length % 4 > 0) a.push(1) && b.push(1);
  return [make(a), make(b)];
}
const f32 = (list: number[]): TypedArray => Float32Array.from(list);
const i32 = (list: number[]): TypedArray => Int32Array.from(list);

function elemOf(array: TypedArray): Elem {
  return array instanceof Float32Array ? 'f32' : array instanceof Int32Array ? 'i32' : 'u8';
}

/** Bit for bit, but any NaN is as good as another. */
function same(a: TypedArray, b: TypedArray): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}

function check(kernel: Kernel, buffers: readonly TypedArray[]): void {
  const expected = runInterpreter(kernel, buffers);
  for (let last = 0; last < buffers.length; last++) {
    const actual = runWasm(kernel, buffers, last);
    actual.buffers.forEach((buffer, i) => {
      if (!same(buffer, expected.buffers[i])) expect(buffer).toEqual(expected.buffers[i]);
    });
    expect(actual.error).toEqual(expected.error);
  }
}

/** out[i] = emit(inputs at i), a vector at a time. */
function elementwise(
  inputs: readonly TypedArray[],
  out: TypedArray,
  emit: (b: KernelBuilder, args: Reg[]) => Reg,
): void {
  const b = new KernelBuilder(4);
  const bufs = inputs.map((input, i) => b.param(`in${i}`, elemOf(input), input.length, 'read'));
  const result = b.param('out', elemOf(out), out.length, 'write');
  b.region('r', 1, () => {
    b.loop(
      'i',
      0,
      out.length,
      (i) => {
        const args = bufs.map((buf) => b.load(buf, variable(i), 1, 4));
        b.store(result, variable(i), 1, 4, emit(b, args));
      },
      { step: 4 },
    );
  });
  check(b.build('elementwise', none), [...inputs, out]);
}

describe('functions of lanes', () => {
  const [fa, fb] = pairs(floats, f32);
  const [ia, ib] = pairs(integers, i32);
  const fout = new Float32Array(fa.length);
  const iout = new Int32Array(ia.length);

  it.each<UnaryFn>(['neg', 'abs', 'floor', 'ceil', 'round', 'sqrt'])('f32 %s', (fn) => {
    elementwise([fa], fout, (b, [x]) => b.unary(fn, x));
  });
  it.each<UnaryFn>(['neg', 'abs', 'not'])('i32 %s', (fn) => elementwise([ia], iout, (b, [x]) => b.unary(fn, x)));
  it.each<BinaryFn>(['add', 'sub', 'mul', 'div', 'min', 'max'])('f32 %s', (fn) => {
    elementwise([fa, fb], fout, (b, [x, y]) => b.binary(fn, x, y));
  });
  it.each<BinaryFn>(['add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'and', 'or', 'xor'])('i32 %s', (fn) => {
    elementwise([ia, ib], iout, (b, [x, y]) => b.binary(fn, x, y));
  });
  it.each<BinaryFn>(['div', 'mod'])('i32 %s by constants', (fn) => {
    for (const divisor of [1, 2, 3, 4, 7, 10, 64, 1000, 2 ** 30, MAX, 0, -1, -3, -4, MIN])
      elementwise([ia], iout, (b, [x]) => b.binary(fn, x, b.i32(divisor)));
  });
  it.each<BinaryFn>(['shl', 'shr', 'sar'])('i32 %s', (fn) => {
    for (const count of [0, 1, 5, 31]) elementwise([ia], iout, (b, [x]) => b.binary(fn, x, b.i32(count)));
  });
  it.each<CompareFn>(['eq', 'ne', 'lt', 'le', 'gt', 'ge'])('compare %s, mask functions, select', (fn) => {
    elementwise([fa, fb], iout, (b, [x, y]) => b.convert('maskToI32', b.compare(fn, x, y)));
    elementwise([ia, ib], iout, (b, [x, y]) => b.convert('maskToI32', b.compare(fn, x, y)));
    elementwise([fa, fb], fout, (b, [x, y]) => {
      const mask = b.binary('xor', b.compare(fn, x, y), b.unary('not', b.compare('lt', x, b.f32(1))));
      return b.select(b.binary('or', mask, b.compare('eq', y, y)), x, y);
    });
    elementwise([ia, ib], iout, (b, [x, y]) => {
      const mask = b.select(b.compare(fn, x, y), b.compare('gt', x, b.i32(3)), b.convert('i32ToMask', y));
      return b.select(b.binary('and', mask, mask), x, y);
    });
  });
  it('fma, twice rounded without relaxed SIMD', () => {
    elementwise([fa, fb], fout, (b, [x, y]) => b.fma(x, y, b.binary('add', x, b.f32(0.1))));
  });
  it.each<ConvertFn>(['i32ToF32', 'bitsToF32'])('%s', (fn) => {
    elementwise([ia], fout, (b, [x]) => b.convert(fn, x));
  });
  it.each<ConvertFn>(['f32ToI32', 'bitsToI32'])('%s', (fn) => {
    elementwise([Float32Array.from(fa).map((v) => (Number.isNaN(v) && fn === 'bitsToI32' ? 0 : v))], iout, (b, [x]) =>
      b.convert(fn, x),
    );
  });
});

describe('across lanes', () => {
  it.each<ReduceFn>(['add', 'mul', 'min', 'max'])('reduce %s', (fn) => {
    for (let lanes = 1; lanes <= 4; lanes++) {
      const f = f32([0.1, -0, NaN, 3, -0, 0, 1, NaN, 1e8, 1, -1e8, 2, 5, 4, 3, 2]);
      elementwise([f], new Float32Array(16), (b, [x]) => b.reduceLanes(fn, x, lanes));
      elementwise([i32(integers.slice(0, 16))], new Int32Array(16), (b, [x]) => b.reduceLanes(fn, x, lanes));
    }
  });

  it('exchange of blocks', () => {
    const [x, y] = [f32([...Array(16).keys()]), f32([...Array(16).keys()].map((i) => i + 100))];
    for (const size of [1, 2]) {
      for (const odd of [false, true]) {
        elementwise([x, y], new Float32Array(16), (b, [p, q]) => b.exchange(p, q, size, odd));
      }
    }
  });

  it('index', () => {
    const b = new KernelBuilder(4);
    const out = b.param('out', 'i32', 3 * 5 * 4, 'write');
    b.region('r', 3, (r) =>
      b.loop('i', 0, 5, (i) => {
        const at = plus(times(variable(r), 20), times(variable(i), 4));
        b.store(out, at, 1, 4, b.index(shift(plus(times(variable(i), -3), variable(r)), 7), 11));
      }),
    );
    check(b.build('index', none), [new Int32Array(60)]);
  });
});

describe('memory', () => {
  for (const elem of ['f32', 'i32', 'u8'] as const) {
    it(`${elem}: every count of lanes and stride, up to the last byte`, () => {
      for (let lanes = 1; lanes <= 4; lanes++) {
        for (const stride of [-2, -1, 0, 1, 2, 3]) {
          const size = 1 + Math.abs(stride) * (lanes - 1) + 2;
          const start = stride < 0 ? size - 1 : 2;
          const kind = { f32: Float32Array, i32: Int32Array, u8: Uint8Array }[elem];
          const input = new kind(size).map((_, i) => i * 31 + 100);
          const b = new KernelBuilder(4);
          const a = b.param('a', elem, size, 'read');
          const whole = b.param('whole', elem === 'f32' ? 'f32' : 'i32', 4, 'write');
          const out = b.param('out', elem, size, 'write');
          b.region('r', 1, () => {
            const value = b.load(a, constant(start), stride, lanes);
            b.store(whole, zero, 1, 4, value);
            if (stride !== 0 || lanes === 1) b.store(out, constant(start), stride, lanes, value);
          });
          const sized = elem === 'f32' ? new Float32Array(4) : new Int32Array(4);
          check(b.build('partial', none), [input, sized, new kind(size)]);
        }
      }
    });
  }

  it('reads before a store stay before it', () => {
    const b = new KernelBuilder(4);
    const x = b.param('x', 'f32', 8, 'readwrite');
    b.region('r', 1, () => {
      const low = b.load(x, constant(0), 1, 4);
      const high = b.load(x, constant(4), 1, 4);
      const sum = b.binary('add', low, b.f32(1));
      b.store(x, constant(4), 1, 4, sum);
      b.store(x, constant(0), 1, 4, b.binary('mul', high, b.f32(2)));
    });
    check(b.build('order', none), [f32([1, 2, 3, 4, 5, 6, 7, 8])]);
  });

  it('reads of an accumulator stay before it changes', () => {
    const b = new KernelBuilder(4);
    const x = b.param('x', 'f32', 8, 'readwrite');
    b.region('r', 1, () => {
      const a = b.acc(b.load(x, zero, 1, 4));
      b.loop('i', 0, 5, () => {
        const before = b.binary('add', a, b.f32(1));
        b.set(a, b.binary('mul', a, b.f32(0.5)));
        b.fmaAcc(a, before, b.f32(3));
      });
      b.store(x, constant(4), 1, 4, a);
    });
    check(b.build('accumulator', none), [f32([1, 2, 3, 4, 5, 6, 7, 8])]);
  });
});

describe('loops', () => {
  it('run from the largest lower to the smallest upper bound, also not at all', () => {
    const b = new KernelBuilder(4);
    const out = b.param('out', 'i32', 6 * 9, 'readwrite');
    b.region('r', 6, (r) => {
      const row = variable(r);
      const count = b.acc(b.i32(0));
      b.loop(
        'i',
        [constant(1), shift(times(row, 2), -3)],
        [constant(9), shift(times(row, -1), 8), shift(times(row, 3), 1)],
        (i) => {
          b.store(out, plus(times(row, 9), variable(i)), 1, 1, b.index(plus(times(row, 100), variable(i))));
          b.set(count, b.binary('add', count, b.i32(1)));
        },
      );
      b.store(out, times(row, 9), 1, 1, count);
    });
    check(b.build('bounds', none), [new Int32Array(54).fill(-5)]);
  });

  it('address below a buffer that lies at the start of memory while a window is clipped', () => {
    // A 3 x 3 box sum over a 5 x 7 image with padding: the pointer of the clipped rows starts outside.
    const b = new KernelBuilder(4);
    const x = b.param('x', 'f32', 35, 'read');
    const y = b.param('y', 'f32', 35, 'write');
    b.region('row', 5, (r) =>
      b.loop('column', 0, 7, (c) => {
        const sum = b.acc(b.f32(0));
        b.loop('ky', [zero, shift(times(variable(r), -1), 1)], [constant(3), shift(times(variable(r), -1), 6)], (ky) =>
          b.loop(
            'kx',
            [zero, shift(times(variable(c), -1), 1)],
            [constant(3), shift(times(variable(c), -1), 8)],
            (kx) => {
              const at = shift(plus(times(plus(variable(r), variable(ky)), 7), plus(variable(c), variable(kx))), -8);
              b.set(sum, b.binary('add', sum, b.load(x, at, 1, 1)));
            },
          ),
        );
        b.store(y, plus(times(variable(r), 7), variable(c)), 1, 1, sum);
      }),
    );
    check(b.build('box', none), [new Float32Array(35).map((_, i) => i + 0.5), new Float32Array(35)]);
  });

  it.each([1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17])('unrolled with a tail: %i iterations', (n) => {
    const b = new KernelBuilder(4);
    const x = b.param('x', 'f32', n * 3 + 4, 'read');
    const y = b.param('y', 'f32', 4, 'write');
    b.region('r', 1, () => {
      const sum = b.acc(b.f32(0));
      b.loop(
        'i',
        0,
        n * 3,
        (i) => {
          const at = b.convert('i32ToF32', b.index(variable(i)));
          b.fmaAcc(sum, b.load(x, variable(i), 1, 4), b.binary('add', at, b.f32(0.5)));
        },
        { step: 3 },
      );
      b.store(y, zero, 1, 4, sum);
    });
    check(b.build('unrolled', none), [new Float32Array(n * 3 + 4).map((_, i) => i / 7), new Float32Array(4)]);
  });

  it('unrolled with bounds that depend on another loop, upwards and downwards', () => {
    for (const n of [1, 3, 31, 40, 41, 47, 64, 65]) {
      const b = new KernelBuilder(4);
      const x = b.param('x', 'f32', n + 8, 'read');
      const y = b.param('y', 'f32', 64, 'readwrite');
      b.region('r', 1, () => {
        const sum = b.acc(b.f32(0));
        b.loop('block', 0, Math.ceil(n / 20), (k) => {
          b.loop(
            'i',
            [variable(k, 20)],
            [variable(k, 20), constant(n)].map((hi, i) => (i ? hi : shift(hi, 20))),
            (i) => {
              b.set(sum, b.binary('add', sum, b.load(x, variable(i), 1, 4)));
              b.fmaAcc(sum, b.load(x, shift(variable(i, -1), n - 1), 0, 4), b.f32(0.5));
            },
          );
          b.store(y, variable(k, 4), 1, 4, sum);
        });
      });
      check(b.build('blocks', none), [new Float32Array(n + 8).map((_, i) => i / 7), new Float32Array(64)]);
    }
  });

  it('register tiles with ragged edges', () => {
    for (const [m, n, k] of [
      [5, 8, 7],
      [6, 9, 5],
      [11, 19, 3],
    ]) {
      const b = new KernelBuilder(4);
      const A = b.param('a', 'f32', m * k, 'read');
      const B = b.param('b', 'f32', k * n, 'read');
      const C = b.param('c', 'f32', m * n, 'write');
      const tile = (row: Affine, rows: number, column: Affine, columns: number): void => {
        const vectors = Math.ceil(columns / 4);
        const width = (v: number): number => Math.min(4, columns - v * 4);
        const acc = Array.from({ length: rows * vectors }, () => b.acc(b.f32(0)));
        b.loop('k', 0, k, (kv) => {
          const right = Array.from({ length: vectors }, (_, v) =>
            b.load(B, plus(variable(kv, n), shift(column, v * 4)), 1, width(v)),
          );
          for (let r = 0; r < rows; r++) {
            const left = b.load(A, plus(variable(kv), times(shift(row, r), k)), 0, 4);
            for (let v = 0; v < vectors; v++) b.fmaAcc(acc[r * vectors + v], left, right[v]);
          }
        });
        for (let r = 0; r < rows; r++)
          for (let v = 0; v < vectors; v++)
            b.store(C, plus(times(shift(row, r), n), shift(column, v * 4)), 1, width(v), acc[r * vectors + v]);
      };
      const bands = (row: Affine, rows: number): void => {
        b.loop('n', 0, Math.floor(n / 8) * 8, (c) => tile(row, rows, variable(c), 8), { step: 8 });
        if (n % 8 > 0) tile(row, rows, constant(Math.floor(n / 8) * 8), n % 8);
      };
      b.region('m', Math.floor(m / 5), (r) => bands(times(variable(r), 5), 5));
      if (m % 5 > 0) b.region('rest', 1, () => bands(constant(Math.floor(m / 5) * 5), m % 5));
      const fill = (size: number): Float32Array => new Float32Array(size).map((_, i) => Math.sin(i * 1.7));
      check(b.build('tile', none), [fill(m * k), fill(k * n), new Float32Array(m * n)]);
    }
  });
});

describe('guards', () => {
  const gather = (indices: number[], used: boolean): void => {
    const b = new KernelBuilder(4);
    const rows = b.param('rows', 'f32', 4 * 6, 'read');
    const ids = b.param('ids', 'i32', indices.length, 'read');
    const out = b.param('out', 'f32', indices.length * 6, 'write');
    const seen = b.param('seen', 'i32', indices.length, 'write');
    b.region('r', indices.length, (r) => {
      const id = b.guard(b.load(ids, variable(r), 1, 1), 4, 8);
      if (used) b.store(seen, variable(r), 1, 1, b.binary('add', id, b.i32(1)));
      b.loop('i', 0, 6, (i) => {
        const value = b.load(rows, variable(i), 1, 1, { index: id, scale: 6 });
        b.store(out, plus(times(variable(r), 6), variable(i)), 1, 1, value);
      });
    });
    const table = new Float32Array(24).map((_, i) => i + 1);
    check(b.build('gather', none), [
      table,
      i32(indices),
      new Float32Array(indices.length * 6),
      new Int32Array(indices.length),
    ]);
  };
  it('pass what is inside', () => gather([3, 0, 2, 2, 1], false));
  it('record what is outside and go on with 0', () => {
    gather([3, 4, 1], false);
    gather([3, -1, 1], true);
    gather([MIN], true);
    gather([MAX, 1], true);
  });
  it('scatter through a computed index', () => {
    const b = new KernelBuilder(4);
    const ids = b.param('ids', 'i32', 4, 'read');
    const out = b.param('out', 'u8', 40, 'readwrite');
    b.region('r', 1, () =>
      b.loop('i', 0, 4, (i) => {
        const doubled = b.binary('mul', b.binary('add', b.load(ids, variable(i), 1, 1), b.i32(1)), b.i32(2));
        const id = b.guard(doubled, 10, 0);
        b.store(out, constant(1), 1, 3, b.index(variable(i), 5), { index: id, scale: 4 });
      }),
    );
    check(b.build('scatter', none), [i32([0, 3, 1, 2]), new Uint8Array(40)]);
  });
});

/** Random loop nests with random accesses that are known to be inside, and random arithmetic. */
function randomKernel(seed: number): { kernel: Kernel; buffers: TypedArray[] } {
  let state = seed;
  const next = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const SIZE = 400;
  const b = new KernelBuilder(4);
  const source = [
    b.param('f', 'f32', SIZE, 'read'),
    b.param('i', 'i32', SIZE, 'read'),
    b.param('u', 'u8', SIZE, 'read'),
  ];
  const target = [
    b.param('fo', 'f32', SIZE, 'readwrite'),
    b.param('io', 'i32', SIZE, 'readwrite'),
    b.param('uo', 'u8', SIZE, 'readwrite'),
  ];
  const address = (vars: readonly LoopVar[], spread: number): Affine => {
    let at = constant(spread < 0 ? -spread + next(40) : next(40));
    for (const v of vars) if (next(3) > 0) at = plus(at, times(variable(v), 1 + next(5)));
    return at;
  };
  const block = (vars: readonly LoopVar[], depth: number, inherited: readonly Reg[], accs: readonly Reg[]): void => {
    const known = inherited.slice();
    const open = accs.slice();
    const pick = (type: 'f32' | 'i32'): Reg => {
      const fitting = known.filter((reg) => b.typeOf(reg) === type);
      return fitting.length > 0 && next(5) > 0
        ? fitting[next(fitting.length)]
        : type === 'f32'
          ? b.f32(next(9) / 4)
          : b.i32(next(9));
    };
    for (let i = 3 + next(8); i > 0; i--) {
      const what = next(11);
      if (what < 3) {
        const lanes = 1 + next(4);
        const stride = next(4) - 1;
        known.push(b.load([...source, ...target][next(6)], address(vars, stride * (lanes - 1)), stride, lanes));
      } else if (what < 5) {
        const type = next(2) ? 'f32' : 'i32';
        known.push(b.binary((['add', 'sub', 'min', 'max'] as const)[next(4)], pick(type), pick(type)));
      } else if (what === 5) known.push(b.select(b.compare('lt', pick('i32'), pick('i32')), pick('f32'), pick('f32')));
      else if (what === 6) known.push(b.index(address(vars, 0), next(4)));
      else if (what === 7) {
        const acc = b.acc(pick('f32'));
        open.push(acc);
        known.push(acc);
      } else if (what === 8 && open.length > 0) {
        const acc = open[next(open.length)];
        if (next(2)) b.fmaAcc(acc, pick('f32'), b.f32(0.25));
        else b.set(acc, pick('f32'));
      } else if (what === 9 && depth < 3) {
        const lo = [constant(next(3)), ...(next(2) && vars.length > 0 ? [shift(variable(vars[0], 2), -3)] : [])];
        const hi = [constant(next(7)), ...(next(2) && vars.length > 0 ? [variable(vars[vars.length - 1], 2)] : [])];
        b.loop(`v${depth}`, lo, hi, (v) => block([...vars, v], depth + 1, known, open), { step: 1 + next(2) });
      } else {
        const out = next(3);
        const lanes = 1 + next(4);
        const stride = lanes === 1 ? 1 : 1 + next(2);
        b.store(target[out], address(vars, 0), stride, lanes, pick(out === 0 ? 'f32' : 'i32'));
      }
    }
  };
  b.region('r', 2, (v) => block([v], 0, [], []));
  b.region('s', 1, (v) => block([v], 0, [], []));
  const random = (): number => next(2000) / 100 - 10;
  const buffers = [
    new Float32Array(SIZE).map(random),
    new Int32Array(SIZE).map(random),
    new Uint8Array(SIZE).map(() => next(256)),
    new Float32Array(SIZE).map(random),
    new Int32Array(SIZE).map(random),
    new Uint8Array(SIZE).map(() => next(256)),
  ];
  return { kernel: b.build(`random ${seed}`, none), buffers };
}

describe('random kernels', () => {
  it('do what the interpreter does', () => {
    for (let seed = 1; seed <= 150; seed++) {
      const { kernel, buffers } = randomKernel(seed * 7919);
      try {
        check(kernel, buffers);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
});
