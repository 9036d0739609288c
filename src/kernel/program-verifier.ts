/**
 * Checks a program: its kernels, that buffers fit their params, that the arena's plan overlaps nothing that is alive, and that
 * no step depends on the order within its stage. It takes what a kernel touches from its params, never from its code.
 */
import { InternalError } from '../base/errors.ts';
import { elemBytes } from './ir.ts';
import { kernelFacts } from './kernel-verifier.ts';
import type { BufferSpec, Loop, Program, Step } from './program.ts';

/** Throws an InternalError unless the program, with each of its kernels, keeps every rule. */
export function verifyProgram(program: Program): void {
  for (const kernel of program.kernels) {
    const { sites } = kernelFacts(kernel);
    if (sites > program.sites.length) refuse(program, `kernel ${kernel.name} has a guard for site ${sites - 1}`);
  }
  checkOrder(program, 'input', program.inputs);
  checkOrder(program, 'output', program.outputs);
  program.buffers.forEach((buffer, index) => {
    checkBuffer(program, buffer, index);
  });
  checkSteps(program);
  checkLoops(program);
  checkPrologue(program);
  const uses = collectUses(program);
  checkStages(program);
  checkWrites(program, uses);
  checkAliases(program, uses);
  checkArena(program, uses);
}

// ---- buffers -----------------------------------------------------------------------------------------------------------

/** program.inputs and program.outputs name every buffer of their kind once. */
function checkOrder(program: Program, kind: BufferSpec['kind'], order: readonly number[]): void {
  const expected = program.buffers.filter((buffer) => buffer.kind === kind).length;
  const distinct = new Set(order);
  const right = order.every((index) => program.buffers[index]?.kind === kind);
  if (!right || distinct.size !== order.length || order.length !== expected) {
    refuse(program, `its ${kind}s are [${order.join(', ')}], which are not all ${kind} buffers once`);
  }
}

function checkBuffer(program: Program, buffer: BufferSpec, index: number): void {
  const bad = (message: string): never => refuse(program, `buffer ${index} (${buffer.kind}) ${message}`);
  if (!Number.isSafeInteger(buffer.size) || buffer.size < 0) bad(`has size ${buffer.size}`);
  if (buffer.alias !== undefined) {
    const input = program.buffers[buffer.alias];
    if (buffer.kind !== 'output' || input?.kind !== 'input') bad(`shares storage with buffer ${buffer.alias}`);
    if (input.elem !== buffer.elem || input.size !== buffer.size) bad('differs in type or size from what it aliases');
    if (program.buffers.some((other, i) => i < index && other.alias === buffer.alias)) {
      bad(`is the second output in place of buffer ${buffer.alias}`);
    }
  }
  if (buffer.kind === 'constant' && buffer.data?.length !== buffer.size) bad(`holds ${buffer.data?.length} elements`);
  if (buffer.kind === 'window') checkWindow(program, buffer, bad);
  if (!inArena(buffer)) return;
  if (!Number.isSafeInteger(buffer.offset) || buffer.offset < 0 || buffer.offset % 64 !== 0) {
    bad(`starts at ${buffer.offset}, which is no multiple of 64`);
  }
  if (end(buffer) > program.arenaBytes) bad(`ends at ${end(buffer)}, beyond the arena's ${program.arenaBytes} bytes`);
}

/** Wherever the loops stand, a window lies inside of what it is part of. */
function checkWindow(program: Program, buffer: BufferSpec, bad: (message: string) => never): void {
  const root = program.buffers[buffer.window?.of ?? -1];
  if (!root || root.kind === 'window') bad(`is part of buffer ${buffer.window?.of}`);
  if (root.elem !== buffer.elem) bad(`of ${buffer.elem} is part of one of ${root.elem}`);
  const bytes = elemBytes[buffer.elem];
  let [low, high] = [buffer.offset, buffer.offset];
  const seen = new Set<number>();
  for (const stride of buffer.window?.strides ?? []) {
    const loop = program.loops?.[stride.loop];
    if (!loop || seen.has(stride.loop)) return bad(`moves with loop ${stride.loop}`);
    seen.add(stride.loop);
    const way = stride.bytes * (loop.count - 1);
    low += Math.min(0, way);
    high += Math.max(0, way);
    if (!Number.isSafeInteger(way) || stride.bytes % bytes !== 0) bad(`moves by ${stride.bytes} bytes`);
  }
  if (!Number.isSafeInteger(buffer.offset) || buffer.offset % bytes !== 0) bad(`starts at ${buffer.offset}`);
  if (low < 0 || high + buffer.size * bytes > root.size * bytes) {
    bad(`reaches from byte ${low} to ${high + buffer.size * bytes} of ${root.size * bytes}`);
  }
}

function inArena(buffer: BufferSpec): boolean {
  return buffer.kind === 'temp' || buffer.kind === 'constant';
}

function end(buffer: BufferSpec): number {
  return buffer.offset + buffer.size * elemBytes[buffer.elem];
}

// ---- steps -------------------------------------------------------------------------------------------------------------

function checkSteps(program: Program): void {
  let stage = 0;
  program.steps.forEach((step, index) => {
    if (!Number.isSafeInteger(step.stage) || step.stage < stage) refuse(program, `step ${index} is not in stage order`);
    stage = step.stage;
    const kernel = program.kernels[step.kernel];
    if (!kernel) refuse(program, `step ${index} runs kernel ${step.kernel}, which does not exist`);
    if (step.args.length !== kernel.params.length) {
      refuse(program, `step ${index} gives ${step.args.length} buffers to ${kernel.name}`);
    }
    step.args.forEach((arg, at) => {
      const param = kernel.params[at];
      const buffer = program.buffers[arg];
      const what = `step ${index} (${kernel.name}) is given buffer ${arg} for ${param.name}`;
      if (!buffer) refuse(program, `${what}, which does not exist`);
      if (buffer.elem !== param.elem) refuse(program, `${what}: ${buffer.elem} for ${param.elem}`);
      if (buffer.size < param.size) refuse(program, `${what}: ${buffer.size} elements for ${param.size}`);
      const { kind } = program.buffers[rootOf(program, arg)];
      if (param.access !== 'read' && (kind === 'input' || kind === 'constant')) {
        refuse(program, `${what}, and would write a buffer of kind ${kind}`);
      }
      for (const { loop } of buffer.window?.strides ?? []) {
        if (!isInside(program.loops![loop], index)) refuse(program, `${what} outside of the loop that moves it`);
      }
    });
  });
}

/** The buffer whose bytes these are. */
function rootOf(program: Program, buffer: number): number {
  return program.buffers[buffer].window?.of ?? buffer;
}

function isInside(loop: Loop, step: number): boolean {
  return step >= loop.first && step < loop.end;
}

/** Loops are whole stages, contain each other or do not meet, and stand in order. */
function checkLoops(program: Program): void {
  const { loops = [], steps } = program;
  loops.forEach(({ first, end, count, flag }, index) => {
    const bad = (message: string): never => refuse(program, `loop ${index} ${message}`);
    if (!(first >= 0 && first < end && end <= steps.length)) bad(`has steps ${first} to ${end}`);
    if (!Number.isSafeInteger(count) || count < 1) bad(`runs ${count} times`);
    if (first > 0 && steps[first - 1].stage === steps[first].stage) bad('begins inside of a stage');
    if (end < steps.length && steps[end].stage === steps[end - 1].stage) bad('ends inside of a stage');
    loops.slice(0, index).forEach((other, o) => {
      if (first < other.first || (first < other.end && end > other.end)) bad(`meets loop ${o}`);
    });
    if (flag === undefined) return;
    const buffer = program.buffers[flag];
    if (buffer?.elem !== 'i32' || buffer.size < 1) bad(`has buffer ${flag} as its flag`);
    for (const stride of buffer.window?.strides ?? []) {
      const outer = loops[stride.loop];
      if (stride.loop >= index || end > outer.end) bad('has a flag that moves with a loop which is not around it');
    }
  });
}

function prologueSteps({ steps, prologue }: Program): readonly Step[] {
  return steps.slice(0, prologue?.steps ?? 0);
}

function writtenBy(program: Program, { kernel, args }: Step): number[] {
  return args.filter((_, at) => program.kernels[kernel].params[at].access !== 'read');
}

/**
 * A prologue is whole stages outside of every loop. It reads its inputs, constants and what it has written itself, and writes
 * temporaries that nothing else writes.
 */
function checkPrologue(program: Program): void {
  const { steps, prologue, loops = [], buffers } = program;
  if (!prologue) return;
  const { steps: count, inputs } = prologue;
  const bad = (message: string): never => refuse(program, `its prologue of ${count} steps ${message}`);
  if (!(Number.isSafeInteger(count) && count > 0 && count <= steps.length)) bad('is not among its steps');
  if (steps[count]?.stage === steps[count - 1].stage) bad('ends inside of a stage');
  if (loops.some(({ first }) => first < count)) bad('has a loop');
  if (inputs.some((input) => buffers[input]?.kind !== 'input')) bad(`has the inputs [${inputs.join(', ')}]`);
  const there = new Set(inputs);
  if (buffers.some(({ alias }) => alias !== undefined && there.has(alias))) bad('has an input that is overwritten');
  for (const step of prologueSteps(program)) {
    const { params } = program.kernels[step.kernel];
    step.args.forEach((arg, at) => {
      const { kind } = buffers[arg];
      if (params[at].access === 'read' && kind !== 'constant' && !there.has(arg)) bad(`reads buffer ${arg} (${kind})`);
      if (params[at].access !== 'read' && kind !== 'temp') bad(`writes buffer ${arg} (${kind})`);
    });
    for (const arg of writtenBy(program, step)) {
      if (there.has(arg)) bad(`writes buffer ${arg} again`);
      there.add(arg);
    }
  }
  for (const step of steps.slice(count)) {
    for (const arg of writtenBy(program, step)) {
      if (there.has(rootOf(program, arg))) bad(`leaves buffer ${arg} to be written again`);
    }
  }
}

/**
 * The first stage in which a buffer is read and written, and the last in which it is touched; Infinity and -1 where never. What
 * outlives an iteration of a loop counts as touched in all of the loop's stages (`from` to `to`).
 */
interface Use {
  firstRead: number;
  lastRead: number;
  firstWrite: number;
  from: number;
  to: number;
}

function collectUses(program: Program): Use[] {
  const uses = program.buffers.map(
    (): Use => ({ firstRead: Infinity, lastRead: -1, firstWrite: Infinity, from: Infinity, to: -1 }),
  );
  const touch = (arg: number, stage: number, reads: boolean, writes: boolean) => {
    const use = uses[rootOf(program, arg)];
    if (reads) {
      use.firstRead = Math.min(use.firstRead, stage);
      use.lastRead = Math.max(use.lastRead, stage);
    }
    if (writes) use.firstWrite = Math.min(use.firstWrite, stage);
    use.from = Math.min(use.from, stage);
    use.to = Math.max(use.to, stage);
  };
  for (const step of program.steps) {
    step.args.forEach((arg, at) => {
      const { access } = program.kernels[step.kernel].params[at];
      touch(arg, step.stage, access !== 'write', access !== 'read');
    });
  }
  for (const loop of program.loops ?? []) {
    // The flag is read before the first iteration and after each.
    if (loop.flag !== undefined) touch(loop.flag, stagesOf(program, loop).last, true, false);
  }
  extendOverLoops(program, uses);
  return uses;
}

function stagesOf({ steps }: Program, { first, end }: Loop): { first: number; last: number } {
  return { first: steps[first].stage, last: steps[end - 1].stage };
}

/**
 * In a loop, a buffer lives for a part of the iteration only if nothing but the loop touches it, each iteration writes it before
 * reading it, and it does not move.
 */
function extendOverLoops(program: Program, uses: readonly Use[]): void {
  const { loops = [], steps } = program;
  // Outer loops last: what they see then are whole inner loops.
  for (const loop of [...loops].reverse()) {
    const { first, last } = stagesOf(program, loop);
    const inside = new Set<number>();
    const read = new Set<number>();
    const moved = new Set<number>();
    for (const step of steps.slice(loop.first, loop.end)) {
      for (const [at, arg] of step.args.entries()) {
        inside.add(rootOf(program, arg));
        if (program.kernels[step.kernel].params[at].access !== 'write') read.add(rootOf(program, arg));
        if (program.buffers[arg].window?.strides.some((stride) => loops[stride.loop] === loop)) {
          moved.add(rootOf(program, arg));
        }
      }
    }
    if (loop.flag !== undefined) moved.add(rootOf(program, loop.flag));
    for (const index of inside) {
      const use = uses[index];
      const isLocal = use.from >= first && use.to <= last && use.firstWrite < use.firstRead;
      if (isLocal && !moved.has(index)) continue;
      use.from = Math.min(use.from, first);
      use.to = Math.max(use.to, last);
      if (read.has(index)) use.lastRead = Math.max(use.lastRead, last);
    }
  }
}

/** No step writes what another step of its stage touches; an output and the input that it aliases are one. */
function checkStages(program: Program): void {
  let stage = -1;
  let touched = new Map<number, { readonly by: Set<Step>; written: boolean }>();
  for (const step of program.steps) {
    if (step.stage !== stage) touched = new Map();
    stage = step.stage;
    step.args.forEach((arg, at) => {
      const root = rootOf(program, arg);
      const storage = program.buffers[root].alias ?? root;
      const seen = touched.get(storage) ?? { by: new Set(), written: false };
      touched.set(storage, seen);
      seen.by.add(step);
      if (program.kernels[step.kernel].params[at].access !== 'read') seen.written = true;
      if (seen.written && seen.by.size > 1) {
        refuse(program, `two steps of stage ${stage} touch buffer ${arg}, and one of them writes it`);
      }
    });
  }
}

/** Nothing is read before an earlier stage has written it, and every output is written. */
function checkWrites(program: Program, uses: readonly Use[]): void {
  program.buffers.forEach((buffer, index) => {
    const { firstRead, firstWrite } = uses[index];
    // What is empty has nothing to write, and no kernel that would.
    if ((buffer.kind !== 'temp' && buffer.kind !== 'output') || buffer.size === 0) return;
    if (buffer.kind === 'output' && firstWrite === Infinity) {
      refuse(program, `output buffer ${index} is never written`);
    }
    if (firstRead === Infinity || firstWrite < firstRead) return;
    // In place of an input, the first step may read what the input held.
    if (buffer.alias !== undefined && firstWrite === firstRead) return;
    refuse(program, `buffer ${index} is read in stage ${firstRead} before anything has written it`);
  });
}

/** Once an output has been written in place of an input, the input's value is gone. */
function checkAliases(program: Program, uses: readonly Use[]): void {
  program.buffers.forEach((buffer, index) => {
    if (buffer.alias === undefined || uses[buffer.alias].lastRead <= uses[index].firstWrite) return;
    refuse(program, `input buffer ${buffer.alias} is read after buffer ${index} has been written in its place`);
  });
}

/** Whatever shares bytes of the arena is not alive in the same stage; constants and what a prologue leaves are alive for ever. */
function checkArena(program: Program, uses: readonly Use[]): void {
  const placed = program.buffers
    .map((buffer, index) => ({ buffer, index, from: 0, to: Infinity }))
    .filter(({ buffer }) => inArena(buffer) && buffer.size > 0)
    .sort((a, b) => a.buffer.offset - b.buffer.offset);
  const lasting = new Set(prologueSteps(program).flatMap((step) => writtenBy(program, step)));
  for (const entry of placed) {
    if (entry.buffer.kind === 'constant' || lasting.has(entry.index)) continue;
    entry.from = uses[entry.index].from;
    entry.to = uses[entry.index].to;
  }
  placed.forEach((a, i) => {
    for (let j = i + 1; j < placed.length && placed[j].buffer.offset < end(a.buffer); j++) {
      const b = placed[j];
      if (a.from <= b.to && b.from <= a.to) {
        refuse(program, `buffers ${a.index} and ${b.index} share memory while both are alive`);
      }
    }
  });
}

function refuse(program: Program, message: string): never {
  throw new InternalError(`internal: program ${program.name} is refused: ${message}`);
}
