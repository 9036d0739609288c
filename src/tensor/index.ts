/** What the room gives to the rooms below: tensors and all that acts on them. */
export { Tensor, wrap } from './tensor.ts';
export { deferredVariable, Variable, variable, variableNamed } from './variable.ts';
export { TensorBuffer, buffer } from './buffer.ts';
export { makeTensor, scalarValue, toStrings, toTensor } from './convert.ts';
export { decodeText, encodeText, makeStrings, StringTensor } from './string-tensor.ts';
export { dispose, keep, memory, tensorsIn, tidy, untracked } from './scope.ts';
export type { MemoryInfo } from './scope.ts';
export { Graph, GraphOperation, placeholder } from './graph-mode.ts';
export { Session } from './session.ts';
export type { Feeds, Fetch, Fetched, Fetches } from './session.ts';
export { jit } from './jit.ts';
export type { Jitted } from './jit.ts';
export {
  customGrad,
  grad,
  gradients,
  grads,
  valueAndGrad,
  valueAndGrads,
  variableGrads,
} from './autograd.ts';
export type { GradSaver } from './autograd.ts';
export { checkpoint, hessian, hvp, jacobian, jacobianForward, jvp, linearize, vjp } from './derivatives.ts';
export type { LinearMap } from './derivatives.ts';
export { vmap } from './vmap.ts';
export type { Axes, VmapOptions } from './vmap.ts';
export {
  copyRegisteredKernels,
  deregisterOp,
  getGradient,
  getKernel,
  getKernelsForBackend,
  getRegisteredOp,
  registerGradient,
  registerKernel,
  registerOp,
  runKernel,
  unregisterGradient,
  unregisterKernel,
} from './registry.ts';
export type { GradConfig, GraphNode, KernelConfig, KernelParams, NamedAttrs, OpExecutor } from './registry.ts';
export { profile, time } from './profile.ts';
export type { KernelProfile, ProfileInfo, TimeInfo } from './profile.ts';
export { nextRandomKey, randomSeed, randomState, restoreRandomState, setSeed } from './random.ts';
export { evaluateAll } from './evaluate-all.ts';
export { eagerly, isTracing } from './context.ts';
export {
  currentBackend as backend,
  findBackend,
  findBackendFactory,
  getBackend,
  measurePeak,
  ready,
  registerBackend,
  removeBackend,
  setBackend,
} from './backends.ts';
export { ENV, env, Environment } from './environment.ts';
export type { FlagValue, Platform } from './environment.ts';
export * from './kernel-names.ts';
export type { Backend, BackendName, Peak } from './backends.ts';
export * from './types.ts';
export * from './api/index.ts';
export { inferOutputs } from './dry_run.ts';
export type { TensorSpec } from './dry_run.ts';
