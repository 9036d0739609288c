/**
 * Prints kernels and programs for people (DEBUG=4 and 5, failures of the verifier, golden tests). Registers are numbered in the
 * order in which they are defined, so kernels of one structure print alike but for their names. It judges nothing: a broken
 * kernel prints too.
 */
import type { Affine, Dynamic, Instr, Kernel, Loop, LoopVar, Node, Param, Reg, RegType } from './ir.ts';
import { elemBytes } from './ir.ts';
import type { BufferSpec, Program } from './program.ts';

export { kernelKey } from './key.ts';

export function printKernel(kernel: Kernel): string {
  const names = new Names(kernel);
  const lines = [`kernel ${kernel.name}: ${kernel.lanes} lanes, ${kernel.flops} flops, ${kernel.bytes} bytes`];
  kernel.params.forEach((param, i) => {
    lines.push(`  ${param.access} ${names.param(i)}: ${param.elem}[${param.size}]`);
  });
  for (const region of kernel.regions) {
    lines.push(`region ${names.loopVar(region.v)} in 0..${region.extent}`);
    block(names, region.body, '  ', lines);
  }
  return lines.join('\n');
}

/** One line for one node of `kernel` (of a loop: its head), as printKernel writes it. */
export function printNode(kernel: Kernel, node: Node): string {
  const names = new Names(kernel);
  return node.op === 'loop' ? loopHead(names, node) : instruction(names, node);
}

/** An affine with loop variables by their names, whatever kernel they are of. */
export function printAffine(at: Affine): string {
  return affine(at, (v) => v.name);
}

/** The memory plan and the order of the steps; kernels by name only. */
export function printProgram(program: Program): string {
  const lines = [
    `program ${program.name}: ${program.kernels.length} kernels, ${program.steps.length} steps, arena ${program.arenaBytes} bytes`,
  ];
  program.buffers.forEach((buffer, i) => {
    lines.push(`  ${bufferLine(program, buffer, i)}`);
  });
  let stage: number | undefined;
  const { loops = [] } = program;
  program.steps.forEach((step, i) => {
    loops.forEach(({ first, count, flag }, l) => {
      if (first === i) lines.push(`loop${l}: ${count} times${flag === undefined ? '' : `, while b${flag}`}`);
    });
    if (step.stage !== stage) lines.push(`stage ${(stage = step.stage)}`);
    const kernel = program.kernels[step.kernel];
    const args = step.args.map((buffer, at) => `${accessMark(kernel?.params[at])}b${buffer}`);
    lines.push(`  step ${i}: ${kernel?.name ?? `kernel ${step.kernel}?`}(${args.join(', ')})`);
    for (let l = loops.length - 1; l >= 0; l--) if (loops[l].end === i + 1) lines.push(`end of loop${l}`);
  });
  program.sites.forEach((site, i) => {
    lines.push(`site ${i}: ${site.op} ${site.what} < ${site.bound}`);
  });
  return lines.join('\n');
}

// ---- kernels -----------------------------------------------------------------------------------------------------------

/** Canonical numbers for registers, distinct names for loop variables and params. */
class Names {
  readonly #registers = new Map<Reg, number>();
  readonly #vars = new Map<number, string>();
  readonly #params: string[];

  constructor(kernel: Kernel) {
    const taken = new Set<string>();
    this.#params = kernel.params.map((param) => unique(param.name, taken));
    const takenVars = new Set<string>();
    const visit = (nodes: readonly Node[]): void => {
      for (const node of nodes) {
        if (node.op === 'loop') {
          this.#vars.set(node.v.id, unique(node.v.name, takenVars));
          visit(node.body);
        } else if ('out' in node && !this.#registers.has(node.out)) {
          this.#registers.set(node.out, this.#registers.size);
        }
      }
    };
    for (const region of kernel.regions) {
      this.#vars.set(region.v.id, unique(region.v.name, takenVars));
      visit(region.body);
    }
  }

  reg(reg: Reg): string {
    return `%${this.#registers.get(reg) ?? `?${reg}`}`;
  }

  loopVar(v: LoopVar): string {
    return this.#vars.get(v.id) ?? `?${v.name}`;
  }

  param(index: number): string {
    return this.#params[index] ?? `?param${index}`;
  }

  affine(at: Affine): string {
    return affine(at, (v) => this.loopVar(v));
  }
}

function unique(name: string, taken: Set<string>): string {
  let result = name;
  for (let n = 1; taken.has(result); n++) result = `${name}_${n}`;
  taken.add(result);
  return result;
}

function block(names: Names, nodes: readonly Node[], indent: string, lines: string[]): void {
  for (const node of nodes) {
    if (node.op === 'loop') {
      lines.push(indent + loopHead(names, node));
      block(names, node.body, `${indent}  `, lines);
    } else {
      lines.push(indent + instruction(names, node));
    }
  }
}

function loopHead(names: Names, loop: Loop): string {
  const starts = loop.lo.map((bound) => names.affine(bound));
  const lo = starts.length === 1 ? starts[0] : `max(${starts.join(', ')})`;
  const bounds = loop.hi.map((bound) => names.affine(bound));
  if (loop.until !== undefined) bounds.push(names.reg(loop.until));
  const hi = bounds.length === 1 ? bounds[0] : `min(${bounds.join(', ')})`;
  return `for ${names.loopVar(loop.v)} in ${lo}..${hi}${loop.step === 1 ? '' : ` by ${loop.step}`}`;
}

function instruction(names: Names, instr: Instr): string {
  const r = (reg: Reg): string => names.reg(reg);
  switch (instr.op) {
    case 'const':
      return `${r(instr.out)} = ${instr.type} ${number(instr.value)}`;
    case 'index':
      return `${r(instr.out)} = index ${names.affine(instr.at)}${instr.laneStep ? ` + ${instr.laneStep}*lane` : ''}`;
    case 'load':
      return `${r(instr.out)} = load ${place(names, instr)}`;
    case 'store':
      return `store ${place(names, instr)} = ${r(instr.value)}`;
    case 'unary':
      return `${r(instr.out)} = ${typed(instr.fn, instr.type)} ${r(instr.a)}`;
    case 'binary':
      return `${r(instr.out)} = ${typed(instr.fn, instr.type)} ${r(instr.a)}, ${r(instr.b)}`;
    case 'compare':
      return `${r(instr.out)} = ${typed(instr.fn, instr.of)} ${r(instr.a)}, ${r(instr.b)}`;
    case 'select':
      return `${r(instr.out)} = ${typed('select', instr.type)} ${r(instr.mask)} ? ${r(instr.a)} : ${r(instr.b)}`;
    case 'fma':
      return `${r(instr.out)} = ${typed('fma', instr.type)} ${r(instr.a)} * ${r(instr.b)} + ${r(instr.c)}`;
    case 'convert':
      return `${r(instr.out)} = ${instr.fn} ${r(instr.a)}`;
    case 'reduce':
      return `${r(instr.out)} = reduce ${typed(instr.fn, instr.type)} ${r(instr.a)} x${instr.lanes}`;
    case 'exchange':
      return `${r(instr.out)} = ${typed('exchange', instr.type)} ${r(instr.a)}, ${r(instr.b)} ${instr.odd ? 'odd' : 'even'} ${instr.size}`;
    case 'acc':
      return `${r(instr.out)} = ${typed('acc', instr.type)} ${r(instr.init)}`;
    case 'set':
      return `${r(instr.acc)} := ${r(instr.value)}`;
    case 'fmaAcc':
      return `${r(instr.acc)} += ${r(instr.a)} * ${r(instr.b)}`;
    case 'guard':
      return `${r(instr.out)} = guard ${r(instr.index)} < ${instr.bound} site ${instr.site}`;
  }
}

interface Access {
  readonly buf: number;
  readonly at: Affine;
  readonly stride: number;
  readonly lanes: number;
  readonly dyn?: Dynamic;
}

/** `A[3 + 64*i + k] x8`, with `by 4` for another stride than 1 and `all` for one element in every lane. */
function place(names: Names, { buf, at, stride, lanes, dyn }: Access): string {
  const offset = dyn ? ` + ${dyn.scale === 1 ? '' : `${dyn.scale}*`}${names.reg(dyn.index)}` : '';
  const lanesText = stride === 0 ? 'all' : `x${lanes}${stride === 1 || lanes === 1 ? '' : ` by ${stride}`}`;
  return `${names.param(buf)}[${names.affine(at)}${offset}] ${lanesText}`;
}

function typed(fn: string, type: RegType): string {
  return type === 'f32' ? fn : `${fn}.${type}`;
}

function affine(at: Affine, nameOf: (v: LoopVar) => string): string {
  let text = at.offset !== 0 || at.terms.length === 0 ? `${at.offset}` : '';
  for (const { v, coef } of at.terms) {
    const factor = Math.abs(coef) === 1 ? '' : `${Math.abs(coef)}*`;
    const sign = coef < 0 ? (text ? ' - ' : '-') : text ? ' + ' : '';
    text += sign + factor + nameOf(v);
  }
  return text;
}

function number(value: number | bigint): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

// ---- programs ----------------------------------------------------------------------------------------------------------

function bufferLine(program: Program, buffer: BufferSpec, index: number): string {
  const type = `b${index}: ${buffer.kind} ${buffer.elem}[${buffer.size}]`;
  const input = program.inputs.indexOf(index);
  const output = program.outputs.indexOf(index);
  if (input >= 0) return `${type} #${input}`;
  if (output >= 0) return `${type} #${output}${buffer.alias === undefined ? '' : ` in place of b${buffer.alias}`}`;
  if (buffer.window) {
    const moves = buffer.window.strides.map(({ loop, bytes }) => ` + ${bytes}*loop${loop}`).join('');
    return `${type} of b${buffer.window.of} at ${buffer.offset}${moves}`;
  }
  return `${type} at ${buffer.offset}..${buffer.offset + buffer.size * elemBytes[buffer.elem]}`;
}

function accessMark(param: Param | undefined): string {
  if (!param) return '?';
  return param.access === 'read' ? '' : param.access === 'write' ? '>' : '<>';
}
