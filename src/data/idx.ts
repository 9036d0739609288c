/**
 * The idx format of MNIST and its kin: a big-endian header (two zero bytes, an element type, a rank, the sizes) and the
 * elements. Reads raw and gzipped files, in Node and in browsers. Knows nothing of what the numbers mean.
 *
 * A file is not believed: unpacking stops at a limit, and the sizes in the header must account for exactly the bytes
 * that are there before anything is allocated from them.
 */
import { UserError } from '../base/errors.ts';

export type IdxData = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

export interface IdxArray<T extends IdxData = IdxData> {
  readonly shape: readonly number[];
  readonly data: T;
}

export interface IdxOptions {
  /** Named in errors. */
  name?: string;
  /** The rank that the file must have. */
  rank?: number;
  /** Unpacking a gzipped file stops beyond this many bytes. Default: 1 GiB. */
  maxBytes?: number;
}

const defaultMaxBytes = 2 ** 30;

interface ElementType {
  readonly bytes: number;
  read(view: DataView, offset: number, count: number): IdxData;
}

/** How each element type of the header's third byte is read. */
const elementTypes: Readonly<Record<number, ElementType>> = {
  // Bytes are a view, not a copy: MNIST's 47 MB stay where they were unpacked.
  8: { bytes: 1, read: (view, at, n) => new Uint8Array(view.buffer, view.byteOffset + at, n) },
  9: { bytes: 1, read: (view, at, n) => new Int8Array(view.buffer, view.byteOffset + at, n) },
  11: { bytes: 2, read: (view, at, n) => new Int16Array(n).map((_, i) => view.getInt16(at + 2 * i)) },
  12: { bytes: 4, read: (view, at, n) => new Int32Array(n).map((_, i) => view.getInt32(at + 4 * i)) },
  13: { bytes: 4, read: (view, at, n) => new Float32Array(n).map((_, i) => view.getFloat32(at + 4 * i)) },
  14: { bytes: 8, read: (view, at, n) => new Float64Array(n).map((_, i) => view.getFloat64(at + 8 * i)) },
};

/** Reads an idx file's bytes, gzipped or raw. */
export async function readIdx(bytes: Uint8Array, options: IdxOptions = {}): Promise<IdxArray> {
  return parseIdx(await unpack(bytes, options), options);
}

/** Reads an idx file of unsigned bytes, which is what images and labels are. */
export async function readIdxBytes(bytes: Uint8Array, options: IdxOptions = {}): Promise<IdxArray<Uint8Array>> {
  const { shape, data } = await readIdx(bytes, options);
  if (!(data instanceof Uint8Array)) {
    throw new UserError(
      `[idx] ${nameOf(options)} must hold unsigned bytes; it holds ${data.constructor.name} elements; is it the right file?`,
    );
  }
  return { shape, data };
}

/** Reads an unpacked idx file. */
export function parseIdx(bytes: Uint8Array, options: IdxOptions = {}): IdxArray {
  const name = nameOf(options);
  if (bytes.length < 4) {
    throw new UserError(
      `[idx] ${name} must have a header of at least 4 bytes; it has ${bytes.length}; is it truncated?`,
    );
  }
  const type = elementTypes[bytes[2]];
  if (bytes[0] !== 0 || bytes[1] !== 0 || type === undefined) {
    const magic = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new UserError(
      `[idx] ${name} must begin with 00 00 and an element type of 08 to 0e; it begins with ${magic}; is it an idx file?`,
    );
  }
  const rank = bytes[3];
  if (options.rank !== undefined && rank !== options.rank) {
    throw new UserError(
      `[idx] ${name} must have rank ${options.rank}; its header says rank ${rank}; are images and labels exchanged?`,
    );
  }
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes) {
    throw new UserError(
      `[idx] ${name} must have a header of ${headerBytes} bytes for rank ${rank}; it has ${bytes.length} bytes in all; is it truncated?`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  // A product of 32-bit sizes may leave the exact integers; a wrong one is then far larger than any file.
  const count = shape.reduce((product, size) => product * size, 1);
  const needed = headerBytes + count * type.bytes;
  if (needed !== bytes.length) {
    const verdict = needed > bytes.length ? 'is it truncated?' : 'is there something behind its end?';
    throw new UserError(
      `[idx] ${name} must have ${needed} bytes for the shape [${shape}] in its header; it has ${bytes.length}; ${verdict}`,
    );
  }
  return { shape, data: type.read(view, headerBytes, count) };
}

/** The bytes themselves, or, where they begin as gzip does, what they unpack to. */
export async function unpack(bytes: Uint8Array, options: IdxOptions = {}): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const limit = options.maxBytes ?? defaultMaxBytes;
  const chunks: Uint8Array[] = [];
  let total = 0;
  const reader = new Blob([bytes as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('gzip'))
    .getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new UserError(
        `[idx] ${nameOf(options)} must be a whole gzip file; it is truncated or corrupt (${reasonOf(cause)}); get it again`,
        { cause },
      );
    });
    if (done) break;
    total += value.length;
    if (total > limit) {
      await reader.cancel().catch(() => {});
      throw new UserError(
        `[idx] ${nameOf(options)} must unpack to at most ${limit} bytes; it goes on beyond them; is it the right file?`,
      );
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function nameOf(options: IdxOptions): string {
  return options.name ?? 'the file';
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
