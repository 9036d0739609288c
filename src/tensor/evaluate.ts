/**
 * Computes what is asked for: collects the pending graph behind it, finds or makes its program, runs it, and keeps the
 * results. Also decides what to keep besides: a value that later operations, still pending, will read too. Knows values,
 * not tensors.
 */
import { fail, invariant } from '../base/errors.ts';
import { debug } from '../base/debug.ts';
import { Operation, topologicalOrder } from '../graph/graph.ts';
import type { Value } from '../graph/graph.ts';
import { rowOf } from '../ops/table.ts';
import type { Storage } from '../runtime/storage.ts';
import { sizeOf } from '../types/shape.ts';
import { whenBackendChanges, whenBackendIsUsed } from './backends.ts';
import { cellOf, dataOf, hasData, severIfDone } from './cell.ts';
import type { Cell } from './cell.ts';
import { allocateData, anyRunInFlight, beginRun, endRun, pool } from './memory.ts';
import type { TensorData } from './memory.ts';
import { makePlan, parameter } from './plan.ts';
import type { Plan } from './plan.ts';
import { liftConstant, structureOf } from './structure.ts';
import type { Structure } from './structure.ts';

/** Most programs kept, and most bytes of their code and arenas; the least recently used goes first. */
const CACHE_LIMIT = 512;
const CACHE_BYTES = 2 ** 30;
const plans = new Map<string, Plan>();
let cachedBytes = 0;
/** For a structure: which of its values were computed once more by a later program, and so are worth keeping. */
const worthKeeping = new Map<string, Set<number>>();

whenBackendChanges(() => {
  finishRuns();
  barrier = null;
  for (const plan of plans.values()) plan.dispose();
  plans.clear();
  cachedBytes = 0;
});

whenBackendIsUsed((backend) => {
  pool.home = backend.home ?? null;
});

/** Chains longer than this are computed without being asked for. */
export const DEPTH_LIMIT = 512;

/** Follows reshapes back to the value whose elements they are. */
function baseOf(value: Value): Value {
  let base = value;
  while (!hasData(base) && rowOf(base.op.kind).lowering.tag === 'reshape' && base.op.inputs.length > 0) {
    base = base.op.inputs[0];
  }
  return base;
}

interface Run {
  readonly plan: Plan;
  readonly inputs: readonly TensorData[];
  readonly outputs: readonly Value[];
  readonly structure: Structure;
  readonly kept: Set<number>;
}

function slotOf(value: Value, structure: Structure): number {
  return structure.ordinals.get(value.op)! * 16 + value.index;
}

/** What to keep so that `value` need not be computed again: the value, or what it is cheaply made of. */
function keep(value: Value, into: Set<Value>): void {
  if (hasData(value)) return;
  const { inputs, kind } = value.op;
  if (inputs.length === 0) return;
  const tag = rowOf(kind).lowering.tag;
  const grows = tag === 'view' && sizeOf(value.shape) > sizeOf(inputs[0].shape);
  if (tag === 'reshape' || grows) keep(inputs[0], into);
  else into.add(value);
}

/** The values that a run should leave behind: the targets, and what is (or was, last time) needed once more. */
function chooseOutputs(targets: readonly Value[], structure: Structure, kept: Set<number>): Value[] {
  const outputs = new Set(targets);
  const wasDropped = (value: Value) => (value.payload as Cell | null)?.dropped ?? null;
  const again = (value: Value) => {
    const dropped = wasDropped(value);
    if (!dropped || hasData(value)) return;
    dropped.learn();
    keep(value, outputs);
  };
  for (const target of targets) again(target);
  for (const operation of structure.operations) {
    const dropped = operation.outputs.some((output) => wasDropped(output) !== null);
    if (!dropped) for (const input of operation.inputs) again(input);
    for (const output of operation.outputs) {
      const outside = output.uses > (structure.inner.get(output) ?? 0);
      if (outside || (kept.size > 0 && kept.has(slotOf(output, structure)))) keep(output, outputs);
    }
  }
  return [...outputs];
}

function checkFed(operations: readonly Operation[]): void {
  for (const operation of operations) {
    if (operation.kind === 'parameter') {
      const unfed = (operation.outputs[0].payload as Cell | null)?.unfed;
      if (unfed) fail(unfed.op, unfed.must, unfed.came, unfed.hint);
      fail('read', 'a value must still have its data', 'it was disposed', 'keep() it, or dispose it later');
    }
    const arity = rowOf(operation.kind).arity;
    invariant(arity === 'variadic' || operation.inputs.length === arity, `${operation.kind} lost its inputs`);
  }
}

function findPlan(structure: Structure, outputs: readonly Value[]): Plan {
  const key = `${structure.key}>${outputs.map((value) => slotOf(value, structure)).join()}`;
  let plan = plans.get(key);
  if (plan) {
    plans.delete(key);
  } else {
    const started = performance.now();
    const last = structure.operations[structure.operations.length - 1];
    plan = makePlan({ name: `eager ${last.kind}`, inputs: structure.inputs, outputs });
    debug(1, () => {
      const time = (performance.now() - started).toFixed(1);
      return `[compile] eager ${last.kind}: ${structure.operations.length} operations in ${time} ms`;
    });
    cachedBytes += plan.executable.bytes;
    for (const [oldest, old] of plans) {
      if (plans.size < CACHE_LIMIT && cachedBytes < CACHE_BYTES) break;
      cachedBytes -= old.executable.bytes;
      old.dispose();
      plans.delete(oldest);
    }
  }
  plans.set(key, plan);
  return plan;
}

function keptOf(key: string): Set<number> {
  let kept = worthKeeping.get(key);
  if (!kept) {
    if (worthKeeping.size >= 4 * CACHE_LIMIT) worthKeeping.clear();
    kept = new Set();
    worthKeeping.set(key, kept);
  }
  return kept;
}

function prepare(bases: readonly Value[]): Run | null {
  const order = topologicalOrder(bases, hasData);
  checkFed(order);
  const structure = structureOf(order);
  const targets = bases.filter((value) => !hasData(value));
  if (targets.length === 0) return null;
  const kept = keptOf(structure.key);
  const outputs = chooseOutputs(targets, structure, kept);
  if (outputs.every((value) => sizeOf(value.shape) === 0)) {
    for (const value of outputs) cellOf(value).data = allocateData(value);
    for (const value of outputs) severIfDone(value.op);
    return null;
  }
  const plan = findPlan(structure, outputs);
  return { plan, inputs: structure.inputs.map((value) => dataOf(value)!), outputs, structure, kept };
}

/** Hands the results to their values, and lets the operations behind them go. */
function deliver(run: Run, results: readonly TensorData[]): void {
  run.outputs.forEach((value, index) => {
    const cell = cellOf(value);
    cell.data = results[index];
    cell.dropped = null;
  });
  for (const operation of run.structure.operations) {
    for (const output of operation.outputs) {
      if (hasData(output) || output.payload === null) continue;
      const slot = slotOf(output, run.structure);
      cellOf(output).dropped = { learn: () => run.kept.add(slot) };
    }
  }
  for (const value of run.outputs) severIfDone(value.op);
}

/** Distinct values behind the targets; constants get their data at once. */
function pendingBases(values: readonly Value[]): Value[] {
  const bases = new Set<Value>();
  for (const value of values) {
    if (hasData(value)) continue;
    const base = baseOf(value);
    if (hasData(base)) continue;
    if (base.op.kind === 'constant') liftConstant(base, true);
    else bases.add(base);
  }
  return [...bases];
}

/** Reshapes of computed values share their data. */
function shareAliases(values: readonly Value[]): void {
  for (const value of values) {
    if (hasData(value)) continue;
    const data = dataOf(baseOf(value));
    invariant(data, 'a value was evaluated and has no data');
    cellOf(value).data = data.share();
    severIfDone(value.op);
  }
}

/** Computes all values in one program and waits for it. */
export function evaluateValues(values: readonly Value[]): void {
  const bases = pendingBases(values);
  const run = bases.length > 0 ? prepare(bases) : null;
  if (run) {
    const results = run.outputs.map((value) => allocateData(value));
    try {
      run.plan.run(
        run.inputs.map((data) => data.storage),
        results.map((data) => data.storage),
      );
    } catch (error) {
      for (const data of results) data.release();
      throw error;
    }
    deliver(run, results);
  }
  shareAliases(values);
}

/**
 * Computes all values in one program while the event loop stays free. The values have their data, still to be written, when
 * this returns; the promise settles when it is.
 */
export function evaluateValuesAsync(values: readonly Value[]): Promise<void> {
  const bases = pendingBases(values);
  const run = bases.length > 0 ? prepare(bases) : null;
  if (run) {
    const results = run.outputs.map((value) => allocateData(value));
    startAsync(run.plan, run.inputs, results, results);
    deliver(run, results);
  }
  shareAliases(values);
  const waits = new Set<Promise<void>>();
  for (const value of values) {
    const data = dataOf(value);
    if (data?.written) waits.add(data.written);
    if (data?.error) waits.add(Promise.reject(data.error));
  }
  return Promise.all(waits).then(() => undefined);
}

/** Starts a run. Its outputs know when they are written, and `results` (which nobody held before) with what error it failed. */
export function startAsync(
  plan: Plan,
  inputs: readonly TensorData[],
  outputs: readonly TensorData[],
  results: readonly TensorData[],
  isPrepared = false,
): Promise<void> {
  const number = beginRun();
  const finished = plan
    .runAsync(
      inputs.map((data) => data.storage),
      outputs.map((data) => data.storage),
      isPrepared,
    )
    .then(
      () => endRun(number),
      (error: unknown) => {
        endRun(number);
        for (const data of results) data.error = error;
        throw error;
      },
    );
  for (const data of outputs) {
    data.run = number;
    data.written = finished;
  }
  const settled = () => {
    for (const data of outputs) if (data.run === number) data.written = null;
  };
  finished.then(settled, settled);
  return finished;
}

interface Barrier {
  readonly plan: Plan;
  readonly input: Storage;
  readonly output: Storage;
}

let barrier: Barrier | null = null;

function makeBarrier(): Barrier {
  const type = { dtype: 'float32', shape: [1] } as const;
  const input = parameter(type);
  const plan = makePlan({
    name: 'barrier',
    inputs: [input],
    outputs: new Operation('neg', [input], {}, [type]).outputs,
  });
  return { plan, input: pool.allocate(4), output: pool.allocate(4) };
}

/**
 * Waits, without yielding, until every asynchronous run has ended: runs take effect in the order of their calls, so running
 * anything at all will do.
 */
export function finishRuns(): void {
  if (!anyRunInFlight()) return;
  barrier ??= makeBarrier();
  barrier.plan.run([barrier.input], [barrier.output]);
}
