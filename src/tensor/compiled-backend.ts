/** Backends that compile: compiler, code generator and device wired together. Knows no target by name. */
import { debug } from '../base/debug.ts';
import type { CompileRequest } from '../compiler/request.ts';
import type { Capabilities } from '../kernel/capabilities.ts';
import type { Kernel } from '../kernel/ir.ts';
import type { Program } from '../kernel/program.ts';
import type { Device } from '../runtime/device.ts';
import type { Home } from '../runtime/storage.ts';
import type { Backend, BackendName, Loaded, Peak } from './backends.ts';

/** What a target is made of: a further target is one more of these. */
export interface Target<Image> {
  readonly name: BackendName;
  readonly capabilities: Capabilities;
  readonly device: Device<Image>;
  compile(request: CompileRequest): Program;
  generate(kernels: readonly Kernel[], capabilities: Capabilities): Image;
  readonly home?: Home;
  measurePeak?(): Peak;
}

export function compiledBackend<Image>(target: Target<Image>): Backend {
  const { name, capabilities, device, home } = target;
  const load = (request: Omit<CompileRequest, 'capabilities'>): Loaded => {
    const started = performance.now();
    const program = target.compile({ ...request, capabilities });
    const compiled = performance.now();
    const image = target.generate(program.kernels, capabilities);
    const generated = performance.now();
    const executable = device.load(program, image);
    debug(1, () => describe(program, [compiled - started, generated - compiled, performance.now() - generated]));
    return { executable, program, profile: (...args) => executable.profile(...args) };
  };
  return { name, threads: device.threads, ...(home && { home }), load, measurePeak: target.measurePeak };
}

function describe(program: Program, [compile, generate, load]: readonly number[]): string {
  const times = `compile ${compile.toFixed(1)} ms, generate ${generate.toFixed(1)} ms, load ${load.toFixed(1)} ms`;
  const { kernels, steps, arenaBytes } = program;
  return `[program] ${program.name}: ${kernels.length} kernels, ${steps.length} steps, arena ${arenaBytes} bytes; ${times}`;
}
