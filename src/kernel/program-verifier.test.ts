import { describe, expect, it } from 'vitest';
import { KernelBuilder } from './builder.ts';
import { type Kernel, type Param, zero } from './ir.ts';
import type { BufferSpec, Program, Step } from './program.ts';
import { verifyProgram } from './verifier.ts';

/** x, then out: out[0..8] = x[0..8]. */
function copy(size: number, access: Param['access'] = 'write', elem: 'f32' | 'i32' = 'f32'): Kernel {
  const b = new KernelBuilder(8);
  const x = b.param('x', elem, size, 'read');
  const out = b.param('out', elem, size, access);
  b.region('r', 1, () => b.store(out, zero, 1, 8, b.load(x, zero, 1, 8)));
  return b.build('copy', { flops: 0, bytes: 0 });
}

const guarded = ((): Kernel => {
  const b = new KernelBuilder(1);
  const x = b.param('x', 'i32', 1, 'read');
  b.region('r', 1, () => {
    b.guard(b.load(x, zero, 1, 1), 5, 1);
  });
  return b.build('guarded', { flops: 0, bytes: 0 });
})();

const buffer = (kind: BufferSpec['kind'], offset = 0, over: Partial<BufferSpec> = {}): BufferSpec => ({
  elem: 'f32',
  size: 32,
  kind,
  offset,
  ...(kind === 'constant' && { data: new Float32Array(32) }),
  ...over,
});
const step = (stage: number, ...args: number[]): Step => ({ kernel: 0, args, stage });

/** input 0 -> temp 1 -> temp 2 -> output 3, with a constant 4. */
const chain: Program = {
  name: 'chain',
  kernels: [copy(32)],
  buffers: [buffer('input'), buffer('temp', 0), buffer('temp', 128), buffer('output'), buffer('constant', 256)],
  inputs: [0],
  outputs: [3],
  steps: [step(0, 0, 1), step(1, 1, 2), step(2, 2, 3)],
  arenaBytes: 384,
  sites: [],
};

function withBuffer(index: number, spec: BufferSpec): Partial<Program> {
  return { buffers: chain.buffers.map((other, i) => (i === index ? spec : other)) };
}

const accumulate: Program = {
  ...chain,
  kernels: [copy(32, 'readwrite')],
  buffers: [buffer('input'), buffer('output', 0, { alias: 0 }), buffer('temp', 0)],
  outputs: [1],
  steps: [step(0, 0, 1)],
};

/** out[t] = x[t] through a temp, for four slices. */
const looped: Program = {
  ...chain,
  buffers: [
    buffer('input', 0, { size: 128 }),
    buffer('temp', 0),
    buffer('output', 0, { size: 128 }),
    buffer('window', 0, { window: { of: 0, strides: [{ loop: 0, bytes: 128 }] } }),
    buffer('window', 384, { window: { of: 2, strides: [{ loop: 0, bytes: -128 }] } }),
    buffer('temp', 128),
    buffer('temp', 256, { elem: 'i32' }),
  ],
  inputs: [0],
  outputs: [2],
  steps: [step(0, 3, 1), step(1, 1, 4)],
  loops: [{ first: 0, end: 2, count: 4 }],
};

function withLoop(over: Partial<NonNullable<Program['loops']>[number]>): Partial<Program> {
  return { loops: [{ first: 0, end: 2, count: 4, ...over }] };
}

function withLoopBuffer(index: number, spec: BufferSpec): Program {
  return { ...looped, buffers: looped.buffers.map((other, i) => (i === index ? spec : other)) };
}

const good: [string, Program][] = [
  ['a loop over slices', looped],
  [
    'loops in loops',
    {
      ...looped,
      loops: [
        { first: 0, end: 2, count: 2 },
        { first: 0, end: 2, count: 2 },
      ],
      buffers: looped.buffers.map((spec, i) => {
        const strides = [
          { loop: 0, bytes: 256 },
          { loop: 1, bytes: 128 },
        ];
        if (i === 3) return { ...spec, window: { of: 0, strides } };
        return i === 4 ? { ...spec, offset: 0, window: { of: 2, strides } } : spec;
      }),
    },
  ],
  [
    'temps of one iteration in one place',
    {
      ...withLoopBuffer(5, buffer('temp', 128)),
      steps: [step(0, 3, 1), step(1, 1, 5), step(2, 5, 4)],
      ...withLoop({ end: 3 }),
    },
  ],
  ['a chain', chain],
  [
    'memory used again',
    {
      ...chain,
      buffers: [...chain.buffers, buffer('temp', 0)],
      steps: [...chain.steps.slice(0, 2), step(2, 2, 5), step(3, 5, 3)],
    },
  ],
  ['a larger buffer than the kernel needs', { ...chain, kernels: [copy(16)] }],
  ['steps side by side', { ...chain, steps: [step(0, 0, 1), step(0, 4, 2), step(1, 2, 3)] }],
  ['an output in place of an input', accumulate],
  [
    'a read of the input in the stage before',
    { ...accumulate, kernels: [copy(32)], steps: [step(0, 0, 2), step(1, 2, 1)] },
  ],
  ['a prologue', { ...chain, prologue: { steps: 2, inputs: [0] } }],
  ['an output that a later step reads', { ...chain, steps: [step(0, 0, 3), step(1, 3, 1)] }],
];

const bad: [string, Program, RegExp][] = [
  ['a prologue that reads another input', { ...chain, prologue: { steps: 1, inputs: [] } }, /reads buffer 0 \(input\)/],
  ['a prologue that writes an output', { ...chain, prologue: { steps: 3, inputs: [0] } }, /writes buffer 3 \(output\)/],
  ['a prologue of no steps', { ...chain, prologue: { steps: 0, inputs: [0] } }, /is not among its steps/],
  [
    'a prologue whose input is overwritten',
    { ...accumulate, kernels: [copy(32)], steps: [step(0, 0, 2), step(1, 2, 1)], prologue: { steps: 1, inputs: [0] } },
    /has an input that is overwritten/,
  ],
  [
    'a prologue within a stage',
    { ...chain, steps: [step(0, 0, 1), step(0, 4, 2), step(1, 2, 3)], prologue: { steps: 1, inputs: [0] } },
    /ends inside of a stage/,
  ],
  [
    'a prologue that is overwritten',
    {
      ...chain,
      steps: [...chain.steps.slice(0, 2), step(2, 4, 1), step(3, 2, 3)],
      prologue: { steps: 2, inputs: [0] },
    },
    /leaves buffer 1 to be written again/,
  ],
  [
    'memory of a prologue used again',
    {
      ...chain,
      buffers: [...chain.buffers, buffer('temp', 0)],
      steps: [...chain.steps.slice(0, 2), step(2, 2, 5), step(3, 5, 3)],
      prologue: { steps: 1, inputs: [0] },
    },
    /share memory/,
  ],
  ['a broken kernel', { ...chain, kernels: [copy(4)] }, /kernel copy is refused: x has 4 elements/],
  ['a guard without a site', { ...chain, kernels: [copy(32), guarded] }, /guard for site 1/],
  ['an input not named', { ...chain, inputs: [] }, /its inputs are \[\]/],
  ['an input named twice', { ...chain, inputs: [0, 0] }, /its inputs are/],
  ['an output that is none', { ...chain, outputs: [1] }, /its outputs are/],
  ['a negative size', { ...chain, ...withBuffer(1, buffer('temp', 0, { size: -1 })) }, /buffer 1 \(temp\) has size -1/],
  ['an unaligned offset', { ...chain, ...withBuffer(1, buffer('temp', 32)) }, /no multiple of 64/],
  ['a negative offset', { ...chain, ...withBuffer(1, buffer('temp', -64)) }, /starts at -64/],
  ['a buffer beyond the arena', { ...chain, ...withBuffer(1, buffer('temp', 320)) }, /beyond the arena/],
  [
    'a constant without data',
    { ...chain, ...withBuffer(4, buffer('constant', 256, { data: undefined })) },
    /holds undefined/,
  ],
  [
    'a constant of another length',
    { ...chain, ...withBuffer(4, buffer('constant', 256, { data: new Float32Array(3) })) },
    /holds 3 elements/,
  ],
  [
    'a temp that aliases',
    { ...chain, ...withBuffer(1, buffer('temp', 0, { alias: 0 })) },
    /shares storage with buffer 0/,
  ],
  [
    'an alias of no input',
    { ...chain, ...withBuffer(3, buffer('output', 0, { alias: 1 })) },
    /shares storage with buffer 1/,
  ],
  [
    'an alias of another size',
    { ...chain, ...withBuffer(3, buffer('output', 0, { alias: 0, size: 33 })) },
    /differs in type or size/,
  ],
  [
    'two aliases of one input',
    { ...accumulate, buffers: [...accumulate.buffers, buffer('output', 0, { alias: 0 })], outputs: [1, 3] },
    /second output/,
  ],
  [
    'stages out of order',
    { ...chain, steps: [step(1, 0, 1), step(0, 1, 2), step(2, 2, 3)] },
    /step 1 is not in stage order/,
  ],
  ['a kernel that does not exist', { ...chain, steps: [{ kernel: 7, args: [], stage: 0 }] }, /runs kernel 7/],
  ['too few buffers', { ...chain, steps: [step(0, 0)] }, /gives 1 buffers/],
  [
    'a buffer that does not exist',
    { ...chain, steps: [step(0, 0, 9)] },
    /given buffer 9 for out, which does not exist/,
  ],
  ['another type', { ...chain, kernels: [copy(32, 'write', 'i32')] }, /f32 for i32/],
  ['a buffer that is too small', { ...chain, kernels: [copy(33)] }, /32 elements for 33/],
  ['a write to an input', { ...chain, steps: [step(0, 4, 0)] }, /would write a buffer of kind input/],
  ['a write to a constant', { ...chain, steps: [step(0, 0, 4)] }, /would write a buffer of kind constant/],
  ['temps that overlap', { ...chain, ...withBuffer(2, buffer('temp', 64)) }, /buffers 1 and 2 share memory/],
  ['a temp over a constant', { ...chain, ...withBuffer(2, buffer('temp', 256)) }, /share memory/],
  [
    'a temp read before it is written',
    { ...chain, steps: [step(0, 1, 2), step(1, 2, 3)] },
    /buffer 1 is read in stage 0 before/,
  ],
  [
    'a temp read in the stage that writes it',
    { ...chain, steps: [step(0, 0, 1), step(0, 1, 2), step(1, 2, 3)] },
    /two steps of stage 0 touch buffer 1/,
  ],
  [
    'a temp that its first step reads',
    { ...chain, kernels: [copy(32, 'readwrite')] },
    /buffer 1 is read in stage 0 before/,
  ],
  [
    'two writes in one stage',
    { ...chain, steps: [step(0, 0, 3), step(0, 4, 3)] },
    /two steps of stage 0 touch buffer 3/,
  ],
  [
    'a write beside a read',
    { ...chain, steps: [step(0, 0, 1), step(1, 1, 3), step(1, 0, 1)] },
    /two steps of stage 1 touch buffer 1/,
  ],
  ['an output never written', { ...chain, steps: chain.steps.slice(0, 2) }, /output buffer 3 is never written/],
  [
    'an aliased input read later',
    { ...accumulate, kernels: [copy(32)], steps: [step(0, 0, 1), step(1, 0, 2)] },
    /read after buffer 1/,
  ],
  [
    'an aliased input read by another step',
    { ...accumulate, kernels: [copy(32)], steps: [step(0, 0, 2), step(0, 0, 1)] },
    /two steps of stage 0/,
  ],
];

bad.push(
  [
    'a window beyond the end',
    withLoopBuffer(3, { ...looped.buffers[3], offset: 4 }),
    /reaches from byte 4 to 516 of 512/,
  ],
  ['a window before the start', withLoopBuffer(4, { ...looped.buffers[4], offset: 256 }), /reaches from byte -128/],
  ['a loop that runs too often', { ...looped, ...withLoop({ count: 5 }) }, /reaches from byte 0 to 640/],
  ['a loop that never runs', { ...chain, loops: [{ first: 0, end: 3, count: 0 }] }, /runs 0 times/],
  ['a loop beyond the steps', { ...looped, ...withLoop({ end: 3 }) }, /has steps 0 to 3/],
  [
    'a loop that ends in a stage',
    { ...looped, steps: [step(0, 3, 1), step(0, 0, 5)], ...withLoop({ end: 1 }) },
    /inside of a stage/,
  ],
  ['a window outside of its loop', { ...looped, ...withLoop({ end: 1 }) }, /outside of the loop that moves it/],
  [
    'a window of a window',
    withLoopBuffer(4, { ...looped.buffers[4], window: { of: 3, strides: [] } }),
    /is part of buffer 3/,
  ],
  [
    'a write to a window of an input',
    { ...looped, steps: [step(0, 4, 3), step(1, 3, 4)] },
    /would write a buffer of kind input/,
  ],
  ['a flag that is no integer', { ...looped, ...withLoop({ flag: 1 }) }, /has buffer 1 as its flag/],
  ['a flag that nothing sets', { ...looped, ...withLoop({ flag: 6 }) }, /buffer 6 is read in stage 1 before/],
  [
    'a carry over memory of the iteration',
    {
      ...withLoopBuffer(5, buffer('temp', 0)),
      steps: [step(0, 0, 5), step(1, 5, 4), step(2, 3, 5), step(3, 3, 1), step(4, 1, 4)],
      loops: [{ first: 1, end: 5, count: 4 }],
    },
    /share memory while both are alive/,
  ],
);

describe('verifyProgram', () => {
  it.each(good)('accepts %s', (_, program) => {
    verifyProgram(program);
  });

  it.each(bad)('refuses %s', (_, program, message) => {
    expect(() => verifyProgram(program)).toThrow(message);
  });
});
