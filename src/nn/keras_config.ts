/**
 * Configs of layers, initializers and the like as plain data: `{className, config}` in camelCase inside, snake_case in
 * Keras's JSON. Knows nothing of files and of what the classes are.
 */
import { fail } from '../base/errors.ts';
import { toCamelCase, toSnakeCase } from './naming.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Config {
  [key: string]: unknown;
}

/** Something that can be made again from its class's name and its config. */
export interface SerializedObject {
  readonly className: string;
  readonly config: Config;
}

export interface Configurable {
  getClassName(): string;
  getConfig(): Config;
}

export function serialize(object: Configurable | null | undefined): SerializedObject | null {
  return object ? { className: object.getClassName(), config: object.getConfig() } : null;
}

export function isSerializedObject(value: unknown): value is SerializedObject {
  return typeof value === 'object' && value !== null && typeof (value as SerializedObject).className === 'string';
}

/** Names of layers and classes are data, not keywords: their case is kept. */
const keptKeys = new Set(['name', 'className', 'class_name']);

/** What names layers of a graph, tokens of a text or axes of an equation: kept as it is. */
const rawKeys = new Set([
  'vocabulary',
  'maskToken',
  'mask_token',
  'maskValue',
  'mask_value',
  'oovToken',
  'oov_token',
  'equation',
  'biasAxes',
  'bias_axes',
  'inboundNodes',
  'inbound_nodes',
  'inputLayers',
  'input_layers',
  'outputLayers',
  'output_layers',
]);

/** No config is nested deeper; a file that is would only exhaust the stack. */
const deepest = 100;

/** Keras's JSON -> ours: keys and keyword values to camelCase (`fan_avg` -> `fanAvg`). */
export function fromPythonic(value: unknown, depth = 0): unknown {
  if (depth > deepest) fail('fromJSON', `a config may be nested ${deepest} levels deep`, 'this one is deeper');
  if (typeof value === 'string') return toCamelCase(value);
  if (Array.isArray(value)) return value.map((item) => fromPythonic(item, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const out: Config = {};
  for (const [key, item] of Object.entries(value)) {
    const kept = rawKeys.has(key) || (keptKeys.has(key) && typeof item === 'string');
    out[toCamelCase(key)] = kept ? item : fromPythonic(item, depth + 1);
  }
  return out;
}

/** Ours -> Keras's JSON: keys and keyword values to snake_case. */
export function toPythonic(value: unknown): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return toSnakeCase(value);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(toPythonic);
  if (typeof value !== 'object') fail('toJSON', 'a config must be plain data', `got a ${typeof value}`);
  const out: { [key: string]: Json } = {};
  for (const [key, item] of Object.entries(value)) {
    const kept = keptKeys.has(key) && typeof item === 'string';
    out[toSnakeCase(key)] = kept ? item : rawKeys.has(key) ? (item as Json) : toPythonic(item);
  }
  return out;
}
