/**
 * Writes WebAssembly modules: bytes, LEB128, instructions by name, sections. It keeps a text listing beside the bytes where
 * asked to. Knows no kernel IR.
 */
import { InternalError } from '../../base/errors.ts';

/** Value types and the block type of a block without result. */
export const valueType = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof valueType;
const NO_RESULT = 0x40;

/** Instructions without immediates. */
const plain = {
  unreachable: 0x00,
  else: 0x05,
  end: 0x0b,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  'i32.eqz': 0x45,
  'i32.eq': 0x46,
  'i32.ne': 0x47,
  'i32.lt_s': 0x48,
  'i32.lt_u': 0x49,
  'i32.gt_s': 0x4a,
  'i32.le_s': 0x4c,
  'i32.ge_s': 0x4e,
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.div_s': 0x6d,
  'i32.rem_s': 0x6f,
  'i32.and': 0x71,
  'i32.or': 0x72,
  'i32.xor': 0x73,
  'i32.shl': 0x74,
  'i32.shr_s': 0x75,
  'i32.shr_u': 0x76,
  'i64.eqz': 0x50,
  'i64.eq': 0x51,
  'i64.ne': 0x52,
  'i64.add': 0x7c,
  'i64.sub': 0x7d,
  'i64.mul': 0x7e,
  'i64.div_s': 0x7f,
  'i64.rem_s': 0x81,
  'i64.and': 0x83,
  'i64.or': 0x84,
  'i64.xor': 0x85,
  'i64.shl': 0x86,
  'i64.shr_u': 0x88,
  'i32.wrap_i64': 0xa7,
  'i64.extend_i32_u': 0xad,
  'i64.trunc_sat_f64_s': 0xfc06,
  'f64.convert_i64_s': 0xb9,
} as const;

/** Vector instructions without immediates: the number after the prefix 0xfd. */
const vector = {
  'i32x4.splat': 0x11,
  'f32x4.splat': 0x13,
  'i32x4.eq': 0x37,
  'i32x4.ne': 0x38,
  'i32x4.lt_s': 0x39,
  'i32x4.gt_s': 0x3b,
  'i32x4.le_s': 0x3d,
  'i32x4.ge_s': 0x3f,
  'f32x4.eq': 0x41,
  'f32x4.ne': 0x42,
  'f32x4.lt': 0x43,
  'f32x4.gt': 0x44,
  'f32x4.le': 0x45,
  'f32x4.ge': 0x46,
  'v128.not': 0x4d,
  'v128.and': 0x4e,
  'v128.or': 0x50,
  'v128.xor': 0x51,
  'v128.bitselect': 0x52,
  'f32x4.ceil': 0x67,
  'f32x4.floor': 0x68,
  'f32x4.nearest': 0x6a,
  'i16x8.extend_low_i8x16_u': 0x89,
  'i16x8.extend_low_i8x16_s': 0x87,
  'i32x4.abs': 0xa0,
  'i32x4.neg': 0xa1,
  'i32x4.extend_low_i16x8_s': 0xa7,
  'i32x4.extend_low_i16x8_u': 0xa9,
  'i32x4.shl': 0xab,
  'i32x4.shr_s': 0xac,
  'i32x4.shr_u': 0xad,
  'i32x4.add': 0xae,
  'i32x4.sub': 0xb1,
  'i32x4.mul': 0xb5,
  'i32x4.min_s': 0xb6,
  'i32x4.max_s': 0xb8,
  'f32x4.abs': 0xe0,
  'f32x4.neg': 0xe1,
  'f32x4.sqrt': 0xe3,
  'f32x4.add': 0xe4,
  'f32x4.sub': 0xe5,
  'f32x4.mul': 0xe6,
  'f32x4.div': 0xe7,
  'f32x4.pmin': 0xea,
  'f32x4.pmax': 0xeb,
  'i32x4.trunc_sat_f32x4_s': 0xf8,
  'f32x4.convert_i32x4_s': 0xfa,
  'i64x2.splat': 0x12,
  'f64x2.splat': 0x14,
  'f64x2.eq': 0x47,
  'f64x2.ne': 0x48,
  'f64x2.lt': 0x49,
  'f64x2.gt': 0x4a,
  'f64x2.le': 0x4b,
  'f64x2.ge': 0x4c,
  'f32x4.demote_f64x2_zero': 0x5e,
  'f64x2.promote_low_f32x4': 0x5f,
  'f64x2.ceil': 0x74,
  'f64x2.floor': 0x75,
  'f64x2.nearest': 0x94,
  'i64x2.abs': 0xc0,
  'i64x2.neg': 0xc1,
  'i64x2.extend_low_i32x4_s': 0xc7,
  'i64x2.shl': 0xcb,
  'i64x2.shr_s': 0xcc,
  'i64x2.shr_u': 0xcd,
  'i64x2.add': 0xce,
  'i64x2.sub': 0xd1,
  'i64x2.mul': 0xd5,
  'i64x2.eq': 0xd6,
  'i64x2.ne': 0xd7,
  'i64x2.lt_s': 0xd8,
  'i64x2.gt_s': 0xd9,
  'i64x2.le_s': 0xda,
  'i64x2.ge_s': 0xdb,
  'f64x2.abs': 0xec,
  'f64x2.neg': 0xed,
  'f64x2.sqrt': 0xef,
  'f64x2.add': 0xf0,
  'f64x2.sub': 0xf1,
  'f64x2.mul': 0xf2,
  'f64x2.div': 0xf3,
  'f64x2.pmin': 0xf6,
  'f64x2.pmax': 0xf7,
  'i32x4.trunc_sat_f64x2_s_zero': 0xfc,
  'f64x2.convert_low_i32x4_s': 0xfe,
  'f32x4.relaxed_madd': 0x105,
  'f64x2.relaxed_madd': 0x107,
  'i32x4.relaxed_laneselect': 0x10b,
} as const;

/** Instructions that address memory: [prefixed, code, log2 of the natural alignment]. */
const memory = {
  'i32.load': [false, 0x28, 2],
  'i32.load8_s': [false, 0x2c, 0],
  'i32.load8_u': [false, 0x2d, 0],
  'i32.load16_u': [false, 0x2f, 1],
  'i64.store': [false, 0x37, 3],
  'v128.load': [true, 0x00, 4],
  'v128.load32_splat': [true, 0x09, 2],
  'v128.load64_splat': [true, 0x0a, 3],
  'v128.store': [true, 0x0b, 4],
  'v128.load32_zero': [true, 0x5c, 2],
  'v128.load64_zero': [true, 0x5d, 3],
} as const;

/** Vector instructions that address memory and name a lane: [code, log2 of the natural alignment]. */
const memoryLane = {
  'v128.load8_lane': [0x54, 0],
  'v128.load16_lane': [0x55, 1],
  'v128.load32_lane': [0x56, 2],
  'v128.load64_lane': [0x57, 3],
  'v128.store8_lane': [0x58, 0],
  'v128.store16_lane': [0x59, 1],
  'v128.store32_lane': [0x5a, 2],
  'v128.store64_lane': [0x5b, 3],
} as const;

/** Vector instructions that name a lane. */
const lane = {
  'i32x4.extract_lane': 0x1b,
  'i32x4.replace_lane': 0x1c,
  'i64x2.extract_lane': 0x1d,
  'i64x2.replace_lane': 0x1e,
  'f64x2.extract_lane': 0x21,
  'f64x2.replace_lane': 0x22,
} as const;

/** Lanes of so many bytes as a shuffle names them. */
export const laneBytes = (lanes: readonly number[], bytes: number): number[] =>
  lanes.flatMap((l) => Array.from({ length: bytes }, (_, b) => bytes * l + b));

export type PlainOp = keyof typeof plain;
export type VectorOp = keyof typeof vector;
export type MemoryOp = keyof typeof memory;
export type MemoryLaneOp = keyof typeof memoryLane;
export type LaneOp = keyof typeof lane;

/** Bytes that grow. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  length = 0;

  u8(value: number): void {
    if (this.length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.length++] = value;
  }

  /** Unsigned LEB128 of up to 32 bits. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** Signed LEB128 of 32 bits. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const byte = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) {
        this.u8(byte);
        return;
      }
      this.u8(byte | 0x80);
    }
  }

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    this.append(bytes);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  #grow(by: number): void {
    const next = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + by));
    next.set(this.#bytes.subarray(0, this.length));
    this.#bytes = next;
  }
}

/** The body of one function. Locals are declared as they are asked for; parameters come first. */
export class FunctionWriter {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** A text of the code, a line for each instruction; null where nobody asked. */
  readonly listing: string[] | null;
  readonly #code = new ByteWriter();
  readonly #locals: ValueType[] = [];
  #depth = 0;

  constructor(name: string, params: readonly ValueType[], results: readonly ValueType[], listed: boolean) {
    this.name = name;
    this.params = params;
    this.results = results;
    this.listing = listed ? [] : null;
  }

  local(type: ValueType): number {
    this.#locals.push(type);
    return this.params.length + this.#locals.length - 1;
  }

  op(name: PlainOp): void {
    if (name === 'end') this.#depth--;
    const code = plain[name];
    // Two bytes: a prefix and the instruction.
    if (code > 0xff) this.#code.u8(code >> 8);
    this.#code.u8(code & 0xff);
    this.#say(name);
  }

  vector(name: VectorOp): void {
    this.#code.u8(0xfd);
    this.#code.u32(vector[name]);
    this.#say(name);
  }

  i32(value: number): void {
    this.#code.u8(0x41);
    this.#code.s32(value);
    this.#say(`i32.const ${value | 0}`);
  }

  i64(value: number): void {
    this.#code.u8(0x42);
    this.#code.s32(value);
    this.#say(`i64.const ${value | 0}`);
  }

  /** A vector with the same 32 bits in each lane. */
  splat(bits: number): void {
    this.lanes([bits, bits, bits, bits]);
  }

  /** A vector of four constants. */
  lanes(bits: readonly number[]): void {
    this.#code.u8(0xfd);
    this.#code.u32(0x0c);
    for (const lane of bits) for (let shift = 0; shift < 32; shift += 8) this.#code.u8((lane >>> shift) & 0xff);
    this.#say(`v128.const i32x4 ${bits.map((lane) => lane | 0).join(' ')}`);
  }

  get(local: number): void {
    this.#variable(0x20, 'local.get', local);
  }

  set(local: number): void {
    this.#variable(0x21, 'local.set', local);
  }

  tee(local: number): void {
    this.#variable(0x22, 'local.tee', local);
  }

  memory(name: MemoryOp, offset: number, align: number = memory[name][2]): void {
    const [prefixed, code] = memory[name];
    if (prefixed) {
      this.#code.u8(0xfd);
      this.#code.u32(code);
    } else this.#code.u8(code);
    this.#code.u32(Math.min(align, memory[name][2]));
    this.#code.u32(this.#checkedOffset(offset));
    this.#say(`${name} offset=${offset}`);
  }

  memoryLane(name: MemoryLaneOp, offset: number, index: number): void {
    const [code, align] = memoryLane[name];
    this.#code.u8(0xfd);
    this.#code.u32(code);
    this.#code.u32(Math.min(align, 2));
    this.#code.u32(this.#checkedOffset(offset));
    this.#code.u8(index);
    this.#say(`${name} offset=${offset} ${index}`);
  }

  lane(name: LaneOp, index: number): void {
    this.#code.u8(0xfd);
    this.#code.u32(lane[name]);
    this.#code.u8(index);
    this.#say(`${name} ${index}`);
  }

  /** Picks 16 bytes of two vectors. */
  shuffle(bytes: readonly number[]): void {
    if (bytes.length !== 16) throw new InternalError('internal: a shuffle names 16 bytes');
    this.#code.u8(0xfd);
    this.#code.u32(0x0d);
    for (const byte of bytes) this.#code.u8(byte);
    this.#say(`i8x16.shuffle ${bytes.join(' ')}`);
  }

  call(index: number): void {
    this.#code.u8(0x10);
    this.#code.u32(index);
    this.#say(`call ${index}`);
  }

  open(kind: 'block' | 'loop' | 'if', result?: ValueType): void {
    this.#code.u8(kind === 'block' ? 0x02 : kind === 'loop' ? 0x03 : 0x04);
    this.#code.u8(result ? valueType[result] : NO_RESULT);
    this.#say(result ? `${kind} (result ${result})` : kind);
    this.#depth++;
  }

  branchIf(label: number): void {
    this.#code.u8(0x0d);
    this.#code.u32(label);
    this.#say(`br_if ${label}`);
  }

  /** Locals in runs of one type, then the code and its end. */
  finish(): Uint8Array {
    if (this.#depth !== 0) throw new InternalError(`internal: ${this.#depth} blocks of ${this.name} were left open`);
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs[runs.length - 1];
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const out = new ByteWriter();
    out.u32(runs.length);
    for (const run of runs) {
      out.u32(run.count);
      out.u8(valueType[run.type]);
    }
    out.append(this.#code.finish());
    out.u8(plain.end);
    return out.finish();
  }

  #variable(code: number, name: string, local: number): void {
    this.#code.u8(code);
    this.#code.u32(local);
    this.#say(`${name} ${local}`);
  }

  #checkedOffset(offset: number): number {
    if (!Number.isInteger(offset) || offset < 0 || offset >= 2 ** 32)
      throw new InternalError(`internal: ${offset} is no offset of a memory access`);
    return offset;
  }

  #say(line: string): void {
    this.listing?.push('  '.repeat(this.#depth + 1) + line);
  }
}

export interface ModuleParts {
  /** Imported as env.memory, 1 page to 4 GiB. */
  readonly sharedMemory: boolean;
  readonly functions: readonly FunctionWriter[];
  /** Name of each function that is exported. */
  readonly exports: ReadonlyMap<FunctionWriter, string>;
}

/** The bytes of a module and the place of the flags of its memory (1: has a maximum, 3: shared too), so that it can be changed without emitting anew. */
export function encodeModule(parts: ModuleParts): { bytes: Uint8Array; memoryFlagsAt: number } {
  const out = new ByteWriter();
  out.append(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const signatures: string[] = [];
  const typeOf = (f: FunctionWriter): number => {
    const key = `${f.params.join(' ')}|${f.results.join(' ')}`;
    const known = signatures.indexOf(key);
    return known >= 0 ? known : signatures.push(key) - 1;
  };
  const types = parts.functions.map(typeOf);
  section(out, 1, (body) => {
    body.u32(signatures.length);
    for (const signature of signatures) {
      body.u8(0x60);
      for (const list of signature.split('|').map((side) => side.split(' ').filter(Boolean))) {
        body.u32(list.length);
        for (const type of list) body.u8(valueType[type as ValueType]);
      }
    }
  });
  let memoryFlagsAt = 0;
  section(out, 2, (body, start) => {
    body.u32(1);
    body.name('env');
    body.name('memory');
    body.u8(0x02);
    memoryFlagsAt = start + body.length;
    body.u8(parts.sharedMemory ? 3 : 1);
    body.u32(1);
    body.u32(65536);
  });
  section(out, 3, (body) => {
    body.u32(types.length);
    for (const type of types) body.u32(type);
  });
  section(out, 7, (body) => {
    body.u32(parts.exports.size);
    for (const [f, name] of parts.exports) {
      body.name(name);
      body.u8(0x00);
      body.u32(parts.functions.indexOf(f));
    }
  });
  section(out, 10, (body) => {
    body.u32(parts.functions.length);
    for (const f of parts.functions) {
      const code = f.finish();
      body.u32(code.length);
      body.append(code);
    }
  });
  return { bytes: out.finish(), memoryFlagsAt };
}

/** `start` is where the body's first byte will lie; it is right while the body is shorter than 128 bytes. */
function section(out: ByteWriter, id: number, write: (body: ByteWriter, start: number) => void): void {
  const body = new ByteWriter();
  write(body, out.length + 2);
  out.u8(id);
  out.u32(body.length);
  out.append(body.finish());
}
