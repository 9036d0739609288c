/**
 * Extension points with TensorFlow.js's names: ops, kernels and gradients that users register. A kernel here is a function of
 * tensors: what it is built of gets fused and compiled for every backend, has gradients of any order and can be mapped by vmap. So
 * there is no per-backend code to write, and none to run.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { zerosLike } from '../ops/build.ts';
import { withGradients } from '../ops/custom.ts';
import { getBackend } from './backends.ts';
import { cellOf, dropEmptyCell, retainingGraph } from './cell.ts';
import { tidy } from './scope.ts';
import { Tensor, wrap } from './tensor.ts';
import type { NamedTensorMap } from './types.ts';

export interface NamedAttrs {
  readonly [name: string]: unknown;
}

export interface KernelParams {
  readonly inputs: NamedTensorMap;
  /** There is no backend to compute with: asking it for anything is an error that says what to do instead. */
  readonly backend: object;
  readonly attrs: NamedAttrs;
}

export interface KernelConfig {
  readonly kernelName: string;
  /** Kept for TensorFlow.js's sake: where there is none for the backend in use, that of another one is run. */
  readonly backendName: string;
  readonly kernelFunc: (params: KernelParams) => Tensor | Tensor[];
  readonly setupFunc?: (backend: object) => void;
  readonly disposeFunc?: (backend: object) => void;
}

/** Gradients by the input's name, each computed when it is called. */
export interface NamedGradients {
  readonly [name: string]: () => Tensor;
}

export interface GradConfig {
  readonly kernelName: string;
  /** Names of inputs that gradFunc gets in `saved`, in this order; outputs come behind them. */
  readonly inputsToSave?: readonly string[];
  readonly saveAllInputs?: boolean;
  readonly outputsToSave?: readonly boolean[];
  readonly gradFunc: (dy: Tensor & Tensor[], saved: Tensor[], attrs: NamedAttrs) => NamedGradients;
}

const kernels = new Map<string, Map<string, KernelConfig>>();
const gradients = new Map<string, GradConfig>();

function checkText(op: string, name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') fail(op, `${name} must be a name`, `got ${JSON.stringify(value)}`);
}

function checkFunction(op: string, name: string, value: unknown): void {
  if (typeof value !== 'function') fail(op, `${name} must be a function`, `got ${typeof value}`);
}

/** Registers a kernel: a function of tensors that runKernel finds by name. One of the same name takes the place of the older. */
export function registerKernel(config: KernelConfig): void {
  const op = 'registerKernel';
  checkText(op, 'kernelName', config?.kernelName);
  checkText(op, 'backendName', config.backendName);
  checkFunction(op, 'kernelFunc', config.kernelFunc);
  const { kernelName, backendName } = config;
  let named = kernels.get(kernelName);
  if (!named) kernels.set(kernelName, (named = new Map()));
  named.set(backendName, config);
}

export function unregisterKernel(kernelName: string, backendName: string): void {
  if (kernels.get(kernelName)?.delete(backendName)) return;
  fail('unregisterKernel', 'the kernel must be registered', `got '${kernelName}' for backend '${backendName}'`);
}

/** What was registered for the backend, if anything. tensorloom's own ops are no kernels: see docs/ops.md. */
export function getKernel(kernelName: string, backendName: string): KernelConfig | undefined {
  return kernels.get(kernelName)?.get(backendName);
}

export function getKernelsForBackend(backendName: string): KernelConfig[] {
  return [...kernels.values()].flatMap((named) => named.get(backendName) ?? []);
}

/** Registers what is there for one backend for another one too. */
export function copyRegisteredKernels(registeredBackendName: string, newBackendName: string): void {
  for (const config of getKernelsForBackend(registeredBackendName)) {
    registerKernel({ ...config, backendName: newBackendName });
  }
}

/**
 * Registers the gradient of a registered kernel. Without one, gradients flow through what the kernel is built of. tensorloom's
 * own ops have theirs in the op table; to give a function another one use customGrad.
 */
export function registerGradient(config: GradConfig): void {
  const op = 'registerGradient';
  checkText(op, 'kernelName', config?.kernelName);
  checkFunction(op, 'gradFunc', config.gradFunc);
  gradients.set(config.kernelName, config);
}

export function unregisterGradient(kernelName: string): void {
  if (gradients.delete(kernelName)) return;
  fail('unregisterGradient', 'the gradient must be registered', `got '${kernelName}'`);
}

/** What was registered, if anything. */
export function getGradient(kernelName: string): GradConfig | undefined {
  return gradients.get(kernelName);
}

const noBackend: object = new Proxy(
  {},
  {
    get(_, name) {
      if (typeof name === 'symbol') return undefined;
      fail(
        'runKernel',
        'a kernel must be built of functions of tensors',
        `it asked for backend.${name}`,
        'compute with tf.add, tf.matMul and so on, and return a tensor: the compiler fuses them into one kernel',
      );
    },
  },
);

function findKernel(name: string): KernelConfig {
  const named = kernels.get(name);
  const found = named && (named.get(getBackend()) ?? [...named.values()][0]);
  if (found) return found;
  const known = [...kernels.keys()];
  fail(
    'runKernel',
    'the kernel must be registered',
    `got '${name}'; ${known.length === 0 ? 'none is registered' : `registered are ${known.join(', ')}`}`,
    'call the function itself (tf.relu for Relu), or registerKernel a function of tensors',
  );
}

/** Runs a registered kernel on tensors, with the gradient that is registered for it. */
export function runKernel(kernelName: string, inputs: NamedTensorMap, attrs: NamedAttrs = {}): Tensor | Tensor[] {
  const { kernelFunc } = findKernel(kernelName);
  return tidy(() =>
    retainingGraph(() => {
      const made = kernelFunc({ inputs, backend: noBackend, attrs });
      const outputs = Array.isArray(made) ? made : [made];
      for (const output of outputs) {
        if (output instanceof Tensor) continue;
        fail(
          'runKernel',
          `kernel '${kernelName}' must return a tensor or a list of tensors`,
          `it returned ${output === null ? 'null' : typeof output}`,
          'build the result with functions of tensors; there are no data ids here',
        );
      }
      const config = gradients.get(kernelName);
      const results = config ? withRegistered(config, inputs, outputs, attrs) : outputs.map(({ value }) => value);
      const tensors = results.map((value) => wrap(value));
      return Array.isArray(made) ? tensors : tensors[0];
    }),
  );
}

/** The outputs with the registered gradient. */
function withRegistered(
  config: GradConfig,
  inputs: NamedTensorMap,
  outputs: readonly Tensor[],
  attrs: NamedAttrs,
): readonly Value[] {
  const names = Object.keys(inputs);
  const from = names.map((name) => inputs[name].value);
  const toSave = config.saveAllInputs ? names : (config.inputsToSave ?? []);
  const savedInputs = toSave.map((name) => {
    const place = names.indexOf(name);
    if (place >= 0) return from[place];
    fail(
      'runKernel',
      `inputsToSave of '${config.kernelName}' must name inputs`,
      `got '${name}' of ${names.join(', ')}`,
    );
  });
  const results: readonly Value[] = withGradients(
    outputs.map(({ value }) => value),
    from,
    (dys) => {
      const saved = [...savedInputs, ...results.filter((_, i) => config.outputsToSave?.[i])];
      const given = dys.map((dy, i) => dy ?? zerosLike(results[i]));
      return callGradient(config, given, saved, names, attrs);
    },
  );
  return results;
}

/** Calls gradFunc with handles of its own. */
function callGradient(
  config: GradConfig,
  dys: readonly Value[],
  saved: readonly Value[],
  names: readonly string[],
  attrs: NamedAttrs,
): (Value | null)[] {
  const held = [...dys, ...saved];
  for (const value of held) cellOf(value).handles++;
  try {
    const tensors = dys.map((dy) => wrap(dy));
    const dy = (tensors.length === 1 ? tensors[0] : tensors) as Tensor & Tensor[];
    const found = config.gradFunc(
      dy,
      saved.map((value) => wrap(value)),
      attrs,
    );
    return names.map((name) => {
      const make = found?.[name];
      if (make === undefined) return null;
      const dx = typeof make === 'function' ? make() : make;
      if (dx instanceof Tensor) return dx.value;
      fail('registerGradient', `gradient '${name}' of '${config.kernelName}' must be a tensor`, `got ${typeof dx}`);
    });
  } finally {
    for (const value of held) {
      cellOf(value).handles--;
      dropEmptyCell(value);
    }
  }
}

// ---- ops of graph models ---------------------------------------------------------------------------------------------------

/** What a custom op of a graph model is given: its inputs, its attributes, its name in the graph. */
export interface GraphNode {
  readonly inputs: Tensor[];
  readonly attrs: NamedAttrs;
  readonly name?: string;
}

export type OpExecutor = (node: GraphNode) => Tensor | Tensor[] | Promise<Tensor | Tensor[]>;

const customOps = new Map<string, OpExecutor>();

/** Registers a function for an op of graph models: built of functions of tensors, it is compiled with what stands around it. */
export function registerOp(name: string, opFunc: OpExecutor): void {
  checkText('registerOp', 'the op', name);
  checkFunction('registerOp', 'opFunc', opFunc);
  customOps.set(name, opFunc);
}

/** What was registered, if anything. */
export function getRegisteredOp(name: string): OpExecutor | undefined {
  return customOps.get(name);
}

export function deregisterOp(name: string): void {
  customOps.delete(name);
}
