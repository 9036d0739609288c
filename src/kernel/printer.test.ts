import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KernelBuilder } from './builder.ts';
import { type Affine, constant, type Kernel, type Node, plus, shift, variable, zero } from './ir.ts';
import { kernelKey, printKernel, printProgram } from './printer.ts';
import { verifyKernel } from './verifier.ts';

interface Variant {
  readonly name?: string;
  readonly value?: number;
  readonly coef?: number;
  readonly extra?: boolean;
  readonly size?: number;
}

/** A little of everything; `extra` shifts register numbers by an instruction in an earlier region. */
function sample({ name = 'sample', value = 0.5, coef = 64, extra = false, size = 4096 }: Variant = {}): Kernel {
  const b = new KernelBuilder(8);
  const a = b.param('A', 'f32', size, 'read');
  const ids = b.param('ids', 'i32', 64, 'read');
  const out = b.param('out', 'f32', 64, 'write');
  if (extra) {
    b.region('i', 0, () => {
      b.f32(3);
    });
  }
  b.region('i', 32, (i) => {
    const sum = b.acc(b.f32(0));
    const row = b.guard(b.load(ids, variable(i), 0, 1), 7, 2);
    b.loop(
      'k',
      [zero, shift(variable(i), -3)],
      64,
      (k) => {
        const x = b.load(a, plus(shift(variable(i, coef), 3), variable(k)), 1, 8, { index: row, scale: 64 });
        const y = b.load(a, plus(variable(k), constant(1)), -2, 3);
        b.fmaAcc(sum, x, b.select(b.compare('lt', x, b.f32(value)), x, y));
      },
      { step: 8 },
    );
    const total = b.reduceLanes('add', sum, 8);
    b.store(out, plus(variable(i), constant(31)), 1, 1, b.unary('neg', total));
    b.each('i', 3, (v) => b.set(sum, b.convert('i32ToF32', b.index(v, 2))));
  });
  return b.build(name, { flops: 10, bytes: 20 });
}

describe('printKernel', () => {
  it('reads like a loop nest', () => {
    expect(printKernel(sample())).toBe(
      `
kernel sample: 8 lanes, 10 flops, 20 bytes
  read A: f32[4096]
  read ids: i32[64]
  write out: f32[64]
region i in 0..32
  %0 = f32 0
  %1 = acc %0
  %2 = load ids[i] all
  %3 = guard %2 < 7 site 2
  for k in max(0, -3 + i)..64 by 8
    %4 = load A[3 + 64*i + k + 64*%3] x8
    %5 = load A[1 + k] x3 by -2
    %6 = f32 0.5
    %7 = lt %4, %6
    %8 = select %7 ? %4 : %5
    %1 += %4 * %8
  %9 = reduce add %1 x8
  %10 = neg %9
  store out[31 + i] x1 = %10
  for i_1 in 0..3
    %11 = index i_1 + 2*lane
    %12 = i32ToF32 %11
    %1 := %12`.slice(1),
    );
  });

  it('numbers registers by definition, not by their ids', () => {
    expect(printKernel(sample({ extra: true }))).toBe(printKernel(sample()));
  });

  it('prints what is broken', () => {
    const broken: Kernel = {
      ...sample(),
      regions: [
        {
          v: { id: 0, name: 'i' },
          extent: 1,
          body: [
            { op: 'set', acc: 5, value: 6 },
            { op: 'store', buf: 9, at: variable({ id: 4, name: 'q' }), stride: 1, lanes: 1, value: 0 },
          ],
        },
      ],
    };
    expect(printKernel(broken)).toContain('%?5 := %?6\n  store ?param9[?q] x1 = %?0');
  });
});

describe('docs/kernel-ir.md', () => {
  it('shows what the printer writes', () => {
    const b = new KernelBuilder(8);
    const x = b.param('x', 'f32', 120, 'read');
    const w = b.param('w', 'f32', 200, 'read');
    const bias = b.param('bias', 'f32', 20, 'read');
    const out = b.param('out', 'f32', 240, 'write');
    b.region('row', 6, (row) => {
      const floor = b.f32(0);
      const tile = (col: Affine, lanes: number): void => {
        const start = b.load(bias, col, 1, lanes);
        const sums = [b.acc(start), b.acc(start)];
        b.loop('k', 0, 10, (k) => {
          const vector = b.load(w, plus(variable(k, 20), col), 1, lanes);
          sums.forEach((sum, r) => {
            b.fmaAcc(sum, b.load(x, plus(shift(variable(row, 20), 10 * r), variable(k)), 0, 1), vector);
          });
        });
        sums.forEach((sum, r) => {
          b.store(out, plus(shift(variable(row, 40), 20 * r), col), 1, lanes, b.binary('max', sum, floor));
        });
      };
      b.loop('col', 0, 16, (col) => tile(variable(col), 8), { step: 8 });
      tile(constant(16), 4);
    });
    const kernel = b.build('dense', { flops: 2 * 12 * 10 * 20, bytes: 4 * (120 + 200 + 20 + 240) });
    verifyKernel(kernel);
    const page = readFileSync(new URL('../../docs/kernel-ir.md', import.meta.url), 'utf8');
    expect(page).toContain(`\`\`\`\n${printKernel(kernel)}\n\`\`\``);
  });
});

describe('kernelKey', () => {
  it('does not see names, numbering or reported work', () => {
    expect(kernelKey(sample({ name: 'other', extra: true }))).toBe(kernelKey(sample()));
    expect(kernelKey({ ...sample(), flops: 3 })).toBe(kernelKey(sample()));
  });

  it('sees everything else', () => {
    const keys = [
      sample(),
      sample({ value: 0.25 }),
      sample({ value: -0 }),
      sample({ value: 0 }),
      sample({ coef: 63 }),
      sample({ coef: 100000 }),
      sample({ size: 4097 }),
      { ...sample(), lanes: 4 },
      { ...sample(), params: sample().params.map((param) => ({ ...param, access: 'readwrite' as const })) },
      ...everyInstructionChanged(sample()),
    ].map(kernelKey);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('takes about a microsecond an instruction', () => {
    const b = new KernelBuilder(8);
    const a = b.param('A', 'f32', 1 << 20, 'readwrite');
    b.region('i', 4, (i) => {
      let x = b.f32(1);
      for (let n = 0; n < 10_000; n++) x = b.fma(x, b.load(a, shift(variable(i, 1000), n), 1, 8), x);
      b.store(a, zero, 1, 8, x);
    });
    const kernel = b.build('long', { flops: 0, bytes: 0 });
    kernelKey(kernel);
    const start = process.cpuUsage();
    kernelKey(kernel);
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 20_000).toBeLessThan(20); // of 20,000 instructions; measured: 1 to 3
  });
});

/** The kernel once for each top-level instruction, without it. */
function everyInstructionChanged(kernel: Kernel): Kernel[] {
  const [region] = kernel.regions;
  return region.body.map((node: Node) => ({
    ...kernel,
    regions: [{ ...region, body: region.body.filter((other) => other !== node) }],
  }));
}

describe('printProgram', () => {
  it('shows buffers, stages and steps', () => {
    const text = printProgram({
      name: 'net',
      kernels: [sample()],
      buffers: [
        { elem: 'f32', size: 4096, kind: 'input', offset: 0 },
        { elem: 'i32', size: 64, kind: 'constant', offset: 64, data: new Int32Array(64) },
        { elem: 'f32', size: 64, kind: 'output', offset: 0, alias: 0 },
      ],
      inputs: [0],
      outputs: [2],
      steps: [{ kernel: 0, args: [0, 1, 2], stage: 0 }],
      arenaBytes: 320,
      sites: [{ op: 'gather', what: 'index', bound: 7 }],
    });
    expect(text).toBe(
      `
program net: 1 kernels, 1 steps, arena 320 bytes
  b0: input f32[4096] #0
  b1: constant i32[64] at 64..320
  b2: output f32[64] #0 in place of b0
stage 0
  step 0: sample(b0, b1, >b2)
site 0: gather index < 7`.slice(1),
    );
  });

  it('shows loops and what moves with them', () => {
    const text = printProgram({
      name: 'net',
      kernels: [sample()],
      buffers: [
        { elem: 'f32', size: 4096, kind: 'input', offset: 0 },
        { elem: 'i32', size: 64, kind: 'temp', offset: 0 },
        { elem: 'f32', size: 640, kind: 'output', offset: 0 },
        { elem: 'f32', size: 64, kind: 'window', offset: 64, window: { of: 2, strides: [{ loop: 0, bytes: 256 }] } },
      ],
      inputs: [0],
      outputs: [2],
      steps: [{ kernel: 0, args: [0, 1, 3], stage: 0 }],
      loops: [{ first: 0, end: 1, count: 9, flag: 1 }],
      arenaBytes: 256,
      sites: [],
    });
    expect(text).toBe(
      `
program net: 1 kernels, 1 steps, arena 256 bytes
  b0: input f32[4096] #0
  b1: temp i32[64] at 0..256
  b2: output f32[640] #0
  b3: window f32[64] of b2 at 64 + 256*loop0
loop0: 9 times, while b1
stage 0
  step 0: sample(b0, b1, >b3)
end of loop0`.slice(1),
    );
  });
});
