/** The x64 target: machine code with AVX2, in Node. Loaded only where it may run; never part of a browser bundle. */
import { debug } from '../base/debug.ts';
import type { Backend } from './backends.ts';
import { compiledBackend } from './compiled-backend.ts';
import { pool } from './memory.ts';

/** Machine code for x86-64 with AVX2, in Node. */
export async function x64Backend(): Promise<Backend | null> {
  const host = (globalThis as { process?: { arch?: string } }).process;
  if (host?.arch !== 'x64') return null;
  const [{ x64Generator }, { emitDriver }, runtime, { compile }] = await Promise.all([
    import('../codegen/x64/generate.ts'),
    import('../codegen/x64/driver.ts'),
    import('../runtime/node/x64-device.ts'),
    import('../compiler/index.ts'),
  ]);
  const device = runtime.createX64Device(emitDriver);
  if (runtime.isUnavailable(device)) {
    debug(1, () => `x64 is not available: ${device.unavailable}`);
    return null;
  }
  pool.addressOf = device.addressOf;
  return compiledBackend({
    name: 'x64',
    capabilities: x64Generator.capabilities(device.threads),
    device,
    compile,
    generate: (kernels, capabilities) => x64Generator.generate(kernels, capabilities),
    measurePeak: () => {
      const { gflops, copyBytesPerSecond } = device.measurePeak();
      return { gflops, copyBandwidth: copyBytesPerSecond };
    },
  });
}
