/** Loads, stores, loops and addresses: every stride and lane count, ragged bounds, dynamic indices, and not a byte outside. */
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Affine, Elem } from '../../src/kernel/ir.ts';
import { constant, elemBytes, plus, times, variable } from '../../src/kernel/ir.ts';
import type { Ffi } from '../../src/runtime/node/ffi.ts';
import type { TypedArray } from '../../src/types/dtype.ts';
import {
  allLanes,
  builder,
  device,
  disagreement,
  generate,
  programOf,
  random,
  reason,
  Storage,
  zeros,
} from './harness.ts';

function counting(elem: Elem, size: number): TypedArray {
  const data = zeros(elem, size);
  for (let i = 0; i < size; i++) data[i] = elem === 'u8' ? (i * 37 + 200) & 255 : i - 5;
  return data;
}

const elems: Elem[] = ['f32', 'i32', 'u8'];
const lanesAndStrides = allLanes.flatMap((lanes) =>
  Array.from({ length: lanes }, (_, i) => i + 1).flatMap((active) =>
    [0, 1, 2, 3, 7, -1].map((stride) => ({ lanes, active, stride })),
  ),
);

// Skipped where the x64 device cannot run (another processor, no koffi).
describe.skipIf(reason !== null)('x64 memory', () => {
  it.each(elems)('loads %s of every lane count and stride, and stores all lanes', (elem) => {
    for (const { lanes, active, stride } of lanesAndStrides) {
      const k = builder(lanes);
      const x = k.param('x', elem, 260, 'read');
      const y = k.param('y', elem, 160, 'write');
      k.region('chunk', 2, (chunk) => {
        k.loop('i', 0, 5, (i) => {
          const value = k.load(x, plus(plus(variable(chunk, 60), variable(i, 8)), constant(20)), stride, active);
          k.store(y, plus(variable(chunk, 80), variable(i, 16)), 1, lanes, value);
        });
      });
      const found = disagreement(k.build('loads', { flops: 0, bytes: 0 }), [counting(elem, 260), zeros(elem, 160)]);
      expect(found, `${lanes} lanes, ${active} active, stride ${stride}`).toBeNull();
    }
  });

  it.each(elems)('stores %s of every lane count and stride', (elem) => {
    for (const { lanes, active, stride } of lanesAndStrides) {
      if (stride === 0 && active > 1) continue;
      const k = builder(lanes);
      const x = k.param('x', elem, 80, 'read');
      const y = k.param('y', elem, 520, 'write');
      k.region('chunk', 2, (chunk) => {
        k.loop('i', 0, 3, (i) => {
          const value = k.load(x, plus(variable(chunk, 40), variable(i, 8)), 1, lanes);
          const at = plus(plus(variable(chunk, 260), variable(i, 60)), constant(stride < 0 ? 15 : 0));
          k.store(y, at, stride, active, value);
        });
      });
      const found = disagreement(k.build('stores', { flops: 0, bytes: 0 }), [counting(elem, 80), zeros(elem, 520)]);
      expect(found, `${lanes} lanes, ${active} active, stride ${stride}`).toBeNull();
    }
  });

  it('loops with ragged, computed and empty bounds', () => {
    const k = builder();
    const y = k.param('y', 'i32', 4 * 10 * 16, 'readwrite');
    k.region('c', 4, (c) => {
      const row = (i: Affine, j: Affine) => plus(plus(variable(c, 160), times(i, 16)), j);
      const bump = (at: Affine, by: number) => k.store(y, at, 1, 1, k.binary('add', k.load(y, at, 1, 1), k.i32(by)));
      // lo = max(0, c - 1), hi = min(10, 2c + 3)
      k.loop(
        'i',
        [constant(0), plus(variable(c), constant(-1))],
        [constant(10), plus(variable(c, 2), constant(3))],
        (i) => {
          // Sometimes empty: from i + 2 to 9 by 3.
          k.loop('j', [plus(variable(i), constant(2))], [constant(9)], (j) => bump(row(variable(i), variable(j)), 1), {
            step: 3,
          });
          k.loop('j', 3, [variable(i)], (j) => bump(row(variable(i), variable(j)), 100));
          k.loop('j', 0, 1, () => bump(row(variable(i), constant(15)), 7));
          k.loop('j', 5, 5, () => bump(row(variable(i), constant(14)), 7));
          k.loop('j', [variable(c)], [variable(i, 2), constant(12), plus(variable(c), constant(4))], (j) => {
            k.store(
              y,
              row(variable(i), variable(j)),
              1,
              1,
              k.binary('add', k.index(plus(variable(j, 1000), variable(i, 7))), k.i32(1)),
            );
          });
        },
      );
      k.loop('i', -3, 7, (i) => bump(plus(variable(c, 160), plus(variable(i, 16), constant(48))), 10000), { step: 5 });
    });
    expect(disagreement(k.build('loops', { flops: 0, bytes: 0 }), [zeros('i32', 640)])).toBeNull();
  });

  it('deep nests of random shape with more pointers than registers', () => {
    for (let seed = 1; seed <= 25; seed++) {
      const next = random(seed);
      const k = builder();
      const count = 6 + next(16);
      const inputs = Array.from({ length: count }, (_, i) => k.param(`x${i}`, 'f32', 4000, 'read'));
      const out = k.param('y', 'f32', 3 * 3 * 4 * 5 * 8, 'write');
      k.region('c', 3, (c) => {
        k.loop('h', 0, 3, (h) => {
          k.loop('i', 0, 4, (i) => {
            const total = k.acc(k.f32(0));
            k.loop('j', 0, 5, (j) => {
              const coefficient = () => next(3) * (1 + next(40));
              let sum = k.f32(0);
              for (const x of inputs) {
                const at = [c, h, i, j].reduce((a, v) => plus(a, variable(v, coefficient())), constant(next(300)));
                sum = k.binary('add', sum, k.load(x, at, next(4), 1 + next(8)));
              }
              k.set(total, k.binary('add', total, sum));
              const place = [c, h, i, j].reduce((a, v, n) => plus(a, variable(v, [480, 160, 40, 8][n])), constant(0));
              k.store(out, place, 1, 8, k.binary('add', sum, total));
            });
          });
        });
      });
      const buffers = [...inputs.map(() => counting('f32', 4000)), zeros('f32', 1440)];
      expect(disagreement(k.build('deep', { flops: 0, bytes: 0 }), buffers), `seed ${seed}`).toBeNull();
    }
  });

  it('gathers and scatters through guarded indices', () => {
    const k = builder();
    const rows = k.param('rows', 'i32', 12, 'read');
    const table = k.param('table', 'f32', 30 * 20, 'read');
    const flags = k.param('flags', 'u8', 30, 'read');
    const out = k.param('out', 'f32', 12 * 20, 'write');
    const back = k.param('back', 'f32', 30 * 3, 'write');
    const seen = k.param('seen', 'i32', 12, 'write');
    k.region('c', 12, (c) => {
      const index = k.guard(k.load(rows, variable(c), 0, 1), 30, 0);
      k.loop('j', 0, 2, (j) => {
        const value = k.load(table, variable(j, 8), 1, 8, { index, scale: 20 });
        k.store(out, plus(variable(c, 20), variable(j, 8)), 1, 8, value);
      });
      k.store(out, plus(variable(c, 20), constant(16)), 1, 4, k.load(table, constant(16), 1, 4, { index, scale: 20 }));
      k.store(back, constant(1), 1, 1, k.convert('i32ToF32', k.load(flags, constant(0), 0, 1, { index, scale: 1 })), {
        index,
        scale: 3,
      });
      k.store(seen, variable(c), 1, 1, index);
    });
    const picks = new Int32Array([3, 29, 0, 7, 11, 12, 28, 1, 2, 4, 5, 6]);
    const buffers = [
      picks,
      counting('f32', 600),
      counting('u8', 30),
      zeros('f32', 240),
      zeros('f32', 90),
      zeros('i32', 12),
    ];
    expect(disagreement(k.build('gather', { flops: 0, bytes: 0 }), buffers)).toBeNull();
  });

  it('a guard that fails is an error that names op, value and bound, and the next run is fine', () => {
    const k = builder();
    const rows = k.param('rows', 'i32', 4, 'read');
    const out = k.param('out', 'i32', 4, 'write');
    k.region('c', 4, (c) => k.store(out, variable(c), 1, 1, k.guard(k.load(rows, variable(c), 0, 1), 10, 1)));
    const kernel = k.build('guarded', { flops: 0, bytes: 0 });
    const sites = [
      { op: 'other', what: 'x', bound: 1 },
      { op: 'gather', what: 'every index', bound: 10 },
    ];
    const executable = device(1).load(programOf(kernel, sites), generate([kernel]));
    const bad = [new Int32Array([1, 2, 10, 3]), new Int32Array(4)].map((a) => new Storage(new Uint8Array(a.buffer)));
    expect(() => executable.run(bad, [])).toThrow('[gather] every index must be in [0, 10); got 10');
    expect([...bad[1].view('int32', 4)]).toEqual([1, 2, 0, 3]);
    bad[0].view('int32', 4)[2] = -7;
    expect(() => executable.run(bad, [])).toThrow('got -7');
    bad[0].view('int32', 4)[2] = 9;
    executable.run(bad, []);
    expect([...bad[1].view('int32', 4)]).toEqual([1, 2, 9, 3]);
    executable.dispose();
  });
});

/** Buffers that end, or begin, where memory that must not be touched begins or ends. */
describe.skipIf(reason !== null || process.platform !== 'linux')('x64 at the edge of a page', () => {
  const PAGE = 4096;
  let ffi: Ffi;
  let start = 0;

  beforeAll(() => {
    ffi = createRequire(import.meta.url)('koffi') as Ffi;
    const libc = ffi.load(null);
    start = Number(
      libc.func('mmap', 'int64', ['int64', 'size_t', 'int', 'int', 'int', 'int64'])(0, 6 * PAGE, 3, 0x22, -1, 0),
    );
    const protect = libc.func('mprotect', 'int', ['int64', 'size_t', 'int']);
    for (const page of [0, 2, 3, 5]) expect(protect(start + page * PAGE, PAGE, 0)).toBe(0);
  });
  afterAll(() => {
    ffi.load(null).func('munmap', 'int', ['int64', 'size_t'])(start, 6 * PAGE);
  });

  /** A storage of `bytes` bytes at the very end, or the very start, of a page between two forbidden ones. */
  function edge(page: 1 | 4, bytes: number, atEnd: boolean): Storage {
    const address = start + page * PAGE + (atEnd ? PAGE - bytes : 0);
    const storage = new Storage(new Uint8Array(ffi.view(BigInt(address), bytes)));
    storage.address = address;
    return storage;
  }

  it.each(elems)('touches no byte of %s outside', (elem) => {
    for (const atEnd of [true, false]) {
      for (const { lanes, active, stride } of lanesAndStrides) {
        if (stride === 0 && active > 1) continue;
        const size = (active - 1) * Math.abs(stride) + 1;
        const first = stride < 0 ? size - 1 : 0;
        const k = builder(lanes);
        const x = k.param('x', elem, size, 'read');
        const y = k.param('y', elem, size, 'write');
        k.region('c', 1, () => k.store(y, constant(first), stride, active, k.load(x, constant(first), stride, active)));
        const kernel = k.build('edge', { flops: 0, bytes: 0 });
        const executable = device(1).load(programOf(kernel), generate([kernel]));
        const bytes = size * elemBytes[elem];
        const [from, to] = [edge(1, bytes, atEnd), edge(4, bytes, atEnd)];
        from.bytes.forEach((_, i) => {
          from.bytes[i] = i + 1;
        });
        to.bytes.fill(0);
        executable.run([from, to], []);
        for (let l = 0; l < active; l++) {
          const at = (first + l * stride) * elemBytes[elem];
          expect(to.bytes[at], `${lanes} lanes, ${active} active, stride ${stride}`).toBe(from.bytes[at]);
        }
        executable.dispose();
      }
    }
  });
});
