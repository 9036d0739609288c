/** The wasm target: WebAssembly with SIMD and threads, in browsers and Node. */
import { wasmGenerator } from '../codegen/wasm/generate.ts';
import { compile } from '../compiler/index.ts';
import type { WasmDevice } from '../runtime/wasm/device.ts';
import { createWasmDevice, wasmDeviceWith } from '../runtime/wasm/device.ts';
import { hasRelaxedSimd, hasSimd } from '../runtime/wasm/features.ts';
import type { NodeModules } from '../runtime/wasm/workers.ts';
import type { Backend } from './backends.ts';
import { compiledBackend } from './compiled-backend.ts';

/** WebAssembly with SIMD, in browsers and Node. */
export async function wasmBackend(): Promise<Backend | null> {
  return hasSimd() ? onDevice(await createWasmDevice()) : null;
}

/** The same in Node, for a choice that cannot wait. */
export function wasmBackendWith(node: NodeModules): Backend | null {
  return hasSimd() ? onDevice(wasmDeviceWith(node)) : null;
}

function onDevice(device: WasmDevice): Backend {
  return compiledBackend({
    name: 'wasm',
    capabilities: wasmGenerator.capabilities(device.threads, { relaxed: hasRelaxedSimd() }),
    device,
    home: device.home,
    compile,
    generate: (kernels, capabilities) => wasmGenerator.generate(kernels, capabilities),
  });
}
