/** Datasets by name, as users see them: `datasets.mnist.loadData()`. */
import { fashionMnist, mnist } from './mnist.ts';

export const datasets = { mnist, fashionMnist };

export type { ImageArrays, ImageDataset, ImageDatasetLoader, ImageTensors, LoadOptions } from './mnist.ts';
export * as data from './pipeline/index.ts';
