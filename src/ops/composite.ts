/** Functions on graph values that are written in terms of the table's ops. This file is only their list. */
export * from './custom.ts';
export * from './composite-activations.ts';
export * from './composite-bessel.ts';
export * from './composite-error.ts';
export * from './composite-gamma.ts';
export * from './composite-math.ts';
export * from './composite-normalization.ts';
export * from './composite-statistics.ts';
export * from './composite-window.ts';
export * from './composite-cumulative.ts';
export * from './composite-indexing.ts';
export * from './composite-sort.ts';
export * from './composite-movement.ts';
export * from './composite-statistics.ts';
export * from './einsum.ts';
