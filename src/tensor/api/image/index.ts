/** tf.image: the list of its functions. */
export * from './boxes.ts';
export * from './colour.ts';
export * from './filters.ts';
export * from './geometry.ts';
export { resize, resizeBilinear, resizeNearestNeighbor } from './resize.ts';
