/**
 * `indexeddb://name` in browsers. Database, stores and records are those of TensorFlow.js, so a model that a page saved with it
 * loads here and the other way round.
 */
import { fail } from '../../base/errors.ts';
import { type ModelArtifacts, weightBytes } from '../formats/layers_model.ts';
import { getModelArtifactsInfoForJSON, type ModelArtifactsInfo, type ModelStore, type SaveResult } from './types.ts';

const database = 'tensorflowjs';
const models = 'models_store';
const infos = 'model_info_store';

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Runs `work` over both stores in one transaction: all of it happens or nothing, and what it gives is there once it is committed. */
async function transact<T>(
  op: string,
  mode: IDBTransactionMode,
  work: (models: IDBObjectStore, infos: IDBObjectStore) => Promise<T>,
): Promise<T> {
  const factory = (globalThis as { indexedDB?: IDBFactory }).indexedDB;
  if (!factory) fail(op, 'indexeddb:// needs a browser', 'there is no indexedDB', 'use file://folder in Node');
  const opening = factory.open(database, 1);
  opening.onupgradeneeded = () => {
    for (const store of [models, infos]) opening.result.createObjectStore(store, { keyPath: 'modelPath' });
  };
  const db = await settled(opening);
  try {
    const transaction = db.transaction([models, infos], mode);
    const committed = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
    const [result] = await Promise.all([
      work(transaction.objectStore(models), transaction.objectStore(infos)),
      committed,
    ]);
    return result;
  } finally {
    db.close();
  }
}

async function save(name: string, artifacts: ModelArtifacts): Promise<SaveResult> {
  const modelArtifactsInfo = getModelArtifactsInfoForJSON(artifacts);
  const modelArtifacts = { ...artifacts, weightData: weightBytes(artifacts.weightData).slice().buffer };
  const writing = transact('save', 'readwrite', async (modelStore, infoStore) => {
    infoStore.put({ modelPath: name, modelArtifactsInfo });
    await settled(modelStore.put({ modelPath: name, modelArtifacts, modelArtifactsInfo }));
  });
  await writing.catch((error: Error) => {
    if (error.name !== 'QuotaExceededError') throw error;
    fail('save', `IndexedDB must have room for ${modelArtifactsInfo.weightDataBytes} bytes`, error.message);
  });
  return { modelArtifactsInfo };
}

async function load(name: string): Promise<ModelArtifacts> {
  const op = 'loadLayersModel';
  const read = transact(op, 'readonly', (modelStore) =>
    Promise.all([settled(modelStore.get(name)), settled(modelStore.getAllKeys())]),
  );
  const [record, known] = await read;
  if (!record) fail(op, `IndexedDB must hold the model ${name}`, `models there: ${known.join(', ') || 'none'}`);
  return record.modelArtifacts;
}

export function indexedDBModels(): ModelStore {
  return {
    available: () => 'indexedDB' in globalThis,
    handler: (name) => ({ save: (artifacts) => save(name, artifacts), load: () => load(name) }),
    list: async () => {
      type Record = { modelPath: string; modelArtifactsInfo: ModelArtifactsInfo };
      const all = await transact<Record[]>('listModels', 'readonly', (_, infoStore) => settled(infoStore.getAll()));
      return Object.fromEntries(all.map((record) => [record.modelPath, record.modelArtifactsInfo]));
    },
    remove: (name) =>
      transact('removeModel', 'readwrite', async (modelStore, infoStore) => {
        const record = await settled(infoStore.get(name));
        modelStore.delete(name);
        infoStore.delete(name);
        return record?.modelArtifactsInfo ?? null;
      }),
  };
}
