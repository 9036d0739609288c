/**
 * Elements of one and two bytes in kernel IR: every bit pattern, and floats around every rounding boundary, on each code generator
 * and through legalisation, against the interpreter; the interpreter's roundings are checked against the formats in dtype.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { legalize } from '../../src/codegen/shared/legalize.ts';
import { runWasm } from '../../src/codegen/wasm/testing.ts';
import { KernelBuilder } from '../../src/kernel/builder.ts';
import { arrayOf, interpretKernel } from '../../src/kernel/interpreter.ts';
import type { Elem, Kernel, Reg } from '../../src/kernel/ir.ts';
import { constant, plus, registerOf, variable } from '../../src/kernel/ir.ts';
import { verifyKernel } from '../../src/kernel/verifier.ts';
import type { TypedArray } from '../../src/types/dtype.ts';
import { bfloat16Number, float16Number } from '../../src/types/half.ts';
import { allLanes, reason, runNative } from '../x64/harness.ts';

type Small = 'u8' | 'i8' | 'u16' | 'f16' | 'bf16';
const smalls: Small[] = ['u8', 'i8', 'u16', 'f16', 'bf16'];
const none = { flops: 0, bytes: 0 };

type Run = (kernel: Kernel, buffers: readonly TypedArray[]) => readonly TypedArray[];

const interpreted: Run = (kernel, buffers) => {
  const copies = buffers.map((buffer) => buffer.slice());
  interpretKernel(kernel, copies);
  return copies;
};

const targets: { name: string; lanes: readonly number[]; run: Run }[] = [
  {
    name: 'legalised',
    lanes: [4],
    run: (kernel, buffers) => {
      const legal = legalize(kernel, {
        native: new Set(['and', 'or', 'add', 'sub', 'mul', 'shl', 'shr', 'sar', 'abs'] as const),
      });
      verifyKernel(legal);
      return interpreted(legal, buffers);
    },
  },
  { name: 'wasm', lanes: [4, 2, 1], run: (kernel, buffers) => runWasm(kernel, buffers).buffers },
  ...(reason === null
    ? [
        {
          name: 'x64',
          lanes: allLanes,
          run: (kernel: Kernel, buffers: readonly TypedArray[]) => runNative(kernel, buffers),
        },
      ]
    : []),
];

/** Bits as numbers, so that any NaN is as good as another. */
function numbers(elem: Elem, array: TypedArray): number[] {
  const number = elem === 'f16' ? float16Number : elem === 'bf16' ? bfloat16Number : (x: number) => x;
  return Array.from(array, number);
}

function expectSame(kernel: Kernel, buffers: readonly TypedArray[], run: Run): void {
  const [actual, expected] = [run(kernel, buffers), interpreted(kernel, buffers)];
  for (const [i, { elem, name }] of kernel.params.entries()) {
    const [a, b] = [numbers(elem, actual[i]), numbers(elem, expected[i])];
    const at = b.findIndex((x, k) => !Object.is(x, a[k]));
    if (at >= 0) expect([name, at, a[at]]).toEqual([name, at, b[at]]);
  }
}

/** out[i] = emit(in[i]). */
function elementwise(
  lanes: number,
  from: Elem,
  to: Elem,
  size: number,
  emit: (b: KernelBuilder, x: Reg) => Reg,
): Kernel {
  const b = new KernelBuilder(lanes);
  const source = b.param('in', from, size, 'read');
  const out = b.param('out', to, size, 'write');
  b.region('r', 1, () => {
    b.loop('i', 0, size, (i) => b.store(out, variable(i), 1, lanes, emit(b, b.load(source, variable(i), 1, lanes))), {
      step: lanes,
    });
  });
  return b.build('elementwise', none);
}

/** Floats at, between and beside neighbours of both formats, all sizes, and what is special. */
function floats(): Float32Array {
  const bits: number[] = [
    0, 0x7f800000, 0x7fc00000, 0x7f800001, 0x7f80ffff, 0x7fffffff, 0x7f7fffff, 0x00000001, 0x477fefff, 0x477ff000,
  ];
  for (let high = 0; high < 0x8000; high += 131) {
    for (const low of [0, 1, 0x0fff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x7fff, 0x8000, 0x8001, 0xf000, 0xffff])
      bits.push((high << 16) | low);
  }
  while (bits.length % 16 > 0) bits.push(0);
  return new Float32Array(new Uint32Array([...bits, ...bits.map((word) => (word | 0x80000000) >>> 0)]).buffer);
}

describe.each(targets)('$name', ({ lanes: choices, run }) => {
  it.each(smalls)('reads every pattern of %s', (elem) => {
    const size = elem === 'u8' || elem === 'i8' ? 256 : elem === 'u16' ? 4096 : 65536;
    const all = new arrayOf[elem](size).map((_, i) => i);
    const wide = registerOf[elem] as 'f32' | 'i32';
    for (const lanes of choices) {
      expectSame(
        elementwise(lanes, elem, wide, size, (_, x) => x),
        [all, new arrayOf[wide](size)],
        run,
      );
      expectSame(
        elementwise(lanes, elem, elem, size, (_, x) => x),
        [all, new arrayOf[elem](size)],
        run,
      );
    }
  });

  it.each([
    ['toF16', 'f16'],
    ['toBf16', 'bf16'],
  ] as const)('%s rounds to the nearest, and is stored', (fn, elem) => {
    const values = floats();
    const size = values.length;
    for (const lanes of choices) {
      expectSame(
        elementwise(lanes, 'f32', 'f32', size, (b, x) => b.unary(fn, x)),
        [values, new Float32Array(size)],
        run,
      );
      expectSame(
        elementwise(lanes, 'f32', elem, size, (b, x) => b.unary(fn, x)),
        [values, new Uint16Array(size)],
        run,
      );
    }
  });

  it.each(['u8', 'i8', 'u16'] as const)('stores the low bits as %s', (elem) => {
    const values = Int32Array.from({ length: 1024 }, (_, i) => Math.imul(i, 0x9e3779b1));
    for (const lanes of choices) {
      expectSame(
        elementwise(lanes, 'i32', elem, 1024, (_, x) => x),
        [values, new arrayOf[elem](1024)],
        run,
      );
    }
  });

  it.each(smalls)('%s in every stride and number of lanes, and nothing beside it', (elem) => {
    const size = 96;
    const source = new arrayOf[elem](size).map((_, i) => i * 1237);
    const wide = registerOf[elem] as 'f32' | 'i32';
    for (const lanes of choices) {
      for (const active of new Set([1, 3, lanes >> 1, lanes - 1, lanes].filter((n) => n >= 1 && n <= lanes))) {
        for (const stride of [0, 1, 5]) {
          const b = new KernelBuilder(lanes);
          const from = b.param('in', elem, size, 'read');
          const out = b.param('out', elem, size, 'write');
          const whole = b.param('whole', wide, 16, 'write');
          b.region('r', 1, () => {
            const at = plus(constant(size - 1 - (active - 1) * stride), constant(0));
            const x = b.load(from, at, stride, active);
            b.store(whole, constant(0), 1, lanes, x);
            const step = stride === 0 ? 1 : stride;
            b.store(out, constant(size - 1 - (active - 1) * step), step, active, x);
          });
          expectSame(b.build('strides', none), [source, new arrayOf[elem](size), new arrayOf[wide](16)], run);
        }
      }
    }
  });

  it.each(smalls)('%s at an index from data', (elem) => {
    const source = new arrayOf[elem](40).map((_, i) => i * 911);
    const indices = Int32Array.from([3, 9, 0, 7]);
    for (const lanes of choices) {
      const b = new KernelBuilder(lanes);
      const from = b.param('in', elem, 40, 'read');
      const places = b.param('places', 'i32', 4, 'read');
      const out = b.param('out', elem, 64, 'write');
      b.region('r', 4, (v) => {
        const index = b.guard(b.load(places, variable(v), 0, 1), 10, 0);
        const few = Math.min(lanes, 4);
        b.store(out, variable(v, 16), 1, few, b.load(from, constant(0), 1, few, { index, scale: 4 }));
      });
      expectSame(b.build('indexed', none), [source, indices, new arrayOf[elem](64)], run);
    }
  });
});
