/**
 * SipHash-2-4 (Aumasson and Bernstein 2012): 64 bits of bytes under a key of 128 bits, that nobody without the key can steer. Knows
 * nothing of tensors.
 */
const MASK = (1n << 64n) - 1n;
const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & MASK;

class State {
  #v: [bigint, bigint, bigint, bigint];
  constructor(k0: bigint, k1: bigint) {
    this.#v = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn, k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n];
  }
  rounds(count: number): void {
    let [a, b, c, d] = this.#v;
    for (let i = 0; i < count; i++) {
      a = (a + b) & MASK;
      b = rotate(b, 13n) ^ a;
      a = rotate(a, 32n);
      c = (c + d) & MASK;
      d = rotate(d, 16n) ^ c;
      a = (a + d) & MASK;
      d = rotate(d, 21n) ^ a;
      c = (c + b) & MASK;
      b = rotate(b, 17n) ^ c;
      c = rotate(c, 32n);
    }
    this.#v = [a, b, c, d];
  }
  word(m: bigint): void {
    this.#v[3] ^= m;
    this.rounds(2);
    this.#v[0] ^= m;
  }
  finish(): bigint {
    this.#v[2] ^= 0xffn;
    this.rounds(4);
    return this.#v[0] ^ this.#v[1] ^ this.#v[2] ^ this.#v[3];
  }
}

/** The hash of the bytes under the key (k0, k1). */
export function sipHash(bytes: Uint8Array, k0: bigint, k1: bigint): bigint {
  const state = new State(k0 & MASK, k1 & MASK);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % 8);
  for (let at = 0; at < whole; at += 8) state.word(view.getBigUint64(at, true));
  let last = BigInt(bytes.length & 0xff) << 56n;
  for (let at = whole; at < bytes.length; at++) last |= BigInt(bytes[at]) << BigInt(8 * (at - whole));
  state.word(last);
  return state.finish();
}
