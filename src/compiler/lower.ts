/** From groups to kernels: each class of lowering has its own file; this one chooses by the row's tag. */
import type { Operation, Value } from '../graph/graph.ts';
import type { KernelContext, KernelStage, ScratchMemory } from '../ops/lowering.ts';
import { rowOf } from '../ops/table.ts';
import { dtypes } from '../types/dtype.ts';
import { sizeOf } from '../types/shape.ts';
import { lowerContraction } from './contraction/lower.ts';
import { type LoweredKernel, Scratch } from './emitter.ts';
import { type LowerContext, lowerPieces, lowerPointwise, newEmitter, workOf } from './lower-elementwise.ts';
import { lowerReduce } from './lower-reduce.ts';
import { lowerRows } from './lower-rows.ts';
import type { Group } from './plan.ts';
import { tagOf } from './plan.ts';

/** The kernels of one group, in order. `inPlace` are values whose memory still holds what the program was given. */
export function lowerGroup(given: LowerContext, group: Group, inPlace: ReadonlySet<Value>): LoweredKernel[] {
  const { caps } = given;
  const context = touchesWide(given, group)
    ? { ...given, caps: { ...caps, lanes: Math.max(1, caps.lanes / 2) } }
    : given;
  const name = nameOf(group);
  if (group.members) return lowerRows(context, group, name);
  if (!group.anchor) return lowerPointwise(context, group, name);
  switch (tagOf(group.anchor)) {
    case 'contraction':
      return lowerContraction(context, group, name, inPlace);
    case 'reduce':
      return lowerReduce(context, group, name);
    case 'pieces':
      return lowerPieces(context, group.anchor, name);
    case 'after':
      return [];
    case 'kernel':
      return lowerWhole(context, group.anchor, name);
    case 'kernels':
      return lowerStages(context, group.anchor, name);
    default:
      return lowerPointwise(context, group, name);
  }
}

/** Whether the group's kernels hold lanes of 64 bits anywhere: they have half as many then. */
function touchesWide({ stored }: Pick<LowerContext, 'stored'>, group: Group): boolean {
  const isWide = ({ dtype }: Value): boolean => dtypes[dtype].bytes === 8;
  const seen = new Set<Value>();
  const reads = (value: Value): boolean => {
    if (seen.has(value)) return false;
    seen.add(value);
    return isWide(value) || (!stored.has(value) && value.op.inputs.some(reads));
  };
  return (group.members ?? [group]).some(({ anchor, window, roots }) =>
    [...roots, ...(anchor?.outputs ?? []), ...(window?.outputs ?? [])].some(
      (made) => isWide(made) || made.op.inputs.some(reads),
    ),
  );
}

/** The anchor's name and those of the roots behind it: conv2d+relu. */
function nameOf(group: Group): string {
  const parts = new Set([...(group.anchor ? [group.anchor.kind] : []), ...group.roots.map((root) => root.op.kind)]);
  return [...parts].slice(0, 4).join('+');
}

/** What the kernels of an operation compute reals in. */
function realTypeOf({ inputs, outputs }: Operation): 'f32' | 'f64' {
  return [...inputs, ...outputs].some(({ dtype }) => dtype === 'float64') ? 'f64' : 'f32';
}

/** An operation that writes its kernel by itself. */
function lowerWhole(context: LowerContext, op: Operation, name: string): LoweredKernel[] {
  const { lowering } = rowOf(op.kind);
  if (lowering.tag !== 'kernel' || op.outputs.every((output) => sizeOf(output.shape) === 0)) return [];
  const realType = realTypeOf(op);
  const emitter = newEmitter(context, op.outputs, context.caps.lanes, realType);
  const kernel: KernelContext = {
    b: emitter.b,
    attrs: op.attrs,
    inputs: op.inputs,
    outputs: op.outputs,
    inputBuffers: op.inputs.map((input) => emitter.operand(input)),
    outputBuffers: op.outputs.map((output) => emitter.buffer(output, 'write')),
    constant: (data) => emitter.constant(data),
    scratch: (size) => emitter.buffer(new Scratch(realType, size), 'write'),
    site: (what, bound) => emitter.site(op, what, bound),
  };
  lowering.emit(kernel);
  const flops = lowering.flops?.(
    op.attrs,
    op.inputs.map((input) => input.shape),
  );
  return [emitter.build(name, workOf(emitter, op.outputs, flops ?? 1))];
}

/** An operation that writes several kernels. */
function lowerStages(context: LowerContext, op: Operation, name: string): LoweredKernel[] {
  const { lowering } = rowOf(op.kind);
  if (lowering.tag !== 'kernels' || op.outputs.every((output) => sizeOf(output.shape) === 0)) return [];
  const realType = realTypeOf(op);
  const kernels: LoweredKernel[] = [];
  const scratches = new Map<ScratchMemory, Scratch>();
  lowering.emit({
    attrs: op.attrs,
    inputs: op.inputs,
    outputs: op.outputs,
    lanes: context.caps.lanes,
    threads: context.caps.threads,
    realType,
    scratch: (elem, size) => {
      const scratch = new Scratch(elem, size);
      scratches.set(scratch, scratch);
      return scratch;
    },
    kernel: (part, write, flops = 1) => {
      const emitter = newEmitter(context, op.outputs, context.caps.lanes, realType);
      const stage: KernelStage = {
        b: emitter.b,
        input: (i) => emitter.operand(op.inputs[i]),
        output: (i, access = 'write') => emitter.buffer(op.outputs[i], access),
        scratch: (memory, access) => emitter.buffer(scratches.get(memory) as Scratch, access),
        site: (what, bound) => emitter.site(op, what, bound),
      };
      write(stage);
      const work = workOf(emitter, op.outputs, typeof flops === 'number' ? flops : 0);
      const all = typeof flops === 'number' ? work : { ...work, flops: flops.total };
      kernels.push(emitter.build(part === '' ? name : `${name}.${part}`, all));
    },
  });
  return kernels;
}
