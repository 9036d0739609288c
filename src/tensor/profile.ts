/** tf.profile and tf.time: what a piece of work costs, kernel by kernel. Also DEBUG=2. Knows programs, not tensors' meaning. */
import { debug, debugLevel } from '../base/debug.ts';
import { timesOf } from '../kernel/loop-walk.ts';
import type { Program } from '../kernel/program.ts';
import type { StepTime } from '../runtime/device.ts';
import { counts } from './memory.ts';
import { finishRuns } from './evaluate.ts';
import { startProfiling, stopProfiling } from './plan.ts';
import { tensorsIn } from './scope.ts';
import { evaluateAll } from './evaluate-all.ts';
import type { TensorContainer } from './types.ts';

export interface KernelProfile {
  readonly name: string;
  /** Name of the program it ran in. */
  readonly program: string;
  readonly ms: number;
  readonly gflops: number;
  /** GB/s of the bytes that must move at least. */
  readonly gbps: number;
  readonly flops: number;
  readonly bytes: number;
}

export interface ProfileInfo<T> {
  /** Bytes and tensors that are there after and were not before. */
  readonly newBytes: number;
  readonly newTensors: number;
  readonly peakBytes: number;
  /** In the order in which they ran. On the reference target there are none. */
  readonly kernels: readonly KernelProfile[];
  readonly kernelNames: readonly string[];
  readonly result: T;
}

export function describeSteps(program: Program, times: readonly StepTime[]): KernelProfile[] {
  return times.map(({ step, seconds }) => {
    const kernel = program.kernels[program.steps[step].kernel];
    const times = timesOf(program, step);
    const [name, flops, bytes] = [kernel.name, kernel.flops * times, kernel.bytes * times];
    const per = (amount: number) => (seconds > 0 ? amount / seconds / 1e9 : 0);
    return { name, program: program.name, ms: seconds * 1e3, gflops: per(flops), gbps: per(bytes), flops, bytes };
  });
}

/**
 * Runs `f`, computes what it returns, and tells what that cost. Programs run step by step meanwhile, so the sum of the kernels
 * is somewhat more than an ordinary run takes.
 */
export async function profile<T extends TensorContainer>(f: () => T | Promise<T>): Promise<ProfileInfo<T>> {
  const before = { tensors: counts.tensors, bytes: counts.bytes };
  counts.peakBytes = counts.bytes;
  const kernels: KernelProfile[] = [];
  const token = startProfiling((program, times) => kernels.push(...describeSteps(program, times)));
  try {
    const result = await f();
    evaluateAll(tensorsIn(result));
    finishRuns();
    return {
      newBytes: counts.bytes - before.bytes,
      newTensors: counts.tensors - before.tensors,
      peakBytes: counts.peakBytes,
      kernels,
      kernelNames: [...new Set(kernels.map(({ name }) => name))],
      result,
    };
  } finally {
    stopProfiling(token);
  }
}

export interface TimeInfo {
  /** Milliseconds in kernels. */
  readonly kernelMs: number;
  /** Milliseconds from call to result, compiling included. */
  readonly wallMs: number;
}

/** Runs `f`, computes what it returns, and tells how long that took. */
export async function time(f: () => TensorContainer | Promise<TensorContainer>): Promise<TimeInfo> {
  const started = performance.now();
  const { kernels } = await profile(f);
  return { kernelMs: kernels.reduce((sum, { ms }) => sum + ms, 0), wallMs: performance.now() - started };
}

/** DEBUG=2: each kernel of each run on a line. */
if (debugLevel() >= 2) {
  startProfiling((program, times) => {
    for (const { name, ms, gflops, gbps } of describeSteps(program, times)) {
      const rates = `${gflops.toFixed(1).padStart(7)} GFLOP/s ${gbps.toFixed(1).padStart(6)} GB/s`;
      debug(2, () => `[kernel] ${ms.toFixed(3).padStart(9)} ms ${rates}  ${name}  (${program.name})`);
    }
  });
}
