/**
 * FarmHash's Fingerprint64 of bytes: a hash that never changes, for buckets of strings and for cache keys that outlive a process.
 * After the published algorithm (Geoff Pike, Google, 2014: farmhashna::Hash64). Knows no tensors.
 */

const MASK = (1n << 64n) - 1n;
const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;

const wrap = (x: bigint) => x & MASK;
const rotate = (x: bigint, by: bigint) => wrap((x >> by) | (x << (64n - by)));
const shiftMix = (x: bigint) => x ^ (x >> 47n);

function hash16(u: bigint, v: bigint, factor: bigint): bigint {
  const a = shiftMix(wrap((u ^ v) * factor));
  return wrap(shiftMix(wrap((v ^ a) * factor)) * factor);
}

class Reader {
  readonly #view: DataView;
  readonly size: number;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.size = bytes.byteLength;
  }

  byte(at: number): bigint {
    return BigInt(this.#view.getUint8(at));
  }
  word(at: number): bigint {
    return BigInt(this.#view.getUint32(at, true));
  }
  long(at: number): bigint {
    return this.#view.getBigUint64(at, true);
  }
}

function upTo16(s: Reader): bigint {
  const n = BigInt(s.size);
  const factor = wrap(K2 + n * 2n);
  if (s.size >= 8) {
    const a = wrap(s.long(0) + K2);
    const b = s.long(s.size - 8);
    const c = wrap(rotate(b, 37n) * factor + a);
    return hash16(c, wrap((rotate(a, 25n) + b) * factor), factor);
  }
  if (s.size >= 4) return hash16(wrap(n + (s.word(0) << 3n)), s.word(s.size - 4), factor);
  if (s.size === 0) return K2;
  const y = s.byte(0) + (s.byte(s.size >> 1) << 8n);
  const z = n + (s.byte(s.size - 1) << 2n);
  return wrap(shiftMix(wrap(y * K2) ^ wrap(z * K0)) * K2);
}

function upTo32(s: Reader): bigint {
  const factor = wrap(K2 + BigInt(s.size) * 2n);
  const a = wrap(s.long(0) * K1);
  const b = s.long(8);
  const c = wrap(s.long(s.size - 8) * factor);
  const d = wrap(s.long(s.size - 16) * K2);
  const u = wrap(rotate(wrap(a + b), 43n) + rotate(c, 30n) + d);
  return hash16(u, wrap(a + rotate(wrap(b + K2), 18n) + c), factor);
}

function upTo64(s: Reader): bigint {
  const factor = wrap(K2 + BigInt(s.size) * 2n);
  const a = wrap(s.long(0) * K2);
  const b = s.long(8);
  const c = wrap(s.long(s.size - 8) * factor);
  const d = wrap(s.long(s.size - 16) * K2);
  const y = wrap(rotate(wrap(a + b), 43n) + rotate(c, 30n) + d);
  const z = hash16(y, wrap(a + rotate(wrap(b + K2), 18n) + c), factor);
  const e = wrap(s.long(16) * factor);
  const f = s.long(24);
  const g = wrap((y + s.long(s.size - 32)) * factor);
  const h = wrap((z + s.long(s.size - 24)) * factor);
  const u = wrap(rotate(wrap(e + f), 43n) + rotate(g, 30n) + h);
  return hash16(u, wrap(e + rotate(wrap(f + a), 18n) + g), factor);
}

/** 32 bytes and two seeds into two numbers. */
function weak(s: Reader, at: number, seedA: bigint, seedB: bigint): [bigint, bigint] {
  const [w, x, y, z] = [0, 8, 16, 24].map((by) => s.long(at + by));
  const a = wrap(seedA + w);
  const b = rotate(wrap(seedB + a + z), 21n);
  const sum = wrap(a + x + y);
  return [wrap(sum + z), wrap(b + rotate(sum, 44n) + a)];
}

function beyond64(s: Reader): bigint {
  let [x, y] = [81n, wrap(81n * K1 + 113n)];
  let z = wrap(shiftMix(wrap(y * K2 + 113n)) * K2);
  let [v, w]: [bigint, bigint][] = [
    [0n, 0n],
    [0n, 0n],
  ];
  x = wrap(x * K2 + s.long(0));
  const round = (at: number, factor: bigint, last: boolean) => {
    x = wrap(rotate(wrap(x + y + v[0] + s.long(at + 8)), 37n) * factor);
    y = wrap(rotate(wrap(y + v[1] + s.long(at + 48)), 42n) * factor);
    x ^= last ? wrap(w[1] * 9n) : w[1];
    y = wrap(y + (last ? v[0] * 9n : v[0]) + s.long(at + 40));
    z = wrap(rotate(wrap(z + w[0]), 33n) * factor);
    v = weak(s, at, wrap(v[1] * factor), wrap(x + w[0]));
    w = weak(s, at + 32, wrap(z + w[1]), wrap(y + s.long(at + 16)));
    [z, x] = [x, z];
  };
  const rest = (s.size - 1) & 63;
  const end = s.size - 1 - rest;
  for (let at = 0; at < end; at += 64) round(at, K1, false);
  const factor = wrap(K1 + ((z & 0xffn) << 1n));
  w[0] = wrap(w[0] + BigInt(rest));
  v[0] = wrap(v[0] + w[0]);
  w[0] = wrap(w[0] + v[0]);
  round(s.size - 64, factor, true);
  const left = wrap(hash16(v[0], w[0], factor) + shiftMix(y) * K0 + z);
  return hash16(left, wrap(hash16(v[1], w[1], factor) + x), factor);
}

/** 64 bits, as an unsigned bigint. */
export function fingerPrint64(bytes: Uint8Array): bigint {
  const s = new Reader(bytes);
  if (s.size <= 16) return upTo16(s);
  if (s.size <= 32) return upTo32(s);
  return s.size <= 64 ? upTo64(s) : beyond64(s);
}
