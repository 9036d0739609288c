/**
 * `datasets.mnist` and `datasets.fashionMnist`: labelled 28x28 images as plain arrays or as tensors. Looks for the
 * official idx files in a folder that the caller names, then in the cache that `tensorloom download` fills; MNIST falls
 * back to the 10,000 digits that come with the package. Knows nothing of models.
 */
import { UserError } from '../base/errors.ts';
import { Mulberry } from '../base/mulberry.ts';
import { bundledFolder, type FoundFile, findFiles, inNode } from './files.ts';
import { readIdxBytes } from './idx.ts';
import { fashionMnistManifest, type Manifest, mnistManifest } from './manifest.ts';

type Tensors = typeof import('../tensor/index.ts');

export interface LoadOptions {
  /**
   * Folder of the four official files (`train-images-idx3-ubyte`, ...), raw or with `.gz`; in browsers a URL. Without
   * it the cache is looked into, and then the data that come with the package.
   */
  dir?: string;
  /** `'bundled'` takes the digits that come with the package even where the cache holds the full set. */
  source?: 'auto' | 'bundled';
  /** Share of the bundled digits that is held out for testing, default 0.1. The official files bring their own split. */
  testFraction?: number;
  /** Shuffles the images: the bundled ones before they are split, the official training images among themselves. */
  seed?: number;
}

export interface ImageArrays {
  /** Pixels in 0..1, of `shape`. */
  images: Float32Array;
  /** Classes, 0 to 9. */
  labels: Int32Array;
  /** `[n, 28, 28, 1]` */
  shape: [number, number, number, number];
}

export interface ImageDataset<T> {
  train: T;
  test: T;
  /** Where the data came from: `bundled` or the folder. */
  source: string;
}

export interface ImageTensors {
  /** float32 `[n, 28, 28, 1]`, in 0..1. */
  x: ReturnType<Tensors['tensor4d']>;
  /** int32 `[n]`, the classes 0 to 9. */
  y: ReturnType<Tensors['tensor1d']>;
}

export interface ImageDatasetLoader {
  /** The dataset as tensors. */
  loadData(options?: LoadOptions): Promise<ImageDataset<ImageTensors>>;
  /** The dataset as typed arrays. */
  loadArrays(options?: LoadOptions): Promise<ImageDataset<ImageArrays>>;
  /** What each label means. */
  readonly classNames: readonly string[];
}

/** Images and labels as they are in the files. */
interface RawImages {
  pixels: Uint8Array;
  labels: Uint8Array;
}

const side = 28;
const imageSize = side * side;
const classes = 10;

export const mnist: ImageDatasetLoader = loader(
  'mnist',
  mnistManifest,
  ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  { bundled: 'mnist' },
);

export const fashionMnist: ImageDatasetLoader = loader(
  'fashionMnist',
  fashionMnistManifest,
  ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
  // Debian's package dataset-fashion-mnist.
  { system: '/usr/share/datasets/fashion-mnist' },
);

/** Where a dataset may be, besides the caller's folder and the cache. */
interface Fallbacks {
  bundled?: string;
  system?: string;
}

function loader(op: string, manifest: Manifest, classNames: string[], fallbacks: Fallbacks): ImageDatasetLoader {
  async function loadArrays(options: LoadOptions = {}): Promise<ImageDataset<ImageArrays>> {
    checkOptions(op, options, fallbacks);
    const official = await findOfficial(op, manifest, options, fallbacks);
    if (official) {
      const [train, test] = official.sets;
      const order = options.seed === undefined ? undefined : permutation(train.labels.length, options.seed);
      return { train: toArrays(train, order), test: toArrays(test), source: official.folder };
    }
    const bundled = await readBundled(op, fallbacks.bundled as string);
    const count = bundled.labels.length;
    const held = Math.min(count - 1, Math.max(1, Math.round(count * (options.testFraction ?? 0.1))));
    const order = options.seed === undefined ? range(count) : permutation(count, options.seed);
    return {
      train: toArrays(bundled, order.subarray(0, count - held)),
      test: toArrays(bundled, order.subarray(count - held)),
      source: 'bundled',
    };
  }

  async function loadData(options?: LoadOptions): Promise<ImageDataset<ImageTensors>> {
    const [arrays, { tensor1d, tensor4d }] = await Promise.all([loadArrays(options), import('../tensor/index.ts')]);
    const toTensors = ({ images, labels, shape }: ImageArrays): ImageTensors => ({
      x: tensor4d(images, shape, 'float32'),
      y: tensor1d(labels, 'int32'),
    });
    return { train: toTensors(arrays.train), test: toTensors(arrays.test), source: arrays.source };
  }

  return { loadArrays, loadData, classNames };
}

function checkOptions(op: string, options: LoadOptions, fallbacks: Fallbacks): void {
  const { dir, source = 'auto', testFraction, seed } = options;
  if (testFraction !== undefined && !(testFraction > 0 && testFraction < 1)) {
    throw new UserError(`[${op}] testFraction must lie between 0 and 1; it is ${testFraction}; try 0.1`);
  }
  if (seed !== undefined && !Number.isInteger(seed)) {
    throw new UserError(`[${op}] seed must be an integer; it is ${seed}; try 1`);
  }
  if (source !== 'auto' && source !== 'bundled') {
    throw new UserError(`[${op}] source must be 'auto' or 'bundled'; it is '${source}'`);
  }
  if (source === 'bundled' && !fallbacks.bundled) {
    throw new UserError(`[${op}] source must be 'auto'; it is 'bundled', and no data of it come with the package`);
  }
  if (source === 'bundled' && dir !== undefined) {
    throw new UserError(
      `[${op}] source 'bundled' and dir exclude each other; dir is '${dir}'; leave out one of the two`,
    );
  }
}

/** The official files from the caller's folder, the cache or the system; undefined if the bundled ones are to be taken. */
async function findOfficial(
  op: string,
  manifest: Manifest,
  options: LoadOptions,
  fallbacks: Fallbacks,
): Promise<{ sets: [RawImages, RawImages]; folder: string } | undefined> {
  if (options.source === 'bundled') return undefined;
  const names = manifest.files.map((file) => file.name);
  const folders = options.dir !== undefined ? [options.dir] : await usualFolders(manifest, fallbacks);
  for (const folder of folders) {
    const files = await findFiles(folder, names);
    const missing = names.filter((_, i) => files[i] === undefined);
    if (missing.length === 0) return { sets: await readSets(op, files as FoundFile[]), folder };
    // A cache that a download has not finished filling is passed over; a folder that was asked for is not.
    if (options.dir !== undefined) {
      throw new UserError(
        `[${op}] dir must hold ${names.join(', ')}, each raw or with .gz; '${folder}' lacks ${missing.join(', ')}; ` +
          `get them with: npx tensorloom download ${manifest.name} --to ${folder}`,
      );
    }
  }
  if (fallbacks.bundled) return undefined;
  throw new UserError(
    `[${op}] the dataset must be at hand; ${folders.length ? `it is not in ${folders.join(' nor in ')}` : 'no dir is given'}; ` +
      `get it with: npx tensorloom download ${manifest.name}, or name its folder with { dir }`,
  );
}

async function usualFolders(manifest: Manifest, fallbacks: Fallbacks): Promise<string[]> {
  if (!inNode) return [];
  const { cacheFolder } = await import('./cache.ts');
  const cache = cacheFolder(manifest.name);
  return fallbacks.system ? [cache, fallbacks.system] : [cache];
}

async function readSets(op: string, files: readonly FoundFile[]): Promise<[RawImages, RawImages]> {
  const [trainImages, trainLabels, testImages, testLabels] = files;
  return Promise.all([readPair(op, trainImages, trainLabels), readPair(op, testImages, testLabels)]);
}

async function readBundled(op: string, folder: string): Promise<RawImages> {
  const where = bundledFolder(folder);
  const [images, labels] = await findFiles(where, ['images-idx3-ubyte', 'labels-idx1-ubyte']);
  if (!images || !labels) {
    throw new UserError(
      `[${op}] the data that come with the package must be in ${where}; they are not there; ` +
        'install the package again, or serve its assets/ beside its dist/',
    );
  }
  return readPair(op, images, labels);
}

async function readPair(op: string, imageFile: FoundFile, labelFile: FoundFile): Promise<RawImages> {
  // MNIST's largest file unpacks to 47 MB; nothing of its kind is a hundred times that.
  const maxBytes = 2 ** 32;
  const [images, labels] = await Promise.all([
    readIdxBytes(imageFile.bytes, { name: imageFile.name, rank: 3, maxBytes }),
    readIdxBytes(labelFile.bytes, { name: labelFile.name, rank: 1, maxBytes }),
  ]);
  const [count, height, width] = images.shape;
  if (height !== side || width !== side || count < 1) {
    throw new UserError(
      `[${op}] images must have the shape [n,${side},${side}] with n of at least 1; ${imageFile.name} has [${images.shape}]`,
    );
  }
  if (count !== labels.data.length) {
    throw new UserError(
      `[${op}] there must be one label for each image; ${imageFile.name} has ${count} images and ${labelFile.name} ` +
        `${labels.data.length} labels; are they of the same set?`,
    );
  }
  const bad = labels.data.findIndex((label) => label >= classes);
  if (bad >= 0) {
    throw new UserError(
      `[${op}] labels must be 0 to ${classes - 1}; ${labelFile.name} has ${labels.data[bad]} at index ${bad}`,
    );
  }
  return { pixels: images.data, labels: labels.data };
}

/** Scales to 0..1, in the given order (default: as they are). */
function toArrays({ pixels, labels }: RawImages, order?: Int32Array): ImageArrays {
  const count = order?.length ?? labels.length;
  const images = new Float32Array(count * imageSize);
  const classesInOrder = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const from = order ? order[i] : i;
    classesInOrder[i] = labels[from];
    const shift = from * imageSize - i * imageSize;
    for (let at = i * imageSize; at < (i + 1) * imageSize; at++) images[at] = pixels[at + shift] / 255;
  }
  return { images, labels: classesInOrder, shape: [count, side, side, 1] };
}

function range(count: number): Int32Array {
  return new Int32Array(count).map((_, i) => i);
}

/** A shuffled 0..count-1: Fisher-Yates over mulberry32. */
function permutation(count: number, seed: number): Int32Array {
  const order = range(count);
  new Mulberry(seed).shuffle(order);
  return order;
}
