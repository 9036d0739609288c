/**
 * A program made ready to run: its code in executable pages, its arena, and frames: for each run under way one table of
 * records and arguments, in which only the addresses of inputs and outputs change from run to run.
 */
import { failIndex, InternalError, invariant } from '../../base/errors.ts';
import type { X64Image } from '../../kernel/image.ts';
import { x64Layout } from '../../kernel/image.ts';
import { elemBytes } from '../../kernel/ir.ts';
import { timesOf, walkProgram, windowStart } from '../../kernel/loop-walk.ts';
import type { Program } from '../../kernel/program.ts';
import type { Executable, StepTime } from '../device.ts';
import type { Storage } from '../storage.ts';
import type { CodePages } from './code-pages.ts';
import type { Ffi } from './ffi.ts';
import { addressOf, bytesAt } from './ffi.ts';
import { NativeBlock } from './native-block.ts';
import type { Platform } from './platform.ts';
import type { Team } from './team.ts';

const { record, loopBegin, loopEnd, job } = x64Layout;

/** Programs that one thread runs in less than this are not worth waking others for. */
const PARALLEL_SECONDS = 10e-6;
const GUESSED_FLOPS = 50e9;
const GUESSED_BYTES = 10e9;

/** One set of tables. */
interface Frame {
  readonly block: NativeBlock;
  readonly errors: number;
  readonly begin: number;
  readonly end: number;
  /** Where the records behind the prologue begin. */
  readonly prepared: number;
  /** Range of records of each step, loops left out. */
  readonly steps: readonly { readonly begin: number; readonly end: number }[];
  /** For inputs, then outputs: the table cells that hold its address or that of a window of it, and what it is now. */
  readonly patches: readonly { readonly cells: readonly Cell[]; address: number }[];
  readonly tables: Tables;
}

/** A place in a table that holds the address of a buffer. */
interface Cell {
  /** Byte offset in the block. */
  readonly at: number;
  /** Bytes from the buffer's start in the first iteration of every loop. */
  readonly offset: number;
}

/** Where things stand in a frame's block. */
interface Tables {
  readonly cellsOf: ReadonlyMap<number, readonly Cell[]>;
  /** For each step, where its arguments begin. */
  readonly args: readonly number[];
  /** For each loop, the cell of its flag (0: none), and the cells that move with it, by how many bytes. */
  readonly flags: readonly number[];
  readonly moves: readonly (readonly { readonly cell: number; readonly bytes: number }[])[];
  readonly end: number;
}

export class X64Executable implements Executable {
  readonly #ffi: Ffi;
  readonly #platform: Platform;
  readonly #team: Team;
  readonly #program: Program;
  readonly #image: X64Image;
  readonly #pages: CodePages;
  readonly #parallel: boolean;
  readonly #free: Frame[] = [];
  #byStep: Frame | null = null;
  #arena = 0;
  #running = 0;
  #disposed = false;

  constructor(ffi: Ffi, platform: Platform, team: Team, pages: CodePages, program: Program, image: X64Image) {
    this.#ffi = ffi;
    this.#platform = platform;
    this.#team = team;
    this.#pages = pages;
    this.#program = program;
    this.#image = image;
    this.#parallel = team.threads > 1 && isWorthSharing(program);
  }

  get bytes(): number {
    return this.#program.arenaBytes + this.#pages.bytes;
  }

  run(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared = false): void {
    const frame = this.#frame();
    try {
      this.#bind(frame, inputs, outputs);
      this.#setJob(frame, isPrepared ? frame.prepared : frame.begin, frame.end);
      this.#team.run({ block: frame.block, offset: 0 });
      this.#check(frame);
    } finally {
      this.#free.push(frame);
    }
  }

  runAsync(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared = false): Promise<void> {
    return new Promise((resolve, reject) => {
      const frame = this.#frame();
      this.#bind(frame, inputs, outputs);
      this.#setJob(frame, isPrepared ? frame.prepared : frame.begin, frame.end);
      // The bytes themselves are held, so that releasing a storage meanwhile cannot free them; and the storages, whose place may
      // be given to others once nobody holds them.
      const held = [...inputs, ...outputs].map((storage) => ({ storage, bytes: storage.bytes }));
      this.#running++;
      this.#team.runAsync({ block: frame.block, offset: 0 }, (error) => {
        held.length = 0;
        this.#running--;
        this.#free.push(frame);
        try {
          if (error) throw error;
          this.#check(frame);
          resolve();
        } catch (failure) {
          reject(failure);
        }
        if (this.#disposed) this.#release();
      });
    });
  }

  profile(inputs: readonly Storage[], outputs: readonly Storage[], isPrepared = false): StepTime[] {
    this.#requireAlive();
    const left = isPrepared ? (this.#program.prologue?.steps ?? 0) : 0;
    this.#prepareArena();
    this.#byStep ??= this.#newFrame(true);
    const frame = this.#byStep;
    this.#bind(frame, inputs, outputs);
    const seconds = new Float64Array(frame.steps.length);
    walkProgram(this.#program, {
      run: (first, last, iterations) => {
        for (let step = Math.max(first, left); step < last; step++) {
          this.#setWindows(frame, step, iterations);
          this.#setJob(frame, frame.steps[step].begin, frame.steps[step].end);
          const start = process.hrtime.bigint();
          this.#team.run({ block: frame.block, offset: 0 });
          seconds[step] += Number(process.hrtime.bigint() - start) / 1e9;
        }
      },
      isSet: (buffer, iterations) => {
        const address = this.#addressNow(frame, buffer) + windowStart(this.#program, buffer, iterations);
        return new Int32Array(bytesAt(this.#ffi, address, 4).slice().buffer)[0] !== 0;
      },
    });
    this.#bindWindows(frame);
    const times = Array.from(seconds, (time, step): StepTime => ({ step, seconds: time }));
    this.#check(frame);
    return times.slice(left);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#release();
  }

  // ---- running -----------------------------------------------------------------------------------------------------

  #requireAlive(): void {
    if (this.#disposed) throw new InternalError(`internal: program ${this.#program.name} is run after it was disposed`);
  }

  /** Frees pages and arena once no run is under way. */
  #release(): void {
    if (this.#running > 0) return;
    this.#pages.release();
    if (this.#arena !== 0) this.#platform.free(this.#arena, this.#arenaBytes());
    this.#arena = 0;
  }

  #frame(): Frame {
    this.#requireAlive();
    this.#prepareArena();
    return this.#free.pop() ?? this.#newFrame(false);
  }

  #bind(frame: Frame, inputs: readonly Storage[], outputs: readonly Storage[]): void {
    const program = this.#program;
    invariant(
      inputs.length === program.inputs.length && outputs.length === program.outputs.length,
      `program ${program.name} takes ${program.inputs.length} inputs and ${program.outputs.length} outputs`,
    );
    for (let i = 0; i < inputs.length; i++) this.#patch(frame, i, inputs[i], program.inputs[i]);
    for (let i = 0; i < outputs.length; i++) this.#patch(frame, inputs.length + i, outputs[i], program.outputs[i]);
  }

  #patch(frame: Frame, slot: number, storage: Storage, buffer: number): void {
    const spec = this.#program.buffers[buffer];
    invariant(
      storage.byteLength >= spec.size * elemBytes[spec.elem] && !storage.isReleased,
      `program ${this.#program.name}: buffer ${buffer} needs ${spec.size} ${spec.elem}, the storage has ${storage.byteLength} bytes`,
    );
    if (storage.address === 0) storage.address = addressOf(this.#ffi, storage.bytes);
    const patch = frame.patches[slot];
    if (patch.address === storage.address) return;
    patch.address = storage.address;
    for (const { at, offset } of patch.cells) frame.block.setAddress(at, storage.address + offset);
  }

  #setJob(frame: Frame, begin: number, end: number): void {
    const { block } = frame;
    block.setAddress(job.begin, block.address + begin);
    block.setAddress(job.end, block.address + end);
    block.i32[job.parallel / 4] = this.#parallel ? 1 : 0;
  }

  #check(frame: Frame): void {
    const at = frame.errors / 4;
    const site = frame.block.i32[at];
    if (site === 0) return;
    frame.block.i32[at] = 0;
    const { op, what, bound } = this.#program.sites[site - 1];
    failIndex(op, what, bound, frame.block.i32[at + 1]);
  }

  // ---- tables ------------------------------------------------------------------------------------------------------

  #arenaBytes(): number {
    const page = this.#platform.pageBytes;
    return Math.ceil(this.#program.arenaBytes / page) * page;
  }

  #prepareArena(): void {
    if (this.#arena !== 0 || this.#program.arenaBytes === 0) return;
    this.#arena = this.#platform.allocate(this.#arenaBytes());
    for (const { data, offset } of this.#program.buffers) {
      if (!data || data.length === 0) continue;
      const source = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      bytesAt(this.#ffi, this.#arena + offset, data.byteLength).set(source);
    }
  }

  /** `stepwise`: every step ends a stage and no loop is written, so that each step can run by itself. */
  #newFrame(stepwise: boolean): Frame {
    const { steps, kernels, loops = [] } = this.#program;
    const regions = steps.reduce((n, step) => n + kernels[step.kernel].regions.filter((r) => r.extent > 0).length, 0);
    const begin = job.size;
    const end = begin + (regions + (stepwise ? 0 : 2 * loops.length)) * record.size;
    const tables = this.#layTables(end);
    const errors = tables.end;
    const block = new NativeBlock(this.#ffi, errors + 8);
    block.setAddress(job.control, this.#team.controlAddress);
    block.setAddress(job.errors, block.address + errors);
    for (const [buffer, cells] of tables.cellsOf) {
      const { kind, offset } = this.#program.buffers[buffer];
      if (kind === 'input' || kind === 'output') continue;
      for (const cell of cells) block.setAddress(cell.at, this.#arena + offset + cell.offset);
    }
    const ranges = this.#writeRecords(block, begin, tables, stepwise);
    const io = [...this.#program.inputs, ...this.#program.outputs];
    const patches = io.map((buffer) => ({ cells: tables.cellsOf.get(buffer) ?? [], address: 0 }));
    const { prologue } = this.#program;
    const prepared = prologue ? ranges[prologue.steps - 1].end : begin;
    return { block, errors, begin, end, prepared, steps: ranges, patches, tables };
  }

  /** Plans the tables behind the records: arguments, flags of loops, lists of what moves. */
  #layTables(at: number): Tables {
    const { steps, buffers, loops = [] } = this.#program;
    const cellsOf = new Map<number, Cell[]>();
    const moves = loops.map((): { cell: number; bytes: number }[] => []);
    let end = at;
    const cell = (buffer: number): number => {
      const { window, offset } = buffers[buffer];
      const root = window?.of ?? buffer;
      const place = { at: end, offset: window ? offset : 0 };
      const cells = cellsOf.get(root);
      if (cells) cells.push(place);
      else cellsOf.set(root, [place]);
      for (const { loop, bytes } of window?.strides ?? []) moves[loop].push({ cell: end, bytes });
      end += 8;
      return place.at;
    };
    const args = steps.map((step) => {
      const first = end;
      step.args.forEach(cell);
      return first;
    });
    const flags = loops.map(({ flag }) => (flag === undefined ? 0 : cell(flag)));
    // The lists themselves come last.
    return { cellsOf, args, flags, moves, end: end + 16 * moves.reduce((n, list) => n + list.length, 0) };
  }

  #writeRecords(
    block: NativeBlock,
    begin: number,
    tables: Tables,
    stepwise: boolean,
  ): { begin: number; end: number }[] {
    const { steps, kernels, loops = [] } = this.#program;
    const ranges: { begin: number; end: number }[] = [];
    const begins: number[] = [];
    let at = begin;
    let chunks = 0;
    let list = tables.end - 16 * tables.moves.reduce((n, moves) => n + moves.length, 0);
    steps.forEach((step, s) => {
      loops.forEach(({ first }, l) => {
        if (first !== s || stepwise) return;
        begins[l] = at;
        block.i32[(at + record.kind) / 4] = 1;
        if (tables.flags[l] !== 0) block.setAddress(at + loopBegin.flag, block.address + tables.flags[l]);
        at += record.size;
      });
      const from = at;
      kernels[step.kernel].regions.forEach((region, r) => {
        if (region.extent === 0) return;
        block.setAddress(at + record.entry, this.#pages.address + this.#image.entries[step.kernel][r]);
        block.setAddress(at + record.args, block.address + tables.args[s]);
        block.i32[(at + record.extent) / 4] = region.extent;
        chunks += region.extent;
        at += record.size;
      });
      ranges.push({ begin: from, end: at });
      const ends = stepwise || s === steps.length - 1 || steps[s + 1].stage !== step.stage;
      // A stage whose kernels have nothing to do has no record to end it.
      if (ends && chunks > 0) {
        block.i32[(at - record.size + record.endsStage) / 4] = 1;
        block.i32[(at - record.size + record.stageChunks) / 4] = chunks;
        chunks = 0;
      }
      // Inner loops end before outer ones.
      for (let l = loops.length - 1; l >= 0 && !stepwise; l--) {
        if (loops[l].end !== s + 1) continue;
        this.#writeLoopEnd(block, at, begins[l], list, { count: loops[l].count, moves: tables.moves[l] });
        list += 16 * tables.moves[l].length;
        at += record.size;
        block.setAddress(begins[l] + loopBegin.exit, block.address + at);
      }
    });
    return ranges;
  }

  #writeLoopEnd(
    block: NativeBlock,
    at: number,
    begin: number,
    list: number,
    { count, moves }: { readonly count: number; readonly moves: Tables['moves'][number] },
  ): void {
    block.i32[(at + record.kind) / 4] = 2;
    block.setAddress(at + loopEnd.begin, block.address + begin);
    block.i32[(at + loopEnd.moves) / 4] = moves.length;
    block.setAddress(at + loopEnd.moveTable, block.address + list);
    block.setAddress(at + loopEnd.count, count);
    moves.forEach(({ cell, bytes }, i) => {
      block.setAddress(list + 16 * i, block.address + cell);
      block.setInteger(list + 16 * i + 8, bytes);
    });
  }

  // ---- step by step --------------------------------------------------------------------------------------------------

  /** Address of a buffer, or of the buffer that a window is part of. */
  #addressNow(frame: Frame, buffer: number): number {
    const root = this.#program.buffers[buffer].window?.of ?? buffer;
    const io = [...this.#program.inputs, ...this.#program.outputs].indexOf(root);
    return io < 0 ? this.#arena + this.#program.buffers[root].offset : frame.patches[io].address;
  }

  /** Lets the windows among a step's arguments stand where these iterations want them. */
  #setWindows(frame: Frame, step: number, iterations: readonly number[]): void {
    this.#program.steps[step].args.forEach((buffer, i) => {
      if (!this.#program.buffers[buffer].window) return;
      const address = this.#addressNow(frame, buffer) + windowStart(this.#program, buffer, iterations);
      frame.block.setAddress(frame.tables.args[step] + 8 * i, address);
    });
  }

  /** Lets all windows stand at their beginning again. */
  #bindWindows(frame: Frame): void {
    const start = (this.#program.loops ?? []).map(() => 0);
    if (start.length > 0) this.#program.steps.forEach((_, step) => this.#setWindows(frame, step, start));
  }
}

/** Whether a program has chunks to share and enough work in them. */
function isWorthSharing(program: Program): boolean {
  let seconds = 0;
  let shares = false;
  const stages = new Map<number, number>();
  program.steps.forEach((step, s) => {
    const kernel = program.kernels[step.kernel];
    const times = timesOf(program, s);
    seconds += times * Math.max(kernel.flops / GUESSED_FLOPS, kernel.bytes / GUESSED_BYTES);
    const chunks = kernel.regions.reduce((n, region) => n + region.extent, stages.get(step.stage) ?? 0);
    stages.set(step.stage, chunks);
    if (chunks > 1) shares = true;
  });
  return shares && seconds > PARALLEL_SECONDS;
}
