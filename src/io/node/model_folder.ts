/**
 * A model in a folder of the file system: model.json and a weights file named by its content's hash.
 *
 * Saving is atomic. The new weights get a name of their own, so they never replace what the old model.json refers to; then
 * model.json is replaced by one rename, and only after that are the old weights removed. Wherever it stops (a crash, a full
 * disk), model.json is either the old one or the new one, and the weights it refers to are there in full.
 */
import { createHash } from 'node:crypto';
import * as fileSystem from 'node:fs/promises';
import path from 'node:path';
import { fail, UserError } from '../../base/errors.ts';
import {
  getWeightSpecs,
  type ModelArtifacts,
  type ModelJson,
  modelJsonOf,
  parseModelJson,
  weightBytes,
} from '../formats/layers_model.ts';
import { totalBytes } from '../formats/weights.ts';

/** The part of node:fs/promises that is used; tests put a failing disk in its place. */
export type FileSystem = Pick<
  typeof fileSystem,
  'mkdir' | 'open' | 'readFile' | 'readdir' | 'realpath' | 'rename' | 'rm' | 'stat'
>;

const jsonName = 'model.json';
const weightsPattern = /^weights\.[0-9a-f]{16}\.bin$/;
const temporaryPattern = /^\.(?:model\.json|weights\.[0-9a-f]{16}\.bin)\.\d+\.\d+\.tmp$/;
/** Temporary files of a killed save are removed by a later one, when they are surely nobody's any more. */
const abandonedAfter = 3600_000;
/** A model.json larger than this is no model.json. */
const largestJson = 256 * 2 ** 20;

let saves = 0;

export async function saveModelFolder(
  folder: string,
  artifacts: ModelArtifacts,
  fs: FileSystem = fileSystem,
): Promise<void> {
  const bytes = weightBytes(artifacts.weightData);
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const weightsName = `weights.${hash}.bin`;
  const json = new TextEncoder().encode(JSON.stringify(modelJsonOf(artifacts, weightsName)));
  try {
    await fs.mkdir(folder, { recursive: true });
    const before = await ownWeights(folder, fs);
    await replaceFile(folder, weightsName, bytes, fs);
    await replaceFile(folder, jsonName, json, fs);
    await removeOld(
      folder,
      [...before].filter((name) => name !== weightsName),
      fs,
    );
  } catch (error) {
    explain(folder, bytes.byteLength + json.byteLength, error);
  }
}

/** Writes a file so that it is either the old one or the whole new one, whatever happens. */
export async function replaceFile(
  folder: string,
  name: string,
  bytes: Uint8Array,
  fs: FileSystem = fileSystem,
): Promise<void> {
  const temporary = path.join(folder, `.${name}.${process.pid}.${saves++}.tmp`);
  try {
    const file = await fs.open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path.join(folder, name));
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(folder, fs);
}

/** Makes a rename last through a power cut, where the system lets folders be flushed. */
async function syncFolder(folder: string, fs: FileSystem): Promise<void> {
  const handle = await fs.open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** Weights files of our naming that the model.json in the folder refers to. */
async function ownWeights(folder: string, fs: FileSystem): Promise<Set<string>> {
  try {
    const { weightsManifest } = parseModelJson('save', await fs.readFile(path.join(folder, jsonName), 'utf8'));
    return new Set(weightsManifest.flatMap((group) => group.paths).filter((name) => weightsPattern.test(name)));
  } catch {
    // No model there, or none that can be read: nothing to remove later.
    return new Set();
  }
}

/** The new model is in place: what fails here leaves litter, not damage. */
async function removeOld(folder: string, names: readonly string[], fs: FileSystem): Promise<void> {
  const remove = (name: string) => fs.rm(path.join(folder, name), { force: true }).catch(() => {});
  for (const name of names) await remove(name);
  for (const name of await fs.readdir(folder).catch(() => [])) {
    if (!temporaryPattern.test(name)) continue;
    const info = await fs.stat(path.join(folder, name)).catch(() => null);
    if (info && Date.now() - info.mtimeMs > abandonedAfter) await remove(name);
  }
}

/** Removes a model's model.json, and then the weights it refers to; what else lies in the folder stays. Null where none is. */
export async function removeModelFolder(file: string, fs: FileSystem = fileSystem): Promise<ModelArtifacts | null> {
  const folder = path.basename(file) === jsonName ? path.dirname(file) : file;
  const text = await fs.readFile(path.join(folder, jsonName), 'utf8').catch(() => null);
  if (text === null) return null;
  const { weightsManifest, ...rest } = parseModelJson('removeModel', text);
  await fs.rm(path.join(folder, jsonName));
  for (const name of weightsManifest.flatMap((group) => group.paths))
    await fs.rm(path.join(folder, name), { force: true });
  return { ...rest, weightSpecs: getWeightSpecs(weightsManifest) };
}

function explain(folder: string, bytes: number, error: unknown): never {
  if (error instanceof UserError) throw error;
  const { code, message } = error as NodeJS.ErrnoException;
  const kept = 'a model that was there before is untouched';
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return fail(
        'save',
        `the disk must have room for ${bytes} bytes in ${folder}`,
        'it is full',
        `free some; ${kept}`,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return fail('save', `${folder} must be writable`, message, kept);
    case 'EEXIST':
    case 'ENOTDIR':
      return fail('save', `${folder} must be a folder`, 'there is a file of that name', 'choose another name');
    default:
      return fail('save', `${folder} must take the model`, message, kept);
  }
}

/** Loads from a model.json, or from the folder it lies in. */
export async function loadModelFolder(file: string, fs: FileSystem = fileSystem): Promise<ModelArtifacts> {
  const op = 'loadLayersModel';
  const info = await stat(op, file, fs);
  const jsonFile = info.isDirectory() ? path.join(file, jsonName) : file;
  for (let attempt = 0; ; attempt++) {
    const text = await readText(op, jsonFile, fs);
    const { weightsManifest, ...json } = parseModelJson(op, text);
    try {
      const weightData = await readWeights(op, path.dirname(jsonFile), weightsManifest, fs);
      return { ...json, weightSpecs: getWeightSpecs(weightsManifest), weightData };
    } catch (error) {
      // A save by another process may just have replaced the model and removed its old weights.
      const replaced = attempt === 0 && (await fs.readFile(jsonFile, 'utf8').catch(() => text)) !== text;
      if (!replaced) throw error;
    }
  }
}

async function stat(op: string, file: string, fs: FileSystem) {
  try {
    return await fs.stat(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const came = code === 'ENOENT' || code === 'ENOTDIR' ? 'it is not' : message;
    fail(op, `${file} must be there`, came, 'check the path: file://folder/model.json');
  }
}

async function readText(op: string, file: string, fs: FileSystem): Promise<string> {
  const { size } = await stat(op, file, fs);
  if (size > largestJson) fail(op, `${file} must be smaller than ${largestJson} bytes`, `it has ${size}`);
  return fs.readFile(file, 'utf8');
}

/** Reads the weight files into one buffer, whose size model.json and the files agree on before it is made. */
async function readWeights(
  op: string,
  folder: string,
  manifest: ModelJson['weightsManifest'],
  fs: FileSystem,
): Promise<ArrayBuffer> {
  const root = await fs.realpath(folder);
  const files: { name: string; size: number }[] = [];
  for (const { paths, weights } of manifest) {
    let found = 0;
    for (const name of paths) {
      const file = path.join(folder, name);
      const info = await stat(op, file, fs);
      const inside = path.relative(root, await fs.realpath(file));
      if (inside.startsWith('..') || path.isAbsolute(inside)) {
        fail(op, "a weight file must lie in the model's folder", `${name} is a link to ${inside}`, 'copy it there');
      }
      if (!info.isFile()) fail(op, `${file} must be a file`, 'it is not');
      found += info.size;
      files.push({ name: file, size: info.size });
    }
    const expected = totalBytes(weights);
    if (found !== expected) {
      const hint = found < expected ? 'is a file truncated?' : 'do they belong to another model.json?';
      fail(op, `${paths.join(', ')} must hold ${expected} bytes, as model.json says`, `there are ${found}`, hint);
    }
  }
  const out = new Uint8Array(files.reduce((total, { size }) => total + size, 0));
  let offset = 0;
  for (const { name, size } of files) {
    const bytes = await fs.readFile(name);
    if (bytes.length !== size)
      fail(op, `${name} must not change while it is read`, `it went from ${size} to ${bytes.length} bytes`);
    out.set(bytes, offset);
    offset += size;
  }
  return out.buffer;
}
