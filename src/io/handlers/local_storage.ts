/**
 * `localstorage://name` in browsers. Keys and values are those of TensorFlow.js, so a model that a page saved with it loads here
 * and the other way round. Browsers allow about 5 MB; `indexeddb://` holds more.
 */
import { fail } from '../../base/errors.ts';
import { type ModelArtifacts, weightBytes } from '../formats/layers_model.ts';
import { checkWeightSpecs } from '../formats/weights.ts';
import { getModelArtifactsInfoForJSON, type ModelArtifactsInfo, type ModelStore, type SaveResult } from './types.ts';

const root = 'tensorflowjs_models/';
const parts = ['info', 'model_topology', 'weight_specs', 'weight_data', 'model_metadata'] as const;
const keyOf = (name: string, part: (typeof parts)[number]): string => `${root}${name}/${part}`;

function storage(op: string): Storage {
  const found = (globalThis as { localStorage?: Storage }).localStorage;
  if (found) return found;
  return fail(op, 'localstorage:// needs a browser', 'there is no localStorage', 'use file://folder in Node');
}

/** Bytes as base64, in pieces: the arguments of one call are limited. */
function toBase64(bytes: Uint8Array): string {
  const piece = 0x6000;
  let text = '';
  for (let i = 0; i < bytes.length; i += piece) text += btoa(String.fromCharCode(...bytes.subarray(i, i + piece)));
  return text;
}

function fromBase64(op: string, name: string, text: string): ArrayBuffer {
  let binary: string;
  try {
    binary = atob(text);
  } catch (error) {
    return fail(op, `the weights of ${name} in localStorage must be base64`, (error as Error).message);
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0)).buffer;
}

async function save(name: string, artifacts: ModelArtifacts): Promise<SaveResult> {
  const store = storage('save');
  const { modelTopology, weightSpecs, weightData, ...metadata } = artifacts;
  const modelArtifactsInfo = getModelArtifactsInfoForJSON(artifacts);
  const values = {
    info: JSON.stringify(modelArtifactsInfo),
    model_topology: JSON.stringify(modelTopology),
    weight_specs: JSON.stringify(weightSpecs ?? []),
    weight_data: toBase64(weightBytes(weightData)),
    model_metadata: JSON.stringify(metadata),
  };
  const before = parts.map((part) => store.getItem(keyOf(name, part)));
  try {
    for (const part of parts) store.setItem(keyOf(name, part), values[part]);
  } catch (error) {
    // The model that was there comes back: it fitted before.
    for (const part of parts) store.removeItem(keyOf(name, part));
    for (const [i, part] of parts.entries()) if (before[i] !== null) store.setItem(keyOf(name, part), before[i]);
    const needed = Object.values(values).reduce((total, value) => total + value.length, 0);
    fail('save', `localStorage must have room for ${needed} characters`, (error as Error).message, 'use indexeddb://');
  }
  return { modelArtifactsInfo };
}

async function load(name: string): Promise<ModelArtifacts> {
  const op = 'loadLayersModel';
  const store = storage(op);
  const read = (part: (typeof parts)[number]): string => {
    const value = store.getItem(keyOf(name, part));
    if (value !== null) return value;
    const known = Object.keys(listIn(store));
    return fail(
      op,
      `localStorage must hold ${part} of the model ${name}`,
      `models there: ${known.join(', ') || 'none'}`,
    );
  };
  const parse = (part: (typeof parts)[number]): unknown => {
    const text = read(part);
    try {
      return JSON.parse(text);
    } catch (error) {
      return fail(op, `${keyOf(name, part)} in localStorage must be JSON`, (error as Error).message);
    }
  };
  read('info');
  return {
    modelTopology: parse('model_topology') as object,
    weightSpecs: checkWeightSpecs(op, parse('weight_specs')),
    weightData: fromBase64(op, name, read('weight_data')),
    ...(store.getItem(keyOf(name, 'model_metadata')) === null ? {} : (parse('model_metadata') as object)),
  };
}

function listIn(store: Storage): { [name: string]: ModelArtifactsInfo } {
  const found: { [name: string]: ModelArtifactsInfo } = {};
  for (let i = 0; i < store.length; i++) {
    const key = store.key(i)!;
    if (!key.startsWith(root) || !key.endsWith('/info')) continue;
    found[key.slice(root.length, -'/info'.length)] = JSON.parse(store.getItem(key)!);
  }
  return found;
}

export function localStorageModels(): ModelStore {
  return {
    available: () => 'localStorage' in globalThis,
    handler: (name) => ({ save: (artifacts) => save(name, artifacts), load: () => load(name) }),
    list: async () => listIn(storage('listModels')),
    remove: async (name) => {
      const store = storage('removeModel');
      const info = store.getItem(keyOf(name, 'info'));
      for (const part of parts) store.removeItem(keyOf(name, part));
      return info === null ? null : JSON.parse(info);
    },
  };
}
