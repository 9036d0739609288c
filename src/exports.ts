/** The names that both entries export: what users import. */
export * from './tensor/index.ts';
export * from './nn/index.ts';
export * from './data/index.ts';
export * from './io/index.ts';
export { version } from './version.ts';
