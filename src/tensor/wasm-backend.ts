/** The wasm target: WebAssembly with SIMD and threads, in browsers and Node. */
import type { Backend } from './backends.ts';
import { compiledBackend } from './compiled-backend.ts';

/** WebAssembly with SIMD, in browsers and Node. */
export async function wasmBackend(): Promise<Backend | null> {
  const [{ wasmGenerator }, { createWasmDevice }, { hasRelaxedSimd, hasSimd }, { compile }] = await Promise.all([
    import('../codegen/wasm/generate.ts'),
    import('../runtime/wasm/device.ts'),
    import('../runtime/wasm/features.ts'),
    import('../compiler/index.ts'),
  ]);
  if (!hasSimd()) return null;
  const device = await createWasmDevice();
  return compiledBackend({
    name: 'wasm',
    capabilities: wasmGenerator.capabilities(device.threads, { relaxed: hasRelaxedSimd() }),
    device,
    compile,
    generate: (kernels, capabilities) => wasmGenerator.generate(kernels, capabilities),
  });
}
