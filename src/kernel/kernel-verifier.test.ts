import { describe, expect, it } from 'vitest';
import { InternalError } from '../base/errors.ts';
import { KernelBuilder } from './builder.ts';
import {
  type Affine,
  constant,
  type Instr,
  type Kernel,
  type Loop,
  type LoopVar,
  type Node,
  type Param,
  plus,
  shift,
  times,
  variable,
  zero,
} from './ir.ts';
import { verifyKernel } from './verifier.ts';

const none = { flops: 0, bytes: 0 };
const i: LoopVar = { id: 0, name: 'i' };
const j: LoopVar = { id: 1, name: 'j' };

/** One region of 4 chunks over the nodes; params 0: f32 read, 1: f32 write, 2: i32 readwrite, 3: u8 read; 32 elements each. */
function kernelOf(body: Node[], over: Partial<Kernel> = {}): Kernel {
  const param = (name: string, elem: Param['elem'], access: Param['access']) => ({ name, elem, size: 32, access });
  return {
    name: 'test',
    params: [
      param('a', 'f32', 'read'),
      param('out', 'f32', 'write'),
      param('ints', 'i32', 'readwrite'),
      param('bytes', 'u8', 'read'),
    ],
    regions: [{ v: i, extent: 4, body }],
    lanes: 8,
    ...none,
    ...over,
  };
}

// Instructions to put together; f is an f32, n an i32, m a mask register.
const f: Instr = { op: 'const', out: 0, type: 'f32', value: 1 };
const n: Instr = { op: 'const', out: 1, type: 'i32', value: 3 };
const m: Instr = { op: 'compare', out: 2, type: 'mask', fn: 'lt', of: 'f32', a: 0, b: 0 };
const acc: Instr = { op: 'acc', out: 3, type: 'f32', init: 0 };
const guard: Instr = { op: 'guard', out: 4, type: 'i32', index: 1, bound: 4, site: 0 };
const base = [f, n, m, acc, guard];

const load = (over: Partial<Extract<Instr, { op: 'load' }>> = {}): Instr => ({
  op: 'load',
  out: 9,
  type: 'f32',
  buf: 0,
  at: zero,
  stride: 1,
  lanes: 8,
  ...over,
});
const store = (over: Partial<Extract<Instr, { op: 'store' }>> = {}): Instr => ({
  op: 'store',
  buf: 1,
  at: zero,
  stride: 1,
  lanes: 8,
  value: 0,
  ...over,
});
const unary = (over: Partial<Extract<Instr, { op: 'unary' }>>): Instr => ({
  op: 'unary',
  out: 9,
  type: 'f32',
  fn: 'neg',
  a: 0,
  ...over,
});
const binary = (over: Partial<Extract<Instr, { op: 'binary' }>>): Instr => ({
  op: 'binary',
  out: 9,
  type: 'f32',
  fn: 'add',
  a: 0,
  b: 0,
  ...over,
});
const loop = (body: Node[], over: Partial<Loop> = {}): Loop => ({
  op: 'loop',
  v: j,
  lo: [zero],
  hi: [constant(4)],
  step: 1,
  body,
  ...over,
});

const good: [string, Node[]][] = [
  ['arithmetic', [...base, unary({}), binary({ out: 10, b: 9 })]],
  [
    'bits',
    [...base, unary({ type: 'mask', fn: 'not', a: 2 }), binary({ out: 10, type: 'i32', fn: 'shl', a: 1, b: 1 })],
  ],
  [
    'an accumulator set inside',
    [
      ...base,
      loop([
        { op: 'set', acc: 3, value: 0 },
        { op: 'fmaAcc', acc: 3, a: 0, b: 3 },
      ]),
    ],
  ],
  ['a load of each type', [load(), load({ out: 10, buf: 2, type: 'i32' }), load({ out: 11, buf: 3, type: 'i32' })]],
  ['a load with stride 0', [load({ at: variable(i, 10), stride: 0 })]],
  [
    'a load to the last element',
    [load({ at: variable(i, 8) }), load({ out: 10, at: constant(31), stride: -4, lanes: 8 })],
  ],
  [
    'a dynamic address',
    [
      ...base,
      load({ at: zero, dyn: { index: 4, scale: 8 } }),
      load({ out: 10, at: constant(24), dyn: { index: 4, scale: -8 } }),
    ],
  ],
  ['reading back what was written', [...base, store(), load({ buf: 1 })]],
  ['a loop that never runs', [loop([load({ at: constant(900) })], { lo: [constant(4)] })]],
  ['a bound that needs an outer one', [loop([load({ at: variable(j), lanes: 1 })], { hi: [variable(i, 8)] })]],
];

const bad: [string, Node[], RegExp][] = [
  ['an unknown register', [unary({ a: 5 })], /register 5 is not defined here; in '%0 = neg %\?5'/],
  ['a register out of its loop', [f, loop([load()]), unary({ out: 10, a: 9 })], /register 9 is out of scope/],
  ['a register defined twice', [f, f], /defined once/],
  ['an operand of another type', [...base, unary({ a: 1 })], /register 1 is i32, and f32 is needed/],
  ['neg of a mask', [...base, unary({ type: 'mask', a: 2 })], /does not give mask/],
  ['exp of an integer', [...base, unary({ type: 'i32', fn: 'exp', a: 1 })], /does not give i32/],
  ['not of an f32', [...base, unary({ fn: 'not' })], /does not give f32/],
  ['mod of f32', [...base, binary({ fn: 'mod' })], /does not give f32/],
  ['and of f32', [...base, binary({ fn: 'and' })], /does not give f32/],
  ['add of masks', [...base, binary({ type: 'mask', a: 2, b: 2 })], /does not give mask/],
  [
    'a shift by a variable count',
    [...base, binary({ type: 'i32', fn: 'shl', a: 1, b: 4 })],
    /shift count is a constant/,
  ],
  ['a shift by 32', [{ ...n, value: 32 } as Instr, binary({ type: 'i32', fn: 'sar', a: 1, b: 1 })], /shift count/],
  [
    'a compare of two types',
    [...base, { op: 'compare', out: 9, type: 'mask', fn: 'eq', of: 'f32', a: 0, b: 1 }],
    /f32 is needed/,
  ],
  ['a select without a mask', [...base, { op: 'select', out: 9, type: 'f32', mask: 1, a: 0, b: 0 }], /mask is needed/],
  ['a select of two types', [...base, { op: 'select', out: 9, type: 'f32', mask: 2, a: 0, b: 1 }], /f32 is needed/],
  ['fma of integers', [...base, { op: 'fma', out: 9, type: 'f32', a: 0, b: 1, c: 0 }], /f32 is needed/],
  [
    'a conversion from another type',
    [...base, { op: 'convert', out: 9, type: 'f32', fn: 'i32ToF32', a: 0 }],
    /i32 is needed/,
  ],
  [
    'a conversion to another type',
    [...base, { op: 'convert', out: 9, type: 'f32', fn: 'f32ToI32', a: 0 }],
    /does not give f32/,
  ],
  [
    'reduce of a mask',
    [...base, { op: 'reduce', out: 9, type: 'mask' as never, fn: 'add', a: 2, lanes: 8 }],
    /does not give mask/,
  ],
  [
    'exchange of blocks that fill the register',
    [...base, { op: 'exchange', out: 9, type: 'f32', a: 0, b: 0, size: 8, odd: false }],
    /a power of two below 8/,
  ],
  [
    'reduce of too many lanes',
    [...base, { op: 'reduce', out: 9, type: 'f32', fn: 'add', a: 0, lanes: 9 }],
    /lanes must be in 1..8/,
  ],
  ['an accumulator of another type', [...base, { op: 'acc', out: 9, type: 'f32', init: 1 }], /f32 is needed/],
  ['set of what is no accumulator', [...base, { op: 'set', acc: 0, value: 0 }], /no accumulator/],
  ['set to another type', [...base, { op: 'set', acc: 3, value: 1 }], /f32 is needed/],
  [
    'fmaAcc into integers',
    [...base, { op: 'acc', out: 9, type: 'i32', init: 1 }, { op: 'fmaAcc', acc: 9, a: 0, b: 0 }],
    /accumulator of floats/,
  ],
  ['fmaAcc of integers', [...base, { op: 'fmaAcc', acc: 3, a: 1, b: 0 }], /f32 is needed/],
  ['an f32 constant that is none', [{ ...f, value: 0.1 } as Instr], /0.1 is no f32/],
  ['an i32 constant that is none', [{ ...n, value: 1.5 } as Instr], /1.5 is no i32/],
  ['a guard of f32', [...base, { op: 'guard', out: 9, type: 'i32', index: 0, bound: 4, site: 0 }], /i32 is needed/],
  ['a guard without a bound', [...base, { ...guard, out: 9, bound: 0 } as Instr], /at least 1/],
  ['a guard without a site', [...base, { ...guard, out: 9, site: -1 } as Instr], /site is -1/],
  ['index as f32', [{ op: 'index', out: 9, type: 'f32' as never, at: zero, laneStep: 1 }], /does not give f32/],
  ['an unknown param', [load({ buf: 4 })], /there is no param 4/],
  ['a load of another type', [load({ buf: 2 })], /i32 is loaded as i32/],
  ['a store of another type', [...base, store({ value: 1 })], /f32 is needed/],
  ['a store to what is read', [f, store({ buf: 0 })], /a may only be read/],
  ['a load of what is only written', [load({ buf: 1 })], /nothing here writes it/],
  ['a store of all lanes to one place', [f, store({ stride: 0 })], /stride 0 has one lane/],
  ['too many lanes', [load({ lanes: 16 })], /lanes must be in 1..8, not 16/],
  ['no lanes', [load({ lanes: 0 })], /lanes must be in 1..8, not 0/],
  ['a dynamic index without a guard', [...base, load({ dyn: { index: 1, scale: 1 } })], /result of a guard/],
  ['a fractional scale', [...base, load({ dyn: { index: 4, scale: 0.5 } })], /scale is 0.5/],
  [
    'an address behind the end',
    [load({ at: variable(i, 9) })],
    /a has 32 elements, and all that is proven is 0 <= element <= 34; in '%0 = load a\[9\*i\] x8'/,
  ],
  ['an address before the start', [load({ at: constant(6), stride: -1 })], /-1 <= element <= 6/],
  [
    'a dynamic address behind the end',
    [...base, load({ at: constant(1), dyn: { index: 4, scale: 8 } })],
    /1 <= element <= 32/,
  ],
  [
    'a dynamic address before the start',
    [...base, load({ at: constant(23), dyn: { index: 4, scale: -8 } })],
    /-1 <= element/,
  ],
  ['a splat behind the end', [load({ at: constant(32), stride: 0 })], /32 <= element <= 32/],
  ['a store behind the end', [f, store({ at: constant(25) })], /25 <= element <= 32/],
  ['an address through a bound', [loop([load({ at: variable(j) })], { hi: [variable(i, 9)] })], /0 <= element <= 33/],
  ['a variable out of scope', [loop([f]), load({ at: variable(j) })], /loop variable j is not in scope/],
  ['a bound over an unknown variable', [loop([], { hi: [variable(j)] })], /loop variable j is not in scope/],
  ['a variable declared twice', [loop([]), loop([])], /j \(1\) is declared twice/],
  ['a loop without bounds', [loop([], { lo: [] })], /at least one bound/],
  ['a loop that does not advance', [loop([], { step: 0 })], /positive integer, not 0/],
  ['a fractional offset', [load({ at: constant(0.5) })], /offset is 0.5/],
  ['a fractional stride', [load({ stride: 0.5 })], /stride is 0.5/],
  ['a term with coefficient 0', [load({ at: { offset: 0, terms: [{ v: i, coef: 0 }] } })], /coefficient of i is 0/],
  [
    'a variable in two terms',
    [
      load({
        at: {
          offset: 0,
          terms: [
            { v: i, coef: 1 },
            { v: i, coef: -1 },
          ],
        },
      }),
    ],
    /i stands in two terms/,
  ],
];

describe('verifyKernel', () => {
  it.each(good)('accepts %s', (_, body) => {
    verifyKernel(kernelOf(body));
  });

  it.each(bad)('refuses %s', (_, body, message) => {
    expect(() => verifyKernel(kernelOf(body))).toThrow(InternalError);
    expect(() => verifyKernel(kernelOf(body))).toThrow(message);
  });

  it('refuses lanes that are no power of two, and bad extents and sizes', () => {
    expect(() => verifyKernel(kernelOf([], { lanes: 6 }))).toThrow(/power of two/);
    expect(() => verifyKernel(kernelOf([], { regions: [{ v: i, extent: 1.5, body: [] }] }))).toThrow(/extent 1.5/);
    const params: Param[] = [{ name: 'a', elem: 'f32', size: -1, access: 'read' }];
    expect(() => verifyKernel(kernelOf([], { params }))).toThrow(/size -1/);
  });

  it('keeps regions apart', () => {
    const regions = [
      { v: i, extent: 4, body: [f] },
      { v: j, extent: 4, body: [unary({})] },
    ];
    expect(() => verifyKernel(kernelOf([], { regions }))).toThrow(/out of scope/);
  });

  it('proves the gradient of a convolution for its input, with both sides clipped', () => {
    const at = (size: number): Kernel => {
      const b = new KernelBuilder(8);
      const dy = b.param('dy', 'f32', size * 64, 'read');
      const w = b.param('w', 'f32', 3 * 64, 'read');
      const dx = b.param('dx', 'f32', 13 * 64, 'write');
      b.region('ih', 13, (ih) => {
        b.each('c', 8, (c) => {
          const sum = b.acc(b.f32(0));
          const lane = times(c, 8);
          b.loop('kh', [zero, shift(variable(ih), -10)], [constant(3), shift(variable(ih), 1)], (kh) => {
            const row: Affine = plus(variable(ih, 64), variable(kh, -64));
            b.fmaAcc(sum, b.load(dy, plus(row, lane), 1, 8), b.load(w, plus(variable(kh, 64), lane), 1, 8));
          });
          b.store(dx, plus(variable(ih, 64), lane), 1, 8, sum);
        });
      });
      return b.build('convInputGradient', none);
    };
    verifyKernel(at(11));
    expect(() => verifyKernel(at(10))).toThrow(/dy has 640 elements/);
  });

  it('proves 100 kernels of 300 instructions in time', () => {
    const kernels = Array.from({ length: 101 }, (_, k) => longKernel(k));
    verifyKernel(kernels.pop()!);
    const start = process.cpuUsage();
    for (const kernel of kernels) verifyKernel(kernel);
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1000).toBeLessThan(250); // measured: 30 to 100 ms
  });
});

function longKernel(k: number): Kernel {
  const b = new KernelBuilder(8);
  const a = b.param('a', 'f32', 64 * 64 * 64 + 300 * 8, 'read');
  const out = b.param('out', 'f32', 64 * 64 * 64, 'write');
  b.region('i', 64, (x) => {
    b.loop('j', 0, 64, (y) => {
      b.loop(
        'c',
        [zero],
        [constant(64), shift(variable(y), 60)],
        (z) => {
          const at = plus(plus(variable(x, 4096), variable(y, 64)), variable(z));
          let sum = b.f32(k);
          for (let t = 0; t < 150; t++) sum = b.fma(sum, b.load(a, shift(at, t * 8), 1, 8), sum);
          b.store(out, at, 1, 8, sum);
        },
        { step: 8 },
      );
    });
  });
  return b.build(`long${k}`, none);
}
