/** Places of a browser (localStorage, IndexedDB, downloads, picked files), http both ways, and weights without a model. */
import * as fsp from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tfc from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { values } from '../../test/values.ts';
import { type LayersModel, layers, sequential } from '../nn/index.ts';
import { tensor } from '../tensor/index.ts';
import { io, loadLayersModel, type ModelArtifacts } from './index.ts';

/** The browser's, as far as models need it, with a limit. */
class FakeStorage {
  limit = 1e6;
  readonly #items = new Map<string, string>();
  get length(): number {
    return this.#items.size;
  }
  key(i: number): string | null {
    return [...this.#items.keys()][i] ?? null;
  }
  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    const others = [...this.#items]
      .filter(([name]) => name !== key)
      .reduce((total, [, text]) => total + text.length, 0);
    if (others + value.length > this.limit) throw new DOMException('no room', 'QuotaExceededError');
    this.#items.set(key, value);
  }
  removeItem(key: string): void {
    this.#items.delete(key);
  }
}

let storage: FakeStorage;
beforeAll(() => tfc.setBackend('cpu').then(() => tfc.env().set('IS_BROWSER', true)));
beforeEach(() => {
  storage = new FakeStorage();
  vi.stubGlobal('localStorage', storage);
  vi.stubGlobal('indexedDB', new IDBFactory());
  vi.stubGlobal('window', globalThis);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const x = values(6, 3);
function network(seed = 1, units = 3): LayersModel {
  const model = sequential({
    layers: [layers.dense({ units, inputShape: [3], name: 'd' }), layers.dense({ units: 2 })],
  });
  model.setWeights(model.getWeights().map((w, i) => tensor(values(w.size, seed + i), w.shape)));
  return model;
}
const outputs = (model: LayersModel) => [...model.predict(tensor(x, [2, 3])).dataSync()];
const theirs = async (url: string) => {
  const model = await tfl.loadLayersModel(url);
  return [...(model.predict(tfc.tensor(x, [2, 3])) as tfc.Tensor).dataSync()];
};
function close(actual: number[], expected: number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => void expect(value).toBeCloseTo(expected[i], 5));
}

describe.each(['localstorage://', 'indexeddb://'])('%s', (scheme) => {
  const url = `${scheme}folder/digits`;

  test('holds what was saved, for tensorloom and for TensorFlow.js, and finds what that saved', async () => {
    const model = network();
    const { modelArtifactsInfo } = await model.save(url);
    expect(modelArtifactsInfo.weightDataBytes).toBe(4 * (12 + 8));
    expect(outputs(await loadLayersModel(url))).toEqual(outputs(model));
    close(await theirs(url), outputs(model));
    const other = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
    await other.save(`${scheme}theirs`);
    const loaded = outputs(await loadLayersModel(`${scheme}theirs`));
    close(loaded, [...(other.predict(tfc.tensor(x, [2, 3])) as tfc.Tensor).dataSync()]);
    expect(Object.keys(await io.listModels()).sort()).toEqual([url, `${scheme}theirs`].sort());
  });

  test('a second save replaces the first; optimizer and metadata come back', async () => {
    await network(1).save(url);
    const model = network(5);
    model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
    await model.trainOnBatch(tensor(x, [2, 3]), tensor(values(4), [2, 2]));
    model.setUserDefinedMetadata({ author: 'me' });
    await model.save(url, { includeOptimizer: true });
    const loaded = await loadLayersModel(url);
    expect(outputs(loaded)).toEqual(outputs(model));
    expect(loaded.getUserDefinedMetadata()).toEqual({ author: 'me' });
    expect(loaded.optimizer.getConfig()).toEqual(model.optimizer.getConfig());
    expect(Object.keys(await io.listModels())).toEqual([url]);
  });

  test('copy, move, remove', async () => {
    const model = network();
    await model.save(url);
    const info = await io.copyModel(url, `${scheme}b`);
    expect(info.weightDataBytes).toBe(80);
    await io.moveModel(`${scheme}b`, `${scheme}c`);
    expect(Object.keys(await io.listModels()).sort()).toEqual([url, `${scheme}c`].sort());
    expect(outputs(await loadLayersModel(`${scheme}c`))).toEqual(outputs(model));
    expect((await io.removeModel(`${scheme}c`)).weightDataBytes).toBe(80);
    await expect(io.removeModel(`${scheme}c`)).rejects.toThrow(
      /\[removeModel\] the model must be there; .*c.*listModels/,
    );
    await expect(io.copyModel(url, url)).rejects.toThrow(/\[copyModel\] source and destination must differ/);
    await expect(loadLayersModel(`${scheme}c`)).rejects.toThrow(/model.*c; models there: folder\/digits/);
  });

  test('without a browser the error says where else', async () => {
    vi.unstubAllGlobals();
    vi.stubGlobal('localStorage', undefined);
    await expect(network().save(url)).rejects.toThrow(/needs a browser.*file:\/\/folder/);
  });
});

test('a full localStorage keeps the model that was there', async () => {
  const model = network();
  await model.save('localstorage://m');
  storage.limit = 6000;
  await expect(network(2, 400).save('localstorage://m')).rejects.toThrow(/room for \d+ characters; .*indexeddb:\/\//);
  expect(outputs(await loadLayersModel('localstorage://m'))).toEqual(outputs(model));
  storage.setItem('tensorflowjs_models/m/weight_data', '!');
  await expect(loadLayersModel('localstorage://m')).rejects.toThrow(/weights of m in localStorage must be base64/);
  storage.setItem('tensorflowjs_models/m/weight_data', 'AAAA');
  await expect(loadLayersModel('localstorage://m')).rejects.toThrow(/weights must be 80 bytes/);
});

test('a transaction of IndexedDB that fails leaves the old model', async () => {
  const model = network();
  await model.save('indexeddb://m');
  const damaged = io.withSaveHandler(async (artifacts) => {
    const handler = io.getSaveHandlers('indexeddb://m')[0];
    // A function cannot be stored: the put throws after the info was put.
    return handler.save!({ ...artifacts, trainingConfig: { f: () => 0 } });
  });
  await expect(network(7).save(damaged)).rejects.toThrow();
  expect(outputs(await loadLayersModel('indexeddb://m'))).toEqual(outputs(model));
});

test('a folder is copied, moved and removed, and what else lies in it stays', async () => {
  const folder = await fsp.mkdtemp(path.join(tmpdir(), 'tensorloom-places-'));
  try {
    const model = network();
    await model.save(`file://${folder}/a`);
    await fsp.writeFile(path.join(folder, 'a', 'notes.txt'), 'mine');
    await io.copyModel(`file://${folder}/a/model.json`, 'indexeddb://a');
    await io.moveModel(`file://${folder}/a/model.json`, `file://${folder}/b`);
    expect(await fsp.readdir(path.join(folder, 'a'))).toEqual(['notes.txt']);
    expect(outputs(await loadLayersModel(`file://${folder}/b/model.json`))).toEqual(outputs(model));
    expect(outputs(await loadLayersModel('indexeddb://a'))).toEqual(outputs(model));
    await io.removeModel(`file://${folder}/b`);
    await expect(io.removeModel(`file://${folder}/b`)).rejects.toThrow(/the model must be there/);
    await expect(io.removeModel('https://host/model.json')).rejects.toThrow(/must begin with one of file:/);
    await expect(io.moveModel('https://host/model.json', 'indexeddb://b')).rejects.toThrow(/use copyModel/);
  } finally {
    await fsp.rm(folder, { recursive: true });
  }
});

test('downloads are two files that browserFiles reads again', async () => {
  const links: { download: string; href: string }[] = [];
  const link = () => ({ click: () => {}, download: '', href: '' });
  vi.stubGlobal('document', { createElement: () => links[links.push(link()) - 1] });
  const blobs = new Map<string, Blob>();
  const create = vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => {
    const name = `blob:${blobs.size}`;
    blobs.set(name, blob as Blob);
    return name;
  });
  const model = network();
  await model.save('downloads://mine');
  create.mockRestore();
  expect(links.map((each) => each.download)).toEqual(['mine.json', 'mine.weights.bin']);
  const picked = await Promise.all(
    links.map(async ({ download, href }) => new File([await blobs.get(href)!.arrayBuffer()], download)),
  );
  expect(outputs(await loadLayersModel(io.browserFiles(picked)))).toEqual(outputs(model));
  await expect(loadLayersModel(io.browserFiles([picked[0], new File([], 'other.bin')]))).rejects.toThrow(
    /weight files must be mine.weights.bin.*got other.bin/,
  );
  expect(() => io.browserFiles([])).toThrow(/at least model.json/);
  // TensorFlow.js names its weights ./mine.weights.bin: the files may lie in a folder.
  const folder = await fsp.mkdtemp(path.join(tmpdir(), 'tensorloom-places-'));
  for (const file of picked)
    await fsp.writeFile(path.join(folder, file.name), new Uint8Array(await file.arrayBuffer()));
  expect(outputs(await loadLayersModel(`file://${folder}/mine.json`))).toEqual(outputs(model));
  await fsp.rm(folder, { recursive: true });
});

describe('http', () => {
  let server: Server;
  const files = new Map<string, Uint8Array>();
  const asked: string[] = [];
  let base = '';
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      asked.push(request.url!);
      if (request.method === 'POST') {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk);
        const form = await new Response(Buffer.concat(chunks), { headers: request.headers as never }).formData();
        for (const [name, file] of form) files.set(`/${name}`, new Uint8Array(await (file as File).arrayBuffer()));
        response.end('thank you');
        return;
      }
      const found = files.get(request.url!.replace(/\?.*/, ''));
      response.writeHead(found ? 200 : 404).end(found);
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    base = `http://localhost:${(server.address() as AddressInfo).port}`;
    return () => void server.close();
  });

  test('posts a model as TensorFlow.js does, and loads it, telling of the way', async () => {
    const model = network();
    const { responses } = await model.save(`${base}/upload`);
    expect(await responses![0].text()).toBe('thank you');
    const progress: number[] = [];
    const loaded = await loadLayersModel(`${base}/model.json?token=7`, { onProgress: (part) => progress.push(part) });
    expect(outputs(loaded)).toEqual(outputs(model));
    expect(progress).toEqual([0, 1]);
    expect(asked.at(-1)).toBe('/model.weights.bin?token=7');
    const own = files.get('/model.weights.bin');
    const upload = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [3] })] });
    await upload.save(`${base}/upload`);
    expect(files.get('/model.weights.bin')).not.toEqual(own);
    const theirOutputs = [...(upload.predict(tfc.tensor(x, [2, 3])) as tfc.Tensor).dataSync()];
    close(outputs(await loadLayersModel(`${base}/model.json`)), theirOutputs);
    await expect(model.save(`${base.replace(/\d+$/, '1')}/upload`)).rejects.toThrow(/must be reachable/);
  });

  test('weights may lie elsewhere', async () => {
    const model = network();
    await model.save(`${base}/upload`);
    files.set('/deep/w.bin', files.get('/model.weights.bin')!);
    files.set('/elsewhere/model.weights.bin', files.get('/model.weights.bin')!);
    files.delete('/model.weights.bin');
    const at = `${base}/model.json`;
    const convert = async (name: string) => `${base}/deep/${name.replace('model.weights', 'w')}`;
    expect(outputs(await loadLayersModel(at, { weightUrlConverter: convert }))).toEqual(outputs(model));
    expect(outputs(await loadLayersModel(at, { weightPathPrefix: `${base}/elsewhere/` }))).toEqual(outputs(model));
    await expect(loadLayersModel(at)).rejects.toThrow(/model.weights.bin must be there; the server says 404/);
  });

  test('loadWeights fetches only the groups that are wanted', async () => {
    const { data, specs } = await io.encodeWeights({ a: tensor([1, 2]), b: tensor([3], [1], 'int32') });
    files.set('/w1', new Uint8Array(data, 0, 3));
    files.set('/w2', new Uint8Array(data, 3));
    files.set('/w3', new Uint8Array(data));
    const manifest = [
      { paths: ['w1', 'w2'], weights: specs },
      { paths: ['w3'], weights: specs.map((spec) => ({ ...spec, name: `${spec.name}2` })) },
    ];
    const all = await io.loadWeights(manifest, base);
    expect(Object.keys(all)).toEqual(['a', 'b', 'a2', 'b2']);
    expect([all.b2.arraySync(), all.b2.dtype]).toEqual([[3], 'int32']);
    asked.length = 0;
    expect(Object.keys(await io.loadWeights(manifest, base, ['b']))).toEqual(['b']);
    expect(asked.sort()).toEqual(['/w1', '/w2']);
    await expect(io.loadWeights(manifest, base, ['c'])).rejects.toThrow(
      /list each wanted weight; c not in a, b, a2, b2/,
    );
    files.set('/w2', new Uint8Array(data, 4));
    await expect(io.loadWeights(manifest, base)).rejects.toThrow(/w1, w2 must hold 12 bytes.*got 11/);
  });
});

test('a stream of any pieces gives the tensors, and one that ends early says which is missing', async () => {
  const { data, specs } = await io.encodeWeights({
    a: tensor(values(5)),
    empty: tensor([], [0]),
    b: tensor([true], [1], 'bool'),
  });
  for (const size of [1, 3, 7, 100]) {
    const pieces = Array.from({ length: Math.ceil(data.byteLength / size) }, (_, i) =>
      data.slice(i * size, (i + 1) * size),
    );
    const stream = new ReadableStream<ArrayBuffer>({
      pull: (controller) => (pieces.length > 0 ? controller.enqueue(pieces.shift()!) : controller.close()),
    });
    const tensors = await io.decodeWeightsStream(stream, specs);
    expect([...tensors.a.dataSync(), ...tensors.b.dataSync()]).toEqual([...Float32Array.from(values(5)), 1]);
    expect(tensors.empty.shape).toEqual([0]);
  }
  const short = new Response(data.slice(0, 9)).body!;
  await expect(io.decodeWeightsStream(short, specs)).rejects.toThrow(/a must have 20 bytes; the stream ends after 9/);
});

test('CompositeArrayBuffer slices as one buffer does', () => {
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => i);
  const shards = [bytes.slice(0, 3), bytes.slice(3, 3), bytes.slice(3, 11), bytes.slice(11)];
  const composite = new io.CompositeArrayBuffer(shards);
  expect(composite.byteLength).toBe(20);
  for (let start = -22; start <= 22; start++) {
    expect(new Uint8Array(composite.slice(start))).toEqual(new Uint8Array(bytes.buffer.slice(start)));
    for (const end of [-3, 0, 4, 11, 25]) {
      expect(new Uint8Array(composite.slice(start, end))).toEqual(new Uint8Array(bytes.buffer.slice(start, end)));
    }
  }
  expect(new io.CompositeArrayBuffer().slice().byteLength).toBe(0);
  expect(new Uint8Array(io.CompositeArrayBuffer.join(shards.map((shard) => shard.buffer)))).toEqual(bytes);
});

test('artifacts of a JSON with and without weights', async () => {
  const json = { modelTopology: {}, format: 'layers-model', weightsManifest: [{ paths: ['w'], weights: [] }] };
  expect(io.getWeightSpecs(json.weightsManifest)).toEqual([]);
  const loaded = await io.getModelArtifactsForJSON(json, async () => [[], new ArrayBuffer(0)]);
  expect(Object.keys(loaded).sort()).toEqual(['format', 'modelTopology', 'weightData', 'weightSpecs']);
  expect(() => io.getModelArtifactsForJSONSync(json)).toThrow(/needs its weights; weightSpecs is missing/);
  const artifacts: ModelArtifacts = { modelTopology: {} };
  expect(io.fromMemorySync(artifacts).load!()).toBe(artifacts);
  const info = { modelArtifactsInfo: io.getModelArtifactsInfoForJSON(artifacts) };
  expect(io.withSaveHandlerSync(() => info).save!(artifacts)).toBe(info);
});
