/**
 * FarmHash's Fingerprint64 (Google, 2014): a hash of bytes that is the same on every machine and for ever, so it may be stored.
 * Arithmetic is modulo 2^64. Knows nothing of tensors.
 */

const MASK = (1n << 64n) - 1n;
const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;

type Pair = readonly [bigint, bigint];

const wrap = (x: bigint) => x & MASK;
const times = (x: bigint, y: bigint) => wrap(x * y);
const rotate = (x: bigint, by: bigint) => wrap((x >> by) | (x << (64n - by)));
const shiftMix = (x: bigint) => x ^ (x >> 47n);

function mix(u: bigint, v: bigint, factor: bigint): bigint {
  const a = shiftMix(times(u ^ v, factor));
  const b = shiftMix(times(v ^ a, factor));
  return times(b, factor);
}

/** Up to 16 bytes. */
function short(view: DataView, length: number): bigint {
  const word = (at: number) => view.getBigUint64(at, true);
  const half = (at: number) => BigInt(view.getUint32(at, true));
  const factor = wrap(K2 + 2n * BigInt(length));
  if (length >= 8) {
    const a = wrap(word(0) + K2);
    const b = word(length - 8);
    const c = wrap(times(rotate(b, 37n), factor) + a);
    const d = times(wrap(rotate(a, 25n) + b), factor);
    return mix(c, d, factor);
  }
  if (length >= 4) return mix(wrap(BigInt(length) + (half(0) << 3n)), half(length - 4), factor);
  if (length === 0) return K2;
  const byte = (at: number) => BigInt(view.getUint8(at));
  const y = byte(0) + (byte(length >> 1) << 8n);
  const z = BigInt(length) + (byte(length - 1) << 2n);
  return times(shiftMix(times(y, K2) ^ times(z, K0)), K2);
}

/** 17 to 32 bytes. */
function middle(view: DataView, length: number): bigint {
  const word = (at: number) => view.getBigUint64(at, true);
  const factor = wrap(K2 + 2n * BigInt(length));
  const a = times(word(0), K1);
  const b = word(8);
  const c = times(word(length - 8), factor);
  const d = times(word(length - 16), K2);
  const u = wrap(rotate(wrap(a + b), 43n) + rotate(c, 30n) + d);
  return mix(u, wrap(a + rotate(wrap(b + K2), 18n) + c), factor);
}

/** 33 to 64 bytes. */
function long(view: DataView, length: number): bigint {
  const word = (at: number) => view.getBigUint64(at, true);
  const factor = wrap(K2 + 2n * BigInt(length));
  const a = times(word(0), K2);
  const b = word(8);
  const c = times(word(length - 8), factor);
  const d = times(word(length - 16), K2);
  const y = wrap(rotate(wrap(a + b), 43n) + rotate(c, 30n) + d);
  const z = mix(y, wrap(a + rotate(wrap(b + K2), 18n) + c), factor);
  const e = times(word(16), factor);
  const f = word(24);
  const g = times(wrap(y + word(length - 32)), factor);
  const h = times(wrap(z + word(length - 24)), factor);
  const u = wrap(rotate(wrap(e + f), 43n) + rotate(g, 30n) + h);
  return mix(u, wrap(e + rotate(wrap(f + a), 18n) + g), factor);
}

/** 32 bytes from `at` with two seeds. */
function weak(view: DataView, at: number, seedA: bigint, seedB: bigint): Pair {
  const word = (i: number) => view.getBigUint64(at + 8 * i, true);
  const a = wrap(seedA + word(0));
  const b = rotate(wrap(seedB + a + word(3)), 21n);
  const sum = wrap(a + word(1) + word(2));
  return [wrap(sum + word(3)), wrap(b + rotate(sum, 44n) + a)];
}

/** The 64-bit fingerprint of bytes, or of a string's UTF-8. */
export function fingerPrint64(data: Uint8Array | string): bigint {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length } = bytes;
  if (length <= 16) return short(view, length);
  if (length <= 32) return middle(view, length);
  if (length <= 64) return long(view, length);
  const word = (at: number) => view.getBigUint64(at, true);
  let y = wrap(81n * K1 + 113n);
  let z = times(shiftMix(wrap(y * K2 + 113n)), K2);
  let [v, w]: Pair[] = [
    [0n, 0n],
    [0n, 0n],
  ];
  let x = wrap(81n * K2 + word(0));
  /** One block of 64 bytes; the last one multiplies by another factor, and some words by 9. */
  const round = (at: number, factor: bigint, nine: bigint) => {
    x = times(rotate(wrap(x + y + v[0] + word(at + 8)), 37n), factor);
    y = times(rotate(wrap(y + v[1] + word(at + 48)), 42n), factor);
    x ^= times(w[1], nine);
    y = wrap(y + times(v[0], nine) + word(at + 40));
    z = times(rotate(wrap(z + w[0]), 33n), factor);
    v = weak(view, at, times(v[1], factor), wrap(x + w[0]));
    w = weak(view, at + 32, wrap(z + w[1]), wrap(y + word(at + 16)));
    [z, x] = [x, z];
  };
  const end = ((length - 1) >> 6) * 64;
  for (let at = 0; at < end; at += 64) round(at, K1, 1n);
  const factor = wrap(K1 + ((z & 0xffn) << 1n));
  w = [wrap(w[0] + BigInt((length - 1) & 63)), w[1]];
  v = [wrap(v[0] + w[0]), v[1]];
  w = [wrap(w[0] + v[0]), w[1]];
  round(length - 64, factor, 9n);
  const low = wrap(mix(v[0], w[0], factor) + times(shiftMix(y), K0) + z);
  return mix(low, wrap(mix(v[1], w[1], factor) + x), factor);
}
