/**
 * Where bytes of a dataset come from: a file, a URL, or bytes at hand, in chunks. Knows nothing of what is in them. Sources:
 * tf.data.FileDataSource and URLDataSource of TensorFlow.js.
 */
import { fail, UserError } from '../../base/errors.ts';
import { inNode } from '../files.ts';
import { fromIterator, type Stream } from './streams.ts';

export interface FileChunkOptions {
  /** Bytes to begin at; default 0. */
  offset?: number;
  /** Bytes in a chunk; default 1 MiB. */
  chunkSize?: number;
}

export abstract class DataSource {
  /** Begins to read; the chunks in their order. */
  abstract iterator(): Promise<Stream<Uint8Array>>;
}

/** What holds a file: a Blob or File, bytes, or in Node a path. */
export type FileElement = Blob | Uint8Array | ArrayBuffer | string;

/** `file:///absolute`, `file://relative` as TensorFlow.js has it, or a path. */
async function pathOf(text: string): Promise<string> {
  if (!text.startsWith('file://')) return text;
  if (!text.startsWith('file:///')) return decodeURIComponent(text.slice('file://'.length));
  return (await import('node:url')).fileURLToPath(text);
}

async function* readPath(path: string, start: number, chunkSize: number): AsyncGenerator<Uint8Array> {
  const { open } = await import('node:fs/promises');
  const wrong = (cause: unknown): never => {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UserError(`[data] ${path} must be a readable file; reading it failed with ${code}`, { cause });
  };
  const file = await open(path, 'r').catch(wrong);
  try {
    for (let at = start; ; ) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(chunkSize), 0, chunkSize, at).catch(wrong);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* readBytes(
  bytes: Uint8Array | Blob,
  size: number,
  start: number,
  chunkSize: number,
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < size; at += chunkSize) {
    const end = Math.min(size, at + chunkSize);
    if (bytes instanceof Uint8Array) yield bytes.subarray(at, end);
    else yield new Uint8Array(await bytes.slice(at, end).arrayBuffer());
  }
}

export class FileDataSource extends DataSource {
  readonly input: FileElement;
  readonly #offset: number;
  readonly #chunkSize: number;

  constructor(input: FileElement, options: FileChunkOptions = {}) {
    super();
    this.input = input;
    const count = (name: string, value: number, least: number) => {
      if (Number.isSafeInteger(value) && value >= least) return value;
      return fail('data.FileDataSource', `${name} must be an integer of at least ${least}`, `got ${value}`);
    };
    this.#offset = count('offset', options.offset ?? 0, 0);
    this.#chunkSize = count('chunkSize', options.chunkSize ?? 2 ** 20, 1);
    const known =
      typeof input === 'string' ||
      input instanceof Uint8Array ||
      input instanceof ArrayBuffer ||
      (typeof Blob === 'function' && input instanceof Blob);
    if (!known) fail('data.FileDataSource', 'a file must be a Blob, bytes or a path', `got ${typeof input}`);
    if (typeof input === 'string' && !inNode) {
      const hint = 'pass the File of an input element, or use tf.data.URLDataSource';
      fail('data.FileDataSource', 'a path needs a file system', 'there is none in a browser', hint);
    }
  }

  override async iterator(): Promise<Stream<Uint8Array>> {
    const { input } = this;
    if (typeof input === 'string') return fromIterator(readPath(await pathOf(input), this.#offset, this.#chunkSize));
    const bytes = input instanceof ArrayBuffer ? new Uint8Array(input) : input;
    const size = bytes instanceof Uint8Array ? bytes.byteLength : bytes.size;
    return fromIterator(readBytes(bytes, size, this.#offset, this.#chunkSize));
  }
}

async function* readResponse(url: string | Request): AsyncGenerator<Uint8Array> {
  const name = typeof url === 'string' ? url : url.url;
  const response = await fetch(url).catch((cause: unknown) => {
    throw new UserError(`[data] ${name} must be reachable; ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  });
  if (!response.ok)
    fail('data', `${name} must be there`, `the server answered ${response.status} ${response.statusText}`);
  if (!response.body) return;
  const reader = response.body.getReader();
  try {
    for (let item = await reader.read(); !item.done; item = await reader.read()) yield item.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

export class URLDataSource extends DataSource {
  readonly url: string | Request;
  readonly #options: FileChunkOptions;

  /** @param url http(s), or in Node `file://` or a path */
  constructor(url: string | Request, fileOptions: FileChunkOptions = {}) {
    super();
    this.url = url;
    this.#options = fileOptions;
  }

  override async iterator(): Promise<Stream<Uint8Array>> {
    const { url } = this;
    const local =
      typeof url === 'string' && (url.startsWith('file://') || (inNode && !/^[a-z][a-z0-9+.-]+:/i.test(url)));
    if (local) return new FileDataSource(url, this.#options).iterator();
    return fromIterator(readResponse(url));
  }
}
