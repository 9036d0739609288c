/** The x64 target: machine code with AVX2 or AVX-512, in Node. Loaded only where it may run; never part of a browser bundle. */
import { debug } from '../base/debug.ts';
import { emitDriver } from '../codegen/x64/driver.ts';
import { x64Generator } from '../codegen/x64/generate.ts';
import { compile } from '../compiler/index.ts';
import type { X64Options } from '../runtime/node/x64-device.ts';
import { createX64Device, isUnavailable } from '../runtime/node/x64-device.ts';
import type { Backend } from './backends.ts';
import { compiledBackend } from './compiled-backend.ts';
import { pool } from './memory.ts';

/** Machine code for x86-64 with AVX2 or AVX-512, in Node. */
export function x64Backend(options: X64Options = {}): Backend | null {
  const device = createX64Device(emitDriver, options);
  if (isUnavailable(device)) {
    debug(1, () => `x64 is not available: ${device.unavailable}`);
    return null;
  }
  pool.addressOf = device.addressOf;
  return compiledBackend({
    name: 'x64',
    capabilities: x64Generator.capabilities(device.threads, device.instructions, {
      l1: 32 * 1024,
      l2: device.secondCache,
    }),
    device,
    compile,
    generate: (kernels, capabilities) => x64Generator.generate(kernels, capabilities),
    measurePeak: () => {
      const { gflops, copyBytesPerSecond } = device.measurePeak();
      return { gflops, copyBandwidth: copyBytesPerSecond };
    },
  });
}
