import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { parseIdx, readIdx, readIdxBytes, unpack } from './idx.ts';

function idx(type: number, shape: number[], body: Uint8Array | number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  shape.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([header, Buffer.from(body)]);
}

describe('idx', () => {
  const bytes = idx(8, [2, 3], [1, 2, 3, 4, 5, 255]);

  it('reads raw and gzipped files alike', async () => {
    for (const file of [bytes, gzipSync(bytes)]) {
      const { shape, data } = await readIdxBytes(file);
      expect(shape).toEqual([2, 3]);
      expect([...data]).toEqual([1, 2, 3, 4, 5, 255]);
    }
  });

  it.each([
    [0x09, [255], Int8Array.of(-1)],
    [0x0b, [0xff, 0xfe], Int16Array.of(-2)],
    [0x0c, [0, 0, 1, 0], Int32Array.of(256)],
    [0x0d, [0x3f, 0xc0, 0, 0], Float32Array.of(1.5)],
    [0x0e, [0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Float64Array.of(1.5)],
  ])('reads element type %i as big-endian', (type, body, expected) => {
    expect(parseIdx(idx(type, [1], body)).data).toEqual(expected);
  });

  it('reads empty arrays and scalars', () => {
    expect(parseIdx(idx(8, [0, 28], [])).shape).toEqual([0, 28]);
    expect(parseIdx(idx(8, [], [7])).data).toEqual(Uint8Array.of(7));
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['no bytes at all', new Uint8Array(0), /^\[idx\] x must have a header of at least 4 bytes; it has 0/],
    ['another magic', Buffer.from('PNG and more'), /must begin with 00 00.*it begins with 50 4e 47 20/],
    ['an unknown element type', idx(0x0a, [1], [1]), /element type of 08 to 0e; it begins with 00 00 0a 01/],
    ['another rank', idx(8, [1], [1]), /x must have rank 2; its header says rank 1/],
    ['a header cut off', idx(8, [2, 3], []).subarray(0, 9), /header of 12 bytes for rank 2; it has 9 bytes/],
    ['a body cut off', bytes.subarray(0, 15), /must have 18 bytes for the shape \[2,3\].*it has 15; is it truncated/],
    ['bytes behind the end', Buffer.concat([bytes, Buffer.from([1])]), /has 19; is there something behind/],
    [
      'sizes far beyond the file',
      idx(8, [0xffffffff, 0xffffffff], [1]),
      /must have .* bytes.*it has 13; is it truncated/,
    ],
  ])('refuses %s', async (_, file, message) => {
    await expect(readIdx(file, { name: 'x', rank: 2 })).rejects.toThrow(message);
    await expect(readIdx(file, { name: 'x', rank: 2 })).rejects.toThrow(UserError);
  });

  it('refuses a gzip file that is cut off, corrupt or empty', async () => {
    const packed = gzipSync(Uint8Array.from({ length: 4096 }, (_, i) => (i * i) >> 3));
    const corrupt = Uint8Array.from(packed);
    corrupt.fill(0x5a, 100, 140);
    const badChecksum = Uint8Array.from(packed);
    badChecksum[badChecksum.length - 6] ^= 1;
    for (const bad of [packed.subarray(0, 200), packed.subarray(0, 2), corrupt, badChecksum]) {
      await expect(unpack(bad, { name: 'x' })).rejects.toThrow(/^\[idx\] x must be a whole gzip file/);
    }
  });

  it('stops unpacking at the limit', async () => {
    const bomb = gzipSync(new Uint8Array(8 << 20));
    await expect(unpack(bomb, { name: 'x', maxBytes: 1 << 20 })).rejects.toThrow(
      /must unpack to at most 1048576 bytes/,
    );
  });

  it('refuses other elements where bytes are wanted', async () => {
    await expect(readIdxBytes(idx(0x0d, [1], [0, 0, 0, 0]))).rejects.toThrow(/unsigned bytes; it holds Float32Array/);
  });

  it('never throws anything but a UserError on damaged headers', async () => {
    let state = 12345;
    const random = (n: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % n;
    };
    for (let trial = 0; trial < 300; trial++) {
      const damaged = Uint8Array.from(bytes);
      for (let k = 0; k < 3; k++) damaged[random(damaged.length)] = random(256);
      const file = damaged.subarray(0, 1 + random(damaged.length));
      await readIdx(file).catch((error: unknown) => expect(error).toBeInstanceOf(UserError));
    }
  });
});
