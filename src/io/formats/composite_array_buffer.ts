/** Several buffers that read as one: what lies in shards is sliced without ever being joined. Knows bytes only. */
import { fail } from '../../base/errors.ts';

type Bytes = ArrayBuffer | ArrayBufferView;

const bytesOf = (part: Bytes): Uint8Array =>
  ArrayBuffer.isView(part)
    ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
    : new Uint8Array(part as ArrayBuffer);

/**
 * A list of buffers with the `slice` of one. An engine may refuse one buffer of several GB; a list of smaller ones it takes.
 * Source: tf.io.CompositeArrayBuffer.
 */
export class CompositeArrayBuffer {
  readonly byteLength: number;
  readonly #shards: readonly Uint8Array[];
  /** Where each shard starts, and at the end the length. */
  readonly #starts: number[] = [0];

  constructor(buffers: Bytes | readonly Bytes[] = []) {
    const list: readonly Bytes[] = Array.isArray(buffers) ? buffers : [buffers as Bytes];
    this.#shards = list.map(bytesOf).filter((shard) => shard.byteLength > 0);
    for (const shard of this.#shards) this.#starts.push(this.#starts.at(-1)! + shard.byteLength);
    this.byteLength = this.#starts.at(-1)!;
  }

  /** The buffers, one behind the other, as one; a single buffer is given back as it is. */
  static join(buffers?: ArrayBuffer | readonly ArrayBuffer[]): ArrayBuffer {
    if (buffers instanceof ArrayBuffer) return buffers;
    return new CompositeArrayBuffer(buffers).slice();
  }

  /** A copy of the bytes from start (default 0) to end (default all), limits and negative counts as ArrayBuffer.slice has them. */
  slice(start = 0, end = this.byteLength): ArrayBuffer {
    const place = (at: number) => Math.min(Math.max(at < 0 ? this.byteLength + at : at, 0), this.byteLength);
    const [from, to] = [place(Math.trunc(start)), place(Math.trunc(end))];
    if (Number.isNaN(from) || Number.isNaN(to)) {
      fail('CompositeArrayBuffer.slice', 'start and end must be numbers', `got ${start} and ${end}`);
    }
    const out = new Uint8Array(Math.max(to - from, 0));
    for (let i = this.#shardAt(from), at = from; at < to; i++) {
      const shard = this.#shards[i].subarray(at - this.#starts[i], to - this.#starts[i]);
      out.set(shard, at - from);
      at += shard.byteLength;
    }
    return out.buffer;
  }

  /** The shard with this byte, by halving. */
  #shardAt(byte: number): number {
    let [low, high] = [0, this.#shards.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle] <= byte) low = middle;
      else high = middle;
    }
    return low;
  }
}
