/**
 * Checks a program: its kernels, that buffers fit their params, that the arena's plan overlaps nothing that is alive, and that
 * no step depends on the order within its stage. It takes what a kernel touches from its params, never from its code.
 */
import { InternalError } from '../base/errors.ts';
import { elemBytes } from './ir.ts';
import { kernelFacts } from './kernel-verifier.ts';
import type { BufferSpec, Program, Step } from './program.ts';

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
  if (!inArena(buffer)) return;
  if (!Number.isSafeInteger(buffer.offset) || buffer.offset < 0 || buffer.offset % 64 !== 0) {
    bad(`starts at ${buffer.offset}, which is no multiple of 64`);
  }
  if (end(buffer) > program.arenaBytes) bad(`ends at ${end(buffer)}, beyond the arena's ${program.arenaBytes} bytes`);
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
      if (param.access !== 'read' && (buffer.kind === 'input' || buffer.kind === 'constant')) {
        refuse(program, `${what}, and would write a buffer of kind ${buffer.kind}`);
      }
    });
  });
}

/** The first stage in which a buffer is read and written, and the last in which it is touched; Infinity and -1 where never. */
interface Use {
  firstRead: number;
  lastRead: number;
  firstWrite: number;
  lastTouch: number;
}

function collectUses(program: Program): Use[] {
  const uses = program.buffers.map(
    (): Use => ({ firstRead: Infinity, lastRead: -1, firstWrite: Infinity, lastTouch: -1 }),
  );
  for (const step of program.steps) {
    step.args.forEach((arg, at) => {
      const use = uses[arg];
      const { access } = program.kernels[step.kernel].params[at];
      if (access !== 'write') {
        use.firstRead = Math.min(use.firstRead, step.stage);
        use.lastRead = Math.max(use.lastRead, step.stage);
      }
      if (access !== 'read') use.firstWrite = Math.min(use.firstWrite, step.stage);
      use.lastTouch = Math.max(use.lastTouch, step.stage);
    });
  }
  return uses;
}

/** No step writes what another step of its stage touches; an output and the input that it aliases are one. */
function checkStages(program: Program): void {
  let stage = -1;
  let touched = new Map<number, { readonly by: Set<Step>; written: boolean }>();
  for (const step of program.steps) {
    if (step.stage !== stage) touched = new Map();
    stage = step.stage;
    step.args.forEach((arg, at) => {
      const storage = program.buffers[arg].alias ?? arg;
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
    if (buffer.kind !== 'temp' && buffer.kind !== 'output') return;
    if (buffer.kind === 'output' && firstWrite === Infinity && buffer.size > 0) {
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

/** Whatever shares bytes of the arena is not alive in the same stage; constants are alive for ever. */
function checkArena(program: Program, uses: readonly Use[]): void {
  const placed = program.buffers
    .map((buffer, index) => ({ buffer, index, from: 0, to: Infinity }))
    .filter(({ buffer }) => inArena(buffer) && buffer.size > 0)
    .sort((a, b) => a.buffer.offset - b.buffer.offset);
  for (const entry of placed) {
    if (entry.buffer.kind === 'constant') continue;
    entry.from = Math.min(uses[entry.index].firstRead, uses[entry.index].firstWrite);
    entry.to = uses[entry.index].lastTouch;
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
