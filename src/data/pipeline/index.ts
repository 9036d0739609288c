/** tf.data: input pipelines, with TensorFlow.js's names. */
import { fail } from '../../base/errors.ts';

export { csv, type ColumnConfig, type CSVConfig, CSVDataset } from './csv.ts';
export { array, Dataset, type DatasetContainer, type DatasetIterator, func, generator, zip } from './dataset.ts';
export { DataSource, type FileChunkOptions, FileDataSource, type FileElement, URLDataSource } from './sources.ts';
export { TextLineDataset } from './text.ts';

/** The camera is a browser's: here frames come from tf.browser.fromPixels. Not supported. */
export async function webcam(): Promise<never> {
  const hint = 'give frames by tf.data.generator with tf.browser.fromPixels';
  return fail('data.webcam', 'a camera is not supported', undefined, hint);
}

/** The microphone is a browser's: here samples come from tf.data.generator. Not supported. */
export async function microphone(): Promise<never> {
  return fail('data.microphone', 'a microphone is not supported', undefined, 'give samples by tf.data.generator');
}
