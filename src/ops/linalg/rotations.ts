/**
 * What eigh and svd share behind their iterations on a small band: the rotations of the iterations are written down by one chunk,
 * and applied to the vectors afterwards by many, each to rows of its own. Knows neither iteration.
 *
 * A sweep is a run of rotations of neighbouring places, upwards or downwards: a place that one rotation leaves is taken along to
 * the next one in registers.
 */
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { Affine, Reg } from '../../kernel/ir.ts';
import { constant, plus, shift, times, variable } from '../../kernel/ir.ts';
import type { KernelsContext, KernelStage, ScratchMemory } from '../lowering.ts';
import { DECISIVE } from './dense.ts';
import type { Matrix } from './kernel.ts';
import { eachBlock, eachVector, element, padded, places, scalar, setVector, vector } from './kernel.ts';

/** Vectors of rows that a chunk works on. */
export const VECTORS = 4;

/** How many rotations, and sweeps, the record of one matrix of n places can hold: about eight full sweeps for each place. */
function capacityOf(n: number): { rotations: number; sweeps: number } {
  return { rotations: 4 * n * n + 64 * n + 64, sweeps: 30 * n + 32 };
}

/** Where the rotations of all matrices of a batch are kept. */
export interface Record {
  readonly n: number;
  readonly rotations: number;
  readonly sweeps: number;
  /** c and s of each rotation, one after the other. */
  readonly angles: ScratchMemory;
  /** For each sweep: its first rotation, the place where it starts, how many rotations it has. */
  readonly table: ScratchMemory;
  /** For each matrix: how many sweeps there are. */
  readonly count: ScratchMemory;
}

export function newRecord({ scratch, realType }: KernelsContext, batch: number, n: number): Record {
  const { rotations, sweeps } = capacityOf(n);
  return {
    n,
    rotations,
    sweeps,
    angles: scratch(realType, batch * rotations * 2),
    table: scratch('i32', batch * sweeps * 3),
    count: scratch('i32', batch),
  };
}

/** Writes one matrix's record. */
export class Recorder {
  readonly #b: KernelBuilder;
  readonly #record: Record;
  readonly #matrix: Affine;
  readonly #buffers: { readonly angles: number; readonly table: number; readonly count: number };
  readonly #site: number;
  readonly #used: Reg;
  readonly #sweeps: Reg;

  constructor(stage: KernelStage, record: Record, matrix: Affine) {
    const { b } = stage;
    this.#b = b;
    this.#record = record;
    this.#matrix = matrix;
    this.#buffers = {
      angles: stage.scratch(record.angles, 'write'),
      table: stage.scratch(record.table, 'write'),
      count: stage.scratch(record.count, 'write'),
    };
    this.#site = stage.site('a rotation', record.rotations);
    this.#used = b.acc(b.i32(0));
    this.#sweeps = b.acc(b.i32(0));
  }

  /** Whether a sweep of n rotations still finds room. */
  hasRoom(rotations: Reg): Reg {
    const b = this.#b;
    const end = b.binary('add', this.#used, rotations);
    const fits = b.compare('le', end, b.i32(this.#record.rotations));
    return b.binary('and', fits, b.compare('lt', this.#sweeps, b.i32(this.#record.sweeps)));
  }

  /** Rotation number t of the sweep that is being recorded. */
  rotation(t: Affine, c: Reg, s: Reg): void {
    const b = this.#b;
    const place = b.guard(b.binary('add', this.#used, b.index(t)), this.#record.rotations, this.#site);
    const at = times(this.#matrix, this.#record.rotations * 2);
    const dyn = { index: place, scale: 2 };
    b.store(this.#buffers.angles, at, 1, 1, c, dyn);
    b.store(this.#buffers.angles, shift(at, 1), 1, 1, s, dyn);
  }

  endSweep(start: Reg, rotations: Reg): void {
    const b = this.#b;
    const row = { index: b.guard(this.#sweeps, this.#record.sweeps, this.#site), scale: 3 };
    const at = times(this.#matrix, this.#record.sweeps * 3);
    [this.#used, start, rotations].forEach((value, i) => {
      b.store(this.#buffers.table, shift(at, i), 1, 1, value, row);
    });
    b.set(this.#used, b.binary('add', this.#used, rotations));
    b.set(this.#sweeps, b.binary('add', this.#sweeps, b.i32(1)));
  }

  end(): void {
    this.#b.store(this.#buffers.count, this.#matrix, 1, 1, this.#sweeps);
  }
}

export interface Vectors {
  readonly n: number;
  readonly batch: number;
  /** Reflectors v_k, as rows of [rows, stride], and tau_k; v_k begins at place `first(k)`. */
  readonly reflectors: ScratchMemory;
  readonly stride: number;
  readonly rowOf: (k: Affine) => Affine;
  readonly rows: number;
  readonly taus: ScratchMemory;
  readonly count: number;
  readonly shift: number;
  readonly record: Record;
  /** 1: a sweep goes up from its start; -1: down. */
  readonly direction: 1 | -1;
}

/**
 * For each row r of the identity: y^T = e_r^T H_0 H_1 ..., then the rotations; element i of y belongs to vector i. The result, for
 * all rows, is vectors as rows [n, padded n], in the order in which the iteration found them.
 */
export function writeVectors(
  context: KernelsContext,
  name: string,
  v: Vectors,
): { vectors: ScratchMemory; stride: number } {
  const { n, batch } = v;
  const width = VECTORS * context.lanes;
  const blocks = Math.ceil(n / width);
  const stride = blocks * width;
  const vectors = context.scratch(context.realType, batch * n * stride);
  // One row more than there are places: what is stored behind the last one of a sweep.
  const scratch = context.scratch(context.realType, batch * blocks * (n + 1) * width);
  const write = (stage: KernelStage): void => {
    const { b } = stage;
    const [local, out] = [stage.scratch(scratch, 'write'), stage.scratch(vectors, 'write')];
    const source = {
      reflectors: stage.scratch(v.reflectors, 'read'),
      taus: stage.scratch(v.taus, 'read'),
      angles: stage.scratch(v.record.angles, 'read'),
      table: stage.scratch(v.record.table, 'read'),
      count: stage.scratch(v.record.count, 'read'),
    };
    const site = stage.site('a place', n + 1);
    const parts = Array.from({ length: VECTORS }, (_, p) => constant(p * b.lanes));
    eachBlock(b, batch, stride, width, (matrix, at) => {
      // Chunk (matrix, at / width) has its own (n + 1) * width elements: at * (n + 1) of the matrix's.
      const z: Matrix = { buf: local, base: plus(times(matrix, stride * (n + 1)), times(at, n + 1)), stride: width };
      const to: Matrix = { buf: out, base: times(matrix, n * stride), stride };
      b.loop('i', 0, n, (i) => {
        for (const part of parts) {
          const isOwn = b.compare('eq', b.index(variable(i)), places(b, plus(at, part)));
          setVector(b, z, variable(i), part, b.select(isOwn, b.real(1), b.real(0)));
        }
      });
      reflectRows(b, v, z, parts, matrix, source);
      rotateRows(b, v, z, parts, matrix, source, site);
      b.loop('i', 0, n, (i) => {
        for (const part of parts) setVector(b, to, variable(i), plus(at, part), vector(b, z, variable(i), part));
      });
    });
  };
  context.kernel(name, write, { total: batch * 8 * n ** 3 });
  return { vectors, stride };
}

interface Sources {
  readonly reflectors: number;
  readonly taus: number;
  readonly angles: number;
  readonly table: number;
  readonly count: number;
}

function reflectRows(
  b: KernelBuilder,
  v: Vectors,
  z: Matrix,
  parts: readonly Affine[],
  matrix: Affine,
  source: Sources,
): void {
  const reflectors: Matrix = { buf: source.reflectors, base: times(matrix, v.rows * v.stride), stride: v.stride };
  b.loop('k', 0, v.count, (kv) => {
    const k = variable(kv);
    const row = v.rowOf(k);
    const tau = b.unary('neg', b.load(source.taus, plus(times(matrix, v.n), k), 0, 1));
    const sums = parts.map(() => b.acc(b.real(0)));
    b.loop('i', [shift(k, v.shift)], [constant(v.n)], (i) => {
      const x = scalar(b, reflectors, row, variable(i));
      parts.forEach((part, p) => b.fmaAcc(sums[p], x, vector(b, z, variable(i), part)));
    });
    const factors = sums.map((sum) => b.binary('mul', sum, tau));
    b.loop('i', [shift(k, v.shift)], [constant(v.n)], (i) => {
      const x = scalar(b, reflectors, row, variable(i));
      parts.forEach((part, p) => {
        setVector(b, z, variable(i), part, b.fma(factors[p], x, vector(b, z, variable(i), part)));
      });
    });
  });
}

/** carry and next become c carry + s next, which stays, and c next - s carry, which goes on. */
function rotateRows(
  b: KernelBuilder,
  { n, record, direction }: Vectors,
  z: Matrix,
  parts: readonly Affine[],
  matrix: Affine,
  source: Sources,
  site: number,
): void {
  const angles = times(matrix, record.rotations * 2);
  const table = times(matrix, record.sweeps * 3);
  const rowAt = (place: Reg) => ({ index: b.guard(place, n, site), scale: z.stride });
  const at = (part: Affine, by: number) => plus(z.base, shift(part, by * z.stride));
  const sweeps = b.load(source.count, matrix, 0, 1);
  b.loop(
    'sweep',
    0,
    record.sweeps,
    (sweep) => {
      const entry = (i: number) => b.load(source.table, shift(plus(table, variable(sweep, 3)), i), 0, 1);
      const [first, start, rotations] = [entry(0), entry(1), entry(2)];
      const startRow = rowAt(start);
      const carries = parts.map((part) => b.acc(b.load(z.buf, at(part, 0), 1, b.lanes, startRow)));
      b.loop(
        't',
        0,
        n,
        (tv) => {
          const t = b.index(variable(tv));
          const angle = { index: b.guard(b.binary('add', first, t), record.rotations, site), scale: 2 };
          const c = b.load(source.angles, angles, 0, 1, angle);
          const s = b.load(source.angles, shift(angles, 1), 0, 1, angle);
          // The lower of the two places, so that the other one is the row behind it.
          const low =
            direction === 1 ? b.binary('add', start, t) : b.binary('sub', b.binary('sub', start, b.i32(1)), t);
          const row = rowAt(low);
          const [to, from] = direction === 1 ? [0, 1] : [1, 0];
          parts.forEach((part, p) => {
            const next = b.load(z.buf, at(part, from), 1, b.lanes, row);
            const kept = b.fma(c, carries[p], b.binary('mul', s, next));
            const moved = b.fma(c, next, b.binary('mul', b.unary('neg', s), carries[p]));
            b.store(z.buf, at(part, to), 1, b.lanes, kept, row);
            b.set(carries[p], moved);
          });
        },
        { until: rotations },
      );
      const end = rowAt(direction === 1 ? b.binary('add', start, rotations) : b.binary('sub', start, rotations));
      parts.forEach((part, p) => b.store(z.buf, at(part, 0), 1, b.lanes, carries[p], end));
    },
    { until: sweeps },
  );
}

/** 1 or -1: what makes the first of the (nearly) largest components of row i of `m` positive. `end` elements are padded. */
export function signOfRow(b: KernelBuilder, m: Matrix, i: Affine, n: number, site: number): Reg {
  const most = b.acc(b.real(0));
  eachVector(b, constant(0), m.stride, (at) => b.set(most, b.binary('max', most, b.unary('abs', vector(b, m, i, at)))));
  const bound = b.binary('mul', b.reduceLanes('max', most, b.lanes), b.real(DECISIVE));
  const first = b.acc(b.i32(n - 1));
  eachVector(b, constant(0), m.stride, (at) => {
    const isLarge = b.compare('ge', b.unary('abs', vector(b, m, i, at)), bound);
    b.set(first, b.binary('min', first, b.select(isLarge, places(b, at), b.i32(n - 1))));
  });
  const place = b.guard(b.reduceLanes('min', first, b.lanes), n, site);
  const value = b.load(m.buf, element(m, i, constant(0)), 0, 1, { index: place, scale: 1 });
  return b.select(b.compare('lt', value, b.real(0)), b.real(-1), b.real(1));
}

/**
 * Where each of n numbers comes in order: how many are before it, the first of equals first. Numbers stand in a padded row whose
 * padding is NaN. If any is NaN, or `failed` holds, they keep their places: gives whether that is so.
 */
export function rankRow(
  b: KernelBuilder,
  m: Matrix,
  n: number,
  failed: Reg,
  descending: boolean,
  write: (i: Affine, rank: Reg, bad: Reg) => void,
): void {
  const row = constant(0);
  const bad = b.acc(b.convert('maskToI32', failed));
  b.loop('i', 0, n, (i) => {
    const x = scalar(b, m, row, variable(i));
    b.set(bad, b.binary('or', bad, b.convert('maskToI32', b.compare('ne', x, x))));
  });
  const isBad = b.convert('i32ToMask', bad);
  b.loop('i', 0, n, (i) => {
    const x = scalar(b, m, row, variable(i));
    const count = b.acc(b.i32(0));
    eachVector(b, row, m.stride, (at) => {
      const other = vector(b, m, row, at);
      const isEarlier = b.compare('lt', places(b, at), b.index(variable(i)));
      const isTie = b.binary('and', b.compare('eq', other, x), isEarlier);
      const isBefore = b.binary('or', b.compare(descending ? 'gt' : 'lt', other, x), isTie);
      b.set(count, b.binary('add', count, b.convert('maskToI32', isBefore)));
    });
    const rank = b.reduceLanes('add', count, b.lanes);
    write(variable(i), b.select(isBad, b.index(variable(i)), rank), isBad);
  });
}

export function paddedRow(n: number, lanes: number): number {
  return padded(n, lanes) + lanes;
}
