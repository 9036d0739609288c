/**
 * Kernels that hold 64-bit lanes, for the suites of the code generators: every function, conversion, comparison, access and
 * movement across lanes, beside registers of 32 bits and masks in the same kernel.
 */
import { KernelBuilder } from '../src/kernel/builder.ts';
import type {
  BinaryFn,
  CompareFn,
  ConvertFn,
  Elem,
  Kernel,
  NumberType,
  ReduceFn,
  Reg,
  UnaryFn,
} from '../src/kernel/ir.ts';
import { convertTypes, plus, variable } from '../src/kernel/ir.ts';
import { arrayOf, type Memory } from '../src/kernel/interpreter.ts';

export interface WideCase {
  readonly name: string;
  readonly kernel: Kernel;
  readonly buffers: readonly Memory[];
}

const none = { flops: 0, bytes: 0 };
const SIZE = 96;

const floats = [
  ...[0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 7.25, -0.3, NaN, Infinity, -Infinity, 2 ** -1074, -(2 ** -1030)],
  ...[1e300, -1e308, 2 ** 31 - 0.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 52 + 1, 2 ** 53 - 1, 2 ** 62, 2 ** 63, -(2 ** 63)],
  ...[-(2 ** 63) - 2048, 2 ** 63 - 1024, 4294967297.5, -123456789012.75, 3.4028235677973366e38, 1e-40],
];
const most = 2n ** 63n - 1n;
const longs = [
  ...[0n, 1n, -1n, 2n, -2n, 3n, 7n, -7n, 10n, -10n, most, -most, -most - 1n, most - 1n, 2n ** 31n, -(2n ** 31n)],
  ...[2n ** 32n, 2n ** 32n + 5n, -(2n ** 32n) - 1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 62n, -(2n ** 62n) + 3n],
  ...[0x1234_5678_9abc_def0n, -0x0fed_cba9_8765_4321n, 1_000_000_007n, 6_700_417n, 2n ** 60n + 511n, 2n ** 60n + 513n],
];

function generator(seed: number): (n: number) => number {
  let state = seed | 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * n);
  };
}

/** Special values and ordinary ones. */
export function dataOf(elem: Elem, size: number, seed: number): Memory {
  const next = generator(seed);
  const array: Memory = new arrayOf[elem](size);
  for (let i = 0; i < size; i++) {
    const special = next(3) > 0;
    if (array instanceof BigInt64Array) {
      array[i] = special ? longs[next(longs.length)] : BigInt(next(2 ** 30) - 2 ** 29) * BigInt(next(2 ** 31));
    } else if (elem === 'f64' || elem === 'f32') {
      array[i] = special ? floats[next(floats.length)] : (next(2 ** 30) - 2 ** 29) / (1 + next(4096));
    } else {
      array[i] = special ? Number(BigInt.asIntN(32, longs[next(longs.length)])) : next(2 ** 32) - 2 ** 31;
    }
  }
  return array;
}

type Body = (b: KernelBuilder, args: readonly Reg[]) => Reg;

/** out[i] = body(a[i], ...), a vector at a time. */
function elementwise(name: string, lanes: number, from: readonly Elem[], to: Elem, body: Body): WideCase {
  const b = new KernelBuilder(lanes);
  const params = from.map((elem, i) => b.param(`a${i}`, elem, SIZE, 'read'));
  const out = b.param('out', to, SIZE, 'write');
  b.region('chunk', 3, (chunk) => {
    b.loop('i', 0, SIZE / 3 / lanes, (i) => {
      const at = plus(variable(chunk, SIZE / 3), variable(i, lanes));
      const args = params.map((param) => b.load(param, at, 1, lanes));
      b.store(out, at, 1, lanes, body(b, args));
    });
  });
  const buffers = [...from.map((elem, i) => dataOf(elem, SIZE, 31 * lanes + 7 * i + name.length)), dataOf(to, SIZE, 1)];
  return { name: `${name} x${lanes}`, kernel: b.build(name, none), buffers };
}

const unaries: readonly (readonly [UnaryFn, 'f64' | 'i64'])[] = [
  ...(['neg', 'abs', 'floor', 'ceil', 'round', 'sqrt'] as const).map((fn) => [fn, 'f64'] as const),
  ...(['neg', 'abs', 'not'] as const).map((fn) => [fn, 'i64'] as const),
];
const binaries: readonly (readonly [BinaryFn, 'f64' | 'i64'])[] = [
  ...(['add', 'sub', 'mul', 'div', 'min', 'max'] as const).map((fn) => [fn, 'f64'] as const),
  ...(['add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'and', 'or', 'xor'] as const).map((fn) => [fn, 'i64'] as const),
];
const compares: readonly CompareFn[] = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'];
const types: readonly NumberType[] = ['f32', 'i32', 'f64', 'i64'];
const isOfWide = (fn: ConvertFn): boolean => /64/.test(convertTypes[fn].from + convertTypes[fn].to);

export function functionCases(lanes: number): WideCase[] {
  const constantOf = (b: KernelBuilder, type: NumberType): Reg => b.constant(type, -3);
  return [
    ...unaries.map(([fn, t]) => elementwise(`${fn}.${t}`, lanes, [t], t, (b, [x]) => b.unary(fn, x))),
    ...binaries.flatMap(([fn, t]) => [
      elementwise(`${fn}.${t}`, lanes, [t, t], t, (b, [x, y]) => b.binary(fn, x, y)),
      elementwise(`${fn}.${t} of itself`, lanes, [t], t, (b, [x]) => b.binary(fn, x, x)),
      elementwise(`${fn}.${t} by a constant`, lanes, [t], t, (b, [x]) => b.binary(fn, x, constantOf(b, t))),
      elementwise(`${fn}.${t} of a constant`, lanes, [t], t, (b, [x]) => b.binary(fn, constantOf(b, t), x)),
    ]),
    ...(['shl', 'shr', 'sar'] as const).flatMap((fn) =>
      [0n, 1n, 31n, 32n, 63n].map((count) =>
        elementwise(`${fn} by ${count}`, lanes, ['i64'], 'i64', (b, [x]) => b.binary(fn, x, b.i64(count))),
      ),
    ),
  ];
}

export function conversionCases(lanes: number): WideCase[] {
  const converts = (Object.keys(convertTypes) as ConvertFn[]).filter(isOfWide);
  return [
    ...converts.map((fn) => {
      const { from, to } = convertTypes[fn] as { from: NumberType; to: NumberType };
      return elementwise(fn, lanes, [from], to, (b, [x]) => b.convert(fn, x));
    }),
    // Functions of 32-bit lanes in a kernel of 64-bit ones.
    elementwise('i32 beside i64', lanes, ['i32', 'i32', 'i64'], 'i64', (b, [x, y, z]) => {
      const narrow = b.binary('mod', b.binary('div', b.binary('mul', x, b.i32(-5)), y), b.i32(7));
      return b.binary('add', b.convert('i32ToI64', b.unary('neg', narrow)), z);
    }),
    elementwise('f32 beside f64', lanes, ['f32', 'f64'], 'f64', (b, [x, y]) => {
      const narrow = b.unary('floor', b.binary('mul', b.convert('f64ToF32', y), x));
      return b.convert('f32ToF64', b.convert('i32ToF32', b.convert('f32ToI32', narrow)));
    }),
  ];
}

/** Masks made of one type of lanes, used on another, stored as bytes, combined. */
export function maskCases(lanes: number): WideCase[] {
  const compared = types.flatMap((of) =>
    compares.map((fn) =>
      elementwise(`${fn}.${of} to bytes`, lanes, [of, of, 'f64'], 'u8', (b, [x, y]) =>
        b.convert('maskToI32', b.compare(fn, x, y)),
      ),
    ),
  );
  const selected = types.flatMap((of) =>
    types.flatMap((t) => [
      elementwise(`select ${t} by ${of}`, lanes, [of, of, t, t, 'i64'], t, (b, [x, y, p, q]) =>
        b.select(b.compare('lt', x, y), p, q),
      ),
      elementwise(`select ${t} or zero by ${of}`, lanes, [of, of, t, 'i64'], t, (b, [x, y, p]) =>
        b.select(b.compare('ge', x, y), p, b.constant(t, 0)),
      ),
      elementwise(`select zero or ${t} by ${of}`, lanes, [of, of, t, 'i64'], t, (b, [x, y, p]) =>
        b.select(b.compare('ne', x, y), b.constant(t, 0), p),
      ),
    ]),
  );
  const combined = elementwise('masks combined', lanes, ['u8', 'f64', 'f32', 'i64'], 'i64', (b, [byte, d, f, q]) => {
    const first = b.binary('and', b.convert('i32ToMask', byte), b.compare('gt', d, b.f64(0)));
    const second = b.binary('xor', b.unary('not', first), b.compare('lt', f, b.f32(1)));
    const third = b.select(second, first, b.binary('or', first, second));
    return b.select(third, q, b.convert('i32ToI64', b.convert('maskToI32', second)));
  });
  const accumulated = elementwise('a mask in an accumulator', lanes, ['f64', 'f32'], 'f32', (b, [d, f]) => {
    const acc = b.acc(b.compare('gt', d, b.f64(1)));
    b.loop('twice', 0, 2, () => b.set(acc, b.unary('not', acc)));
    b.set(acc, b.binary('or', acc, b.compare('le', f, b.f32(0))));
    return b.select(acc, f, b.f32(-7));
  });
  return [...compared, ...selected, combined, accumulated];
}

/** Every stride and number of lanes of every element, in a kernel of 64-bit lanes. */
export function accessCases(lanes: number): WideCase[] {
  const elems: readonly Elem[] = ['f64', 'i64', 'f32', 'i32', 'u8'];
  return elems.flatMap((elem) =>
    [1, 0, 2, 3, -1, -2].map((stride): WideCase => {
      const b = new KernelBuilder(lanes);
      const size = 4 * lanes + 8;
      const from = b.param('from', elem, size, 'read');
      const wide = b.param('wide', 'f64', size, 'read');
      const outs = Array.from({ length: lanes }, (_, l) => b.param(`out${l}`, elem, size, 'write'));
      const whole = b.param('whole', elem, lanes * lanes, 'write');
      b.region('all', 1, () => {
        for (let count = 1; count <= lanes; count++) {
          const start = stride < 0 ? -stride * (count - 1) : 1;
          const loaded = b.load(from, { offset: start, terms: [] }, stride, count);
          b.load(wide, { offset: 0, terms: [] }, 1, 1);
          const by = stride === 0 ? 1 : stride;
          const to = by < 0 ? -by * (count - 1) : 2;
          b.store(outs[count - 1], { offset: to, terms: [] }, by, count, loaded);
          // What lies beyond the active lanes is 0.
          b.store(whole, { offset: lanes * (count - 1), terms: [] }, 1, lanes, loaded);
        }
      });
      const data = [dataOf(elem, size, 5 + stride), dataOf('f64', size, 3)];
      const results = outs.map((_, l) => dataOf(elem, size, 40 + l));
      const buffers = [...data, ...results, dataOf(elem, lanes * lanes, 2)];
      return { name: `${elem} by ${stride} x${lanes}`, kernel: b.build('access', none), buffers };
    }),
  );
}

export function laneCases(lanes: number): WideCase[] {
  const cases: WideCase[] = [];
  const fns: readonly ReduceFn[] = ['add', 'mul', 'min', 'max'];
  for (const type of types) {
    for (const fn of fns) {
      for (let count = 1; count <= lanes; count++) {
        cases.push(
          elementwise(`reduce ${fn}.${type} of ${count}`, lanes, [type, 'f64'], type, (b, [x]) =>
            b.reduceLanes(fn, x, count),
          ),
        );
      }
    }
    for (let size = 1; size < lanes; size *= 2) {
      for (const odd of [false, true]) {
        cases.push(
          elementwise(`exchange ${type} ${size} ${odd}`, lanes, [type, type, 'i64'], type, (b, [x, y]) =>
            b.exchange(x, y, size, odd),
          ),
        );
      }
    }
  }
  for (let size = 1; size < lanes; size *= 2) {
    cases.push(
      elementwise(`exchange masks ${size}`, lanes, ['f64', 'f64'], 'f64', (b, [x, y]) => {
        const mask = b.exchange(b.compare('gt', x, y), b.compare('lt', x, b.f64(2)), size, true);
        return b.select(mask, x, y);
      }),
    );
  }
  cases.push(
    elementwise('index', lanes, ['f64'], 'i64', (b) => b.convert('i32ToI64', b.index({ offset: 5, terms: [] }, 3))),
  );
  return cases;
}
