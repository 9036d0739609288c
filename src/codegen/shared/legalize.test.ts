import { describe, expect, it } from 'vitest';
import { KernelBuilder } from '../../kernel/builder.ts';
import { interpretKernel } from '../../kernel/interpreter.ts';
import { constant, type Kernel, type Node, plus, type Reg, variable, zero } from '../../kernel/ir.ts';
import { printKernel } from '../../kernel/printer.ts';
import { verifyKernel } from '../../kernel/verifier.ts';
import { eliminateDeadCode, operands } from './deadcode.ts';
import { legalize } from './legalize.ts';
import { compute, full, kernelOf, minimal } from './measure.ts';

describe('decompositions without rounding', () => {
  const floats = Float32Array.from(
    [
      ...[0, 0.3, 0.5, 0.7, 1, 1.5, 2.5, 3.49, 8388607.5, 8388608, 16777217, 2147483520, 2147483648, 1e30, Infinity],
      ...[2 ** -149, 2 ** -126, 65535.5, 65536, 123456789, NaN],
    ].flatMap((x) => [x, -x]),
  );
  const integers = Int32Array.from(
    [0, 1, 2, 255, 65535, 65536, 16777217, 2147483647, 33554433, 1234567891].flatMap((x) => [x, -x, x - 2147483648]),
  );

  const onFloats: [string, (b: KernelBuilder, x: Reg) => Reg][] = [
    ...(['neg', 'abs', 'floor', 'ceil', 'round'] as const).map((fn): [string, (b: KernelBuilder, x: Reg) => Reg] => [
      fn,
      (b, x) => b.unary(fn, x),
    ]),
    ...(['min', 'max'] as const).map((fn): [string, (b: KernelBuilder, x: Reg) => Reg] => [
      fn,
      (b, x) => b.binary(fn, x, b.f32(0)),
    ]),
    ['f32ToI32', (b, x) => b.convert('f32ToI32', x)],
    ['not of a mask', (b, x) => b.select(b.unary('not', b.compare('lt', x, b.f32(1))), x, b.f32(7))],
    ['maskToI32', (b, x) => b.convert('maskToI32', b.compare('lt', x, b.f32(1)))],
  ];
  it.each(onFloats)('%s of f32 is what the interpreter says, bit for bit', (_, emit) => {
    expectSameBits(emit, floats);
  });

  const onIntegers: [string, (b: KernelBuilder, x: Reg) => Reg][] = [
    ...(['neg', 'abs', 'not'] as const).map((fn): [string, (b: KernelBuilder, x: Reg) => Reg] => [
      fn,
      (b, x) => b.unary(fn, x),
    ]),
    ['min', (b, x) => b.binary('min', x, b.i32(5))],
    ['max', (b, x) => b.binary('max', b.i32(5), x)],
    ['i32ToF32', (b, x) => b.convert('i32ToF32', x)],
    ['i32ToMask', (b, x) => b.select(b.convert('i32ToMask', x), x, b.i32(7))],
  ];
  it.each(onIntegers)('%s of i32 is what the interpreter says, bit for bit', (_, emit) => {
    expectSameBits(emit, integers);
  });

  function expectSameBits(emit: (b: KernelBuilder, x: Reg) => Reg, x: Float32Array | Int32Array): void {
    const kernel = kernelOf(emit, [x]);
    const legal = legalize(kernel, minimal);
    verifyKernel(legal);
    expect(legal).not.toBe(kernel);
    const bits = (array: Float32Array | Int32Array): Int32Array => new Int32Array(array.buffer.slice(0));
    expect(bits(compute(legal, [x]))).toEqual(bits(compute(kernel, [x])));
  }

  it.each(['exp', 'log', 'sin', 'cos', 'tanh', 'erf'] as const)('%s is the same from fewer instructions', (fn) => {
    const kernel = kernelOf((b, x) => b.unary(fn, x), [floats]);
    expect(compute(legalize(kernel, minimal), [floats])).toEqual(compute(legalize(kernel, full), [floats]));
  });

  it('pow is the same from fewer instructions', () => {
    const x = Float32Array.from(Array.from(floats).flatMap((a) => Array.from(floats, () => a)));
    const y = Float32Array.from(Array.from(floats).flatMap(() => Array.from(floats)));
    const kernel = kernelOf((b, p, q) => b.binary('pow', p, q), [x, y]);
    expect(compute(legalize(kernel, minimal), [x, y])).toEqual(compute(legalize(kernel, full), [x, y]));
  });
});

describe('legalize', () => {
  /** A loop nest with accumulators, a guard, a dynamic address, several regions and `fn` in the innermost block. */
  function nest(fn: 'exp' | 'neg'): Kernel {
    const b = new KernelBuilder(4);
    const ids = b.param('ids', 'i32', 5, 'read');
    const table = b.param('table', 'f32', 28, 'read');
    const out = b.param('out', 'f32', 24, 'write');
    b.region('row', 5, (row) => {
      const sum = b.acc(b.f32(0));
      const id = b.guard(b.load(ids, variable(row), 0, 1), 7, 3);
      b.loop('k', [zero, plus(variable(row), constant(-3))], 3, (k) => {
        const x = b.load(table, variable(k), 1, 1, { index: id, scale: 4 });
        b.fmaAcc(sum, b.unary(fn, x), b.f32(0.5));
        b.set(sum, b.binary('add', sum, b.convert('i32ToF32', b.index(variable(k, 2), 1))));
      });
      b.store(out, variable(row, 4), 1, 4, sum);
    });
    b.region('end', 1, () => b.store(out, constant(23), -1, 4, b.unary(fn, b.f32(1))));
    return b.build('nest', { flops: 7, bytes: 9 });
  }

  it('keeps everything around a function', () => {
    const run = (kernel: Kernel): unknown => {
      const out = new Float32Array(24);
      const errors: { site: number; index: number }[] = [];
      const table = Float32Array.from({ length: 28 }, (_, i) => i / 16);
      interpretKernel(kernel, [Int32Array.of(0, 6, 3, 9, -1), table, out], errors);
      return { out: Array.from(out, (x) => x.toPrecision(5)), errors };
    };
    const legal = legalize(nest('exp'), full);
    verifyKernel(legal);
    expect(run(legal)).toEqual(run(nest('exp')));
    expect(legal).toMatchObject({ name: 'nest', flops: 7, bytes: 9, params: nest('exp').params, lanes: 4 });
  });

  it('returns the kernel itself where the target has everything', () => {
    const kernel = nest('neg');
    expect(legalize(kernel, full)).toBe(kernel);
  });

  it('changes no instruction but those that are missing', () => {
    const legal = printKernel(legalize(nest('neg'), { native: without('neg') }));
    expect(legal).toContain('xor.i32');
    expect(legal.replace(/ *%\d+ = (f32|i32|xor|bits).*\n/g, '').split('\n').length).toBeGreaterThan(12);
  });

  it('leaves nothing that is not native, and no dead code', () => {
    for (const caps of [full, minimal]) {
      for (const fn of ['exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'pow'] as const) {
        const x = new Float32Array(8);
        const kernel = legalize(
          kernelOf((b, a, c) => (fn === 'pow' ? b.binary(fn, a, c) : b.unary(fn, a)), [x, x]),
          caps,
        );
        verifyKernel(kernel);
        const used = new Set<Reg>();
        const nodes = kernel.regions.flatMap((region) => flatten(region.body));
        for (const node of nodes) for (const reg of operands(node)) used.add(reg);
        for (const node of nodes) {
          if ('fn' in node && node.op !== 'compare') expect([...caps.native]).toContain(node.fn);
          if ('out' in node) expect(used, `${fn}: ${node.op}`).toContain(node.out);
        }
      }
    }
  });

  function without(fn: 'neg') {
    return new Set([...full.native].filter((other) => other !== fn));
  }
});

type Instruction = Exclude<Node, { op: 'loop' }>;

function flatten(nodes: readonly Node[]): Instruction[] {
  return nodes.flatMap((node) => (node.op === 'loop' ? flatten(node.body) : [node]));
}

describe('eliminateDeadCode', () => {
  it('drops what only feeds itself, and loops left empty, but keeps guards and the number of regions', () => {
    const b = new KernelBuilder(4);
    const a = b.param('a', 'i32', 8, 'read');
    const out = b.param('out', 'f32', 4, 'write');
    b.region('r', 1, () => {
      const unused = b.acc(b.f32(1));
      const sum = b.acc(b.f32(2));
      b.loop('i', 0, 8, (i) =>
        b.set(unused, b.binary('add', unused, b.convert('i32ToF32', b.load(a, variable(i), 0, 1)))),
      );
      b.loop('j', 0, 8, (j) => {
        b.guard(b.load(a, variable(j), 0, 1), 3, 0);
        b.fmaAcc(sum, sum, sum);
      });
      b.store(out, zero, 1, 4, sum);
    });
    b.region('s', 1, () => {
      b.f32(3);
    });
    expect(printKernel(eliminateDeadCode(b.build('dead', { flops: 0, bytes: 0 })))).toBe(
      `
kernel dead: 4 lanes, 0 flops, 0 bytes
  read a: i32[8]
  write out: f32[4]
region r in 0..1
  %0 = f32 2
  %1 = acc %0
  for j in 0..8
    %2 = load a[j] all
    %3 = guard %2 < 3 site 0
    %1 += %1 * %1
  store out[0] x4 = %1
region s in 0..1`.slice(1),
    );
  });
});
