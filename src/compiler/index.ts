/** The compiler room: a graph goes in, a program of kernels comes out. Knows no code generator and no device. */
export { compile } from './pipeline.ts';
export type { CompileRequest } from './request.ts';
