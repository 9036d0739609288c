/** tf.data.TextLineDataset: the lines of a text in UTF-8. Source: tf.data.TextLineDataset of TensorFlow.js. */
import { fail } from '../../base/errors.ts';
import { Dataset, DatasetIterator } from './dataset.ts';
import type { DataSource } from './sources.ts';
import { fromIterator, type Stream } from './streams.ts';

/** Lines without their ends, \n or \r\n; a last line needs none. Works for any chunks, also where one ends inside of a character. */
export async function* linesOf(chunks: Stream<Uint8Array>): AsyncGenerator<string> {
  // A byte order mark is no text.
  const decoder = new TextDecoder('utf-8');
  const parts: string[] = [];
  const line = (end: string): string => {
    const whole = parts.length === 0 ? end : parts.splice(0).join('') + end;
    return whole.endsWith('\r') ? whole.slice(0, -1) : whole;
  };
  try {
    for (let item = await chunks.next(); !item.done; item = await chunks.next()) {
      const text = decoder.decode(item.value, { stream: true });
      let start = 0;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        yield line(text.slice(start, end));
        start = end + 1;
      }
      if (start < text.length) parts.push(text.slice(start));
    }
    const rest = decoder.decode();
    if (rest !== '' || parts.length > 0) yield line(rest);
  } finally {
    await chunks.return();
  }
}

export class TextLineDataset extends Dataset<string> {
  readonly input: DataSource;

  /** @param input tf.data.URLDataSource or tf.data.FileDataSource */
  constructor(input: DataSource) {
    super();
    if (typeof input?.iterator !== 'function') {
      const hint = 'pass new tf.data.URLDataSource(url) or new tf.data.FileDataSource(file)';
      fail('data.TextLineDataset', 'lines need a data source', `got ${typeof input}`, hint);
    }
    this.input = input;
  }

  override async iterator(): Promise<DatasetIterator<string>> {
    return new DatasetIterator(fromIterator(linesOf(await this.input.iterator())));
  }
}
