import { describe, expect, it } from 'vitest';
import { InternalError } from '../../base/errors.ts';
import { ByteWriter, encodeModule, FunctionWriter } from './encoder.ts';

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
const bytesOf = (write: (w: ByteWriter) => void): string => {
  const w = new ByteWriter();
  write(w);
  return hex(w.finish());
};
const codeOf = (write: (w: FunctionWriter) => void): string => {
  const w = new FunctionWriter('f', ['i32'], [], false);
  write(w);
  return hex(w.finish());
};

describe('numbers', () => {
  it.each([
    [0, '00'],
    [127, '7f'],
    [128, '80 01'],
    [624485, 'e5 8e 26'],
    [2 ** 32 - 1, 'ff ff ff ff 0f'],
  ])('unsigned %i', (value, expected) => expect(bytesOf((w) => w.u32(value))).toBe(expected));

  it.each([
    [0, '00'],
    [63, '3f'],
    [64, 'c0 00'],
    [-1, '7f'],
    [-64, '40'],
    [-65, 'bf 7f'],
    [-123456, 'c0 bb 78'],
    [2 ** 31 - 1, 'ff ff ff ff 07'],
    [-(2 ** 31), '80 80 80 80 78'],
  ])('signed %i', (value, expected) => expect(bytesOf((w) => w.s32(value))).toBe(expected));
});

describe('instructions', () => {
  it('i32.const 5; local.set 1 with one i32 local', () => {
    const code = codeOf((w) => {
      const local = w.local('i32');
      w.i32(5);
      w.set(local);
    });
    expect(code).toBe('01 01 7f 41 05 21 01 0b');
  });

  it('locals in runs of one type', () => {
    const code = codeOf((w) => {
      for (const type of ['i32', 'i32', 'v128', 'i32'] as const) w.local(type);
    });
    expect(code).toBe('03 02 7f 01 7b 01 7f 0b');
  });

  it('local.get 0; v128.load offset=300 align=4; drop', () => {
    const code = codeOf((w) => {
      w.get(0);
      w.memory('v128.load', 300, 2);
      w.op('drop');
    });
    expect(code).toBe('00 20 00 fd 00 02 ac 02 1a 0b');
  });

  it('f32x4.relaxed_madd and f32x4.pmin have their numbers in LEB128', () => {
    expect(codeOf((w) => w.vector('f32x4.relaxed_madd'))).toBe('00 fd 85 02 0b');
    expect(codeOf((w) => w.vector('f32x4.pmin'))).toBe('00 fd ea 01 0b');
  });

  it('v128.store32_lane offset=4 lane 3', () => {
    expect(codeOf((w) => w.memoryLane('v128.store32_lane', 4, 3))).toBe('00 fd 5a 02 04 03 0b');
  });

  it('keeps a listing where asked to', () => {
    const w = new FunctionWriter('f', [], [], true);
    w.i32(1);
    w.open('if');
    w.i32(2);
    w.op('drop');
    w.op('end');
    w.finish();
    expect(w.listing).toEqual(['  i32.const 1', '  if', '    i32.const 2', '    drop', '  end']);
  });

  it('refuses offsets below zero and blocks that were left open', () => {
    const w = new FunctionWriter('f', [], [], false);
    expect(() => w.memory('v128.load', -4)).toThrow(InternalError);
    w.open('block');
    expect(() => w.finish()).toThrow('1 blocks of f were left open');
  });
});

describe('modules', () => {
  it('validate, export by name, and take either kind of memory once the flags are set', () => {
    const twice = new FunctionWriter('twice', ['i32'], ['i32'], false);
    twice.get(0);
    twice.i32(1);
    twice.op('i32.shl');
    const { bytes, memoryFlagsAt } = encodeModule({
      sharedMemory: true,
      functions: [twice],
      exports: new Map([[twice, 'twice']]),
    });
    expect(bytes[memoryFlagsAt]).toBe(3);
    for (const shared of [true, false]) {
      bytes[memoryFlagsAt] = shared ? 3 : 1;
      expect(WebAssembly.validate(bytes as BufferSource)).toBe(true);
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared });
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), { env: { memory } });
      expect((instance.exports.twice as (x: number) => number)(21)).toBe(42);
    }
  });
});
