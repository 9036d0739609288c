/**
 * Makes programs of graphs for whatever backend is set. A plan is built from a copy of the graph, so that neither the compiler
 * nor a cached program holds on to live tensors. Knows no tensors.
 */
import { invariant } from '../base/errors.ts';
import { Operation, topologicalOrder } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';
import type { CompileRequest } from '../compiler/request.ts';
import { inBody } from '../ops/body.ts';
import type { Program } from '../kernel/program.ts';
import type { Executable, StepTime } from '../runtime/device.ts';
import type { Storage } from '../runtime/storage.ts';
import type { TensorType } from '../types/shape.ts';
import { currentBackend } from './backends.ts';
import type { Loaded } from './backends.ts';
import { counts } from './memory.ts';

/** A parameter of a graph: the operation through which a value comes from outside. */
export function parameter(type: TensorType, name = ''): Value {
  const operation = new Operation('parameter', [], { shape: type.shape, dtype: type.dtype }, [type]);
  operation.name = name;
  return operation.outputs[0];
}

/** Told how long each step of a run took. */
type ProfileListener = (program: Program, times: readonly StepTime[]) => void;
const listeners = new Set<ProfileListener>();

/** From here on programs run step by step, and `listener` is told; returns what stopProfiling takes. */
export function startProfiling(listener: ProfileListener): ProfileListener {
  listeners.add(listener);
  return listener;
}

export function stopProfiling(listener: ProfileListener): void {
  listeners.delete(listener);
}

/** A loaded program and the bookkeeping that lets it be dropped safely. */
export class Plan {
  readonly loaded: Loaded;
  #running = 0;
  #disposed = false;

  constructor(loaded: Loaded) {
    this.loaded = loaded;
    counts.programs++;
    counts.programBytes += loaded.executable.bytes;
  }

  get executable(): Executable {
    return this.loaded.executable;
  }

  /** `isPrepared`: what the request called steady is as it was in the run before. */
  run(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared = false): void {
    if (listeners.size > 0 && this.#profile(inputs, outputs, isPrepared)) return;
    this.loaded.executable.run(inputs, outputs, isPrepared);
  }

  /** Runs step by step; false where the target cannot. */
  #profile(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared: boolean): boolean {
    const { program, profile } = this.loaded;
    if (!program || !profile) return false;
    const times = profile(inputs, outputs, isPrepared);
    for (const listener of listeners) listener(program, times);
    return true;
  }

  async runAsync(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared = false): Promise<void> {
    if (listeners.size > 0 && this.#profile(inputs, outputs, isPrepared)) return;
    this.#running++;
    try {
      await this.loaded.executable.runAsync(inputs, outputs, isPrepared);
    } finally {
      // The mention keeps the storages from the garbage collector while emitted code writes to them.
      this.#running -= outputs.length >= 0 && inputs.length >= 0 ? 1 : 0;
      this.#freeIfDone();
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    counts.programs--;
    counts.programBytes -= this.loaded.executable.bytes;
    this.#freeIfDone();
  }

  #freeIfDone(): void {
    if (this.#disposed && this.#running === 0) this.loaded.executable.dispose();
  }
}

export interface PlanRequest {
  readonly name: string;
  /** Values that are given when the plan runs; what lies behind them is not part of it. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly donations?: ReadonlyMap<number, number>;
  /** Indices of inputs that are expected to be the same from run to run. */
  readonly steady?: ReadonlySet<number>;
}

const none: ReadonlyMap<number, number> = new Map();

/** Copies the part of the graph between inputs and outputs and compiles it. */
export function makePlan(request: PlanRequest): Plan {
  return inBody(null, () => compilePlan(request));
}

function compilePlan(request: PlanRequest): Plan {
  const copies = new Map<Value, Value>();
  const inputs = request.inputs.map((value) => {
    const copy = parameter(value, value.op.name);
    copies.set(value, copy);
    return copy;
  });
  const given = new Set(request.inputs);
  for (const operation of topologicalOrder(request.outputs, (value) => given.has(value))) {
    invariant(operation.kind !== 'parameter', `${request.name} depends on a parameter that it is not given`);
    const sources = operation.inputs.map((input) => copies.get(input)!);
    const copy = new Operation(operation.kind, sources, operation.attrs, operation.outputs);
    operation.outputs.forEach((output, index) => {
      if (!given.has(output)) copies.set(output, copy.outputs[index]);
    });
  }
  const outputs = request.outputs.map((value) => copies.get(value)!);
  counts.compilations++;
  const full: Omit<CompileRequest, 'capabilities'> = {
    name: request.name,
    inputs,
    outputs,
    donations: request.donations ?? none,
    ...(request.steady && { steady: request.steady }),
  };
  return new Plan(currentBackend().load(full));
}
