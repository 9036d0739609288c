/** Refuses kernels and programs that break the rules of docs/kernel-ir.md. Whatever passes may run without bounds checks. */
export { verifyKernel } from './kernel-verifier.ts';
export { verifyProgram } from './program-verifier.ts';
