/**
 * A program made ready to run: its code in executable pages, its arena, and frames: for each run under way one table of
 * records and arguments, in which only the addresses of inputs and outputs change from run to run.
 */
import { fail, InternalError, invariant } from '../../base/errors.ts';
import type { X64Image } from '../../kernel/image.ts';
import { x64Layout } from '../../kernel/image.ts';
import { elemBytes } from '../../kernel/ir.ts';
import type { Program } from '../../kernel/program.ts';
import type { Executable, StepTime } from '../device.ts';
import type { Storage } from '../storage.ts';
import type { CodePages } from './code-pages.ts';
import type { Ffi } from './ffi.ts';
import { addressOf, bytesAt } from './ffi.ts';
import { NativeBlock } from './native-block.ts';
import type { Platform } from './platform.ts';
import type { Team } from './team.ts';

const { record, job } = x64Layout;

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
  /** Range of records of each step. */
  readonly steps: readonly { readonly begin: number; readonly end: number }[];
  /** For inputs, then outputs: offsets of the table cells that hold its address, and what they hold now. */
  readonly patches: readonly { readonly cells: readonly number[]; address: number }[];
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

  run(inputs: readonly Storage[], outputs: readonly Storage[]): void {
    const frame = this.#frame();
    try {
      this.#bind(frame, inputs, outputs);
      this.#setJob(frame, frame.begin, frame.end);
      this.#team.run({ block: frame.block, offset: 0 });
      this.#check(frame);
    } finally {
      this.#free.push(frame);
    }
  }

  runAsync(inputs: readonly Storage[], outputs: readonly Storage[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const frame = this.#frame();
      this.#bind(frame, inputs, outputs);
      this.#setJob(frame, frame.begin, frame.end);
      // The bytes themselves are held, so that releasing a storage meanwhile cannot free them.
      const held = [...inputs, ...outputs].map((storage) => storage.bytes);
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

  profile(inputs: readonly Storage[], outputs: readonly Storage[]): StepTime[] {
    this.#requireAlive();
    this.#prepareArena();
    this.#byStep ??= this.#newFrame(true);
    const frame = this.#byStep;
    this.#bind(frame, inputs, outputs);
    const times: StepTime[] = [];
    frame.steps.forEach(({ begin, end }, step) => {
      this.#setJob(frame, begin, end);
      const start = process.hrtime.bigint();
      this.#team.run({ block: frame.block, offset: 0 });
      times.push({ step, seconds: Number(process.hrtime.bigint() - start) / 1e9 });
    });
    this.#check(frame);
    return times;
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
    for (const cell of patch.cells) frame.block.setAddress(cell, storage.address);
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
    fail(op, `${what} must be in [0, ${bound})`, `got ${frame.block.i32[at + 1]}`, 'check the indices that are fed');
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

  /** `stepwise`: every step ends a stage, so that each can run by itself. */
  #newFrame(stepwise: boolean): Frame {
    const { steps, kernels } = this.#program;
    const records = steps.reduce((n, step) => n + kernels[step.kernel].regions.length, 0);
    const begin = job.size;
    const end = begin + records * record.size;
    const cells = steps.reduce((n, step) => n + step.args.length, 0);
    const errors = end + 8 * cells;
    const block = new NativeBlock(this.#ffi, errors + 8);
    block.setAddress(job.control, this.#team.controlAddress);
    block.setAddress(job.errors, block.address + errors);
    const cellsOf = this.#writeArguments(block, end);
    const ranges = this.#writeRecords(block, begin, end, stepwise);
    const io = [...this.#program.inputs, ...this.#program.outputs];
    const patches = io.map((buffer) => ({ cells: cellsOf.get(buffer) ?? [], address: 0 }));
    return { block, errors, begin, end, steps: ranges, patches };
  }

  /** Fills the argument tables; returns the cells of each input and output. */
  #writeArguments(block: NativeBlock, at: number): Map<number, number[]> {
    const cellsOf = new Map<number, number[]>();
    let cell = at;
    for (const step of this.#program.steps) {
      for (const buffer of step.args) {
        const { kind, offset } = this.#program.buffers[buffer];
        if (kind === 'temp' || kind === 'constant') {
          block.setAddress(cell, this.#arena + offset);
        } else {
          const cells = cellsOf.get(buffer);
          if (cells) cells.push(cell);
          else cellsOf.set(buffer, [cell]);
        }
        cell += 8;
      }
    }
    return cellsOf;
  }

  #writeRecords(block: NativeBlock, begin: number, args: number, stepwise: boolean): { begin: number; end: number }[] {
    const { steps, kernels } = this.#program;
    const ranges: { begin: number; end: number }[] = [];
    let at = begin;
    let table = args;
    let chunks = 0;
    steps.forEach((step, s) => {
      const { regions } = kernels[step.kernel];
      const from = at;
      regions.forEach((region, r) => {
        block.setAddress(at + record.entry, this.#pages.address + this.#image.entries[step.kernel][r]);
        block.setAddress(at + record.args, block.address + table);
        block.i32[(at + record.extent) / 4] = region.extent;
        chunks += region.extent;
        at += record.size;
      });
      table += 8 * step.args.length;
      ranges.push({ begin: from, end: at });
      const ends = stepwise || s === steps.length - 1 || steps[s + 1].stage !== step.stage;
      // A stage whose kernels have nothing to do has no record to end it.
      if (ends && chunks > 0) {
        block.i32[(at - record.size + record.endsStage) / 4] = 1;
        block.i32[(at - record.size + record.stageChunks) / 4] = chunks;
        chunks = 0;
      }
    });
    return ranges;
  }
}

/** Whether a program has chunks to share and enough work in them. */
function isWorthSharing(program: Program): boolean {
  let seconds = 0;
  let shares = false;
  const stages = new Map<number, number>();
  for (const step of program.steps) {
    const kernel = program.kernels[step.kernel];
    seconds += Math.max(kernel.flops / GUESSED_FLOPS, kernel.bytes / GUESSED_BYTES);
    const chunks = kernel.regions.reduce((n, region) => n + region.extent, stages.get(step.stage) ?? 0);
    stages.set(step.stage, chunks);
    if (chunks > 1) shares = true;
  }
  return shares && seconds > PARALLEL_SECONDS;
}
