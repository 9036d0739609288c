/**
 * Typed builders on graph values: what gradients, composites and the user's functions are written with. They broadcast and
 * promote with explicit ops, since rows take inputs of one shape and one dtype. Knows no tensor.
 */
export * from './apply.ts';
export * from './build-elementwise.ts';
export * from './build-movement.ts';
export * from './build-reduce.ts';
export * from './build-window.ts';
export * from './build-random.ts';
export * from './build-cumulate.ts';
export * from './build-indexing.ts';
export * from './build-moments.ts';
export * from './build-sort.ts';
export * from './build-image.ts';
export * from './build-linalg.ts';
