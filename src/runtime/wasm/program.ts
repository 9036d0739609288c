/**
 * A program in linear memory: its constants, the tables that the emitted functions and the threads read, and where its
 * buffers lie while it runs: storages that live in the memory where they are, others in scratch memory, copied in and out. It
 * does not run anything.
 */
import { InternalError, invariant } from '../../base/errors.ts';
import type { WasmImage } from '../../kernel/image.ts';
import { elemBytes } from '../../kernel/ir.ts';
import { timesOf, windowStart } from '../../kernel/loop-walk.ts';
import type { BufferSpec, Program } from '../../kernel/program.ts';
import type { Home, Storage } from '../storage.ts';
import { ENTRY_BYTES, loopWords, nextStage, recordWords, stageWords } from './control.ts';
import type { RegionFunction } from './control.ts';
import type { LinearMemory } from './memory.ts';

const WORD = 4;

/** One region of one step. */
interface Record {
  readonly fn: number;
  readonly step: number;
  readonly extent: number;
}

/** Where loop `loop` begins or ends. */
interface LoopMark {
  readonly loop: number;
  readonly ends: boolean;
}

type Entry = Stage | LoopMark;

function isStage(entry: Entry): entry is Stage {
  return 'chunks' in entry;
}

/** Records [first, end) with `chunks` chunks in all. */
export interface Stage {
  readonly first: number;
  readonly end: number;
  readonly chunks: number;
}

/** Addresses. */
interface Tables {
  readonly argsOf: readonly number[];
  readonly entries: number;
  readonly stepStages: number;
  readonly records: number;
  /** For each loop: the cell of its flag (0: none), the list of what moves with it. */
  readonly flags: readonly number[];
  readonly moves: readonly number[];
  readonly end: number;
}

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

export class LoadedProgram {
  readonly program: Program;
  /** Where workers keep their instance of the code, and what tells it from the slot's earlier ones. */
  readonly slot: number;
  readonly version: number;
  readonly functions: readonly RegionFunction[];
  /** Stages, and the marks of loops between them. */
  readonly entries: readonly Entry[];
  /** The same work with every step in a stage of its own, for profiling. */
  readonly stepStages: readonly (Stage & { readonly step: number })[];
  /** Bytes of scratch memory for temporaries. */
  readonly #temporaryBytes: number;
  /** Seconds that a run takes on one thread, roughly. */
  readonly estimate: number;
  readonly moduleAddress: number;
  readonly moduleBytes: number;
  readonly #memory: LinearMemory;
  readonly #records: Record[] = [];
  /** For each buffer, its address, or its place in the scratch memory. */
  readonly #place: number[] = [];
  /** Whether a buffer's place is an address. */
  readonly #isFixed: boolean[] = [];
  /** Inputs and outputs: the cells of argument tables that hold them or a window of them, and what is there now. */
  readonly #bound: { readonly buffer: number; readonly cells: readonly Cell[]; address: number }[];
  /** Inputs that live elsewhere, and outputs. */
  readonly #guests = { inputs: new Set<number>(), outputs: new Set<number>() };
  readonly #moves: readonly (readonly Move[])[];
  readonly #block: number;
  readonly #tables: Tables;
  #scratch = -1;
  #isFreed = false;

  constructor(memory: LinearMemory, program: Program, image: WasmImage, slot: number, version: number) {
    this.program = program;
    this.slot = slot;
    this.version = version;
    this.#memory = memory;
    const code = withMemoryFlags(image, memory.shared);
    const { functions, indices } = instantiate(code, image, memory);
    this.functions = functions;
    const { entries, stepStages } = this.#listRecords(indices);
    this.entries = entries;
    this.stepStages = stepStages;
    this.estimate = program.steps.reduce((seconds, step, s) => {
      const { flops, bytes } = program.kernels[step.kernel];
      return seconds + timesOf(program, s) * Math.max(flops / 1e10, bytes / 5e9);
    }, 0);
    this.#moves = movesOf(program);
    this.#temporaryBytes = this.#placeTemporaries();

    // One block holds constants, argument tables, stages, records and the code's bytes, which workers compile from.
    let top = 0;
    const take = (bytes: number): number => {
      const at = top;
      top += align(bytes);
      return at;
    };
    const constants = program.buffers.map((buffer) => (buffer.kind === 'constant' ? take(byteLength(buffer)) : -1));
    const argsOf = program.steps.map((step) => take(step.args.length * WORD));
    const entryTable = take(entries.length * ENTRY_BYTES);
    const stepStageTable = take(stepStages.length * ENTRY_BYTES);
    const records = take(this.#records.length * ENTRY_BYTES);
    const flags = (program.loops ?? []).map(({ flag }) => (flag === undefined ? -1 : take(WORD)));
    const moves = this.#moves.map((list) => take(list.length * 2 * WORD));
    const module = take(memory.shared ? code.length : 0);
    this.#block = memory.allocate(top, program.name);
    const base = this.#block;
    this.#tables = {
      argsOf: argsOf.map((at) => base + at),
      entries: base + entryTable,
      stepStages: base + stepStageTable,
      records: base + records,
      flags: flags.map((at) => (at < 0 ? 0 : base + at)),
      moves: moves.map((at) => base + at),
      end: base + top,
    };
    this.moduleAddress = base + module;
    this.moduleBytes = code.length;
    if (memory.shared) memory.bytes.set(code, this.moduleAddress);
    program.buffers.forEach((buffer, i) => {
      if (constants[i] < 0) return;
      this.#place[i] = base + constants[i];
      this.#isFixed[i] = true;
      this.#writeConstant(buffer, this.#place[i]);
    });
    this.#bound = this.#cellsOf([...program.inputs, ...program.outputs]);
    this.#writeTables();
  }

  get recordTable(): number {
    return this.#tables.records;
  }

  get entryTable(): number {
    return this.#tables.entries;
  }

  get stepStageTable(): number {
    return this.#tables.stepStages;
  }

  /** Whether there is anything to run. */
  get hasWork(): boolean {
    return this.entries.some(isStage);
  }

  /** Whether two threads could be busy at once. */
  get isDivisible(): boolean {
    return this.entries.some((entry) => isStage(entry) && entry.chunks > 1);
  }

  /** The end of all that a worker reads of the program itself. */
  get end(): number {
    return this.#tables.end;
  }

  get bytes(): number {
    return this.#isFreed ? 0 : this.#tables.end - this.#block + this.#temporaryBytes;
  }

  get isFreed(): boolean {
    return this.#isFreed;
  }

  /** Finds out where inputs and outputs of the next run lie; returns the bytes of scratch memory that it needs. */
  place(home: Home, inputs: readonly Storage[], outputs: readonly Storage[]): number {
    const { buffers } = this.program;
    let top = this.#temporaryBytes;
    const put = (buffer: number, storage: Storage, guests: Set<number>, i: number): void => {
      this.#isFixed[buffer] = storage.home === home;
      if (storage.home === home) {
        guests.delete(i);
        this.#place[buffer] = storage.at;
        return;
      }
      guests.add(i);
      this.#place[buffer] = top;
      top += align(byteLength(buffers[buffer]));
    };
    this.program.inputs.forEach((buffer, i) => {
      put(buffer, this.#storageOf('input', i, inputs, buffer), this.#guests.inputs, i);
    });
    this.program.outputs.forEach((buffer, i) => {
      const storage = this.#storageOf('output', i, outputs, buffer);
      const { alias } = buffers[buffer];
      // What overwrites an input lies where that lies.
      if (alias !== undefined && storage.home !== home && !this.#isFixed[alias]) {
        this.#guests.outputs.add(i);
        this.#isFixed[buffer] = false;
        this.#place[buffer] = this.#place[alias];
      } else put(buffer, storage, this.#guests.outputs, i);
    });
    return top;
  }

  /** Tells the argument tables where the scratch memory, the inputs and the outputs lie, as far as that has changed. */
  bind(scratch: number): void {
    const { words } = this.#memory;
    if (this.#scratch !== scratch) {
      this.#scratch = scratch;
      this.bindStep(null);
      for (const bound of this.#bound) bound.address = this.#address(bound.buffer);
    } else {
      for (const bound of this.#bound) {
        const address = this.#address(bound.buffer);
        if (address === bound.address) continue;
        bound.address = address;
        for (const { at, offset } of bound.cells) words[at / WORD] = address + offset;
      }
    }
    this.program.loops?.forEach(({ flag }, l) => {
      if (flag !== undefined) words[this.#tables.flags[l] / WORD] = this.#address(flag);
    });
  }

  /** Lets the windows among the arguments of a step (null: of all) stand where these iterations want them (none: at their start). */
  bindStep(only: number | null, iterations?: readonly number[]): void {
    const { words } = this.#memory;
    const start = iterations ?? (this.program.loops ?? []).map(() => 0);
    this.program.steps.forEach((step, s) => {
      if (only !== null && only !== s) return;
      const at = this.#tables.argsOf[s] / WORD;
      step.args.forEach((buffer, i) => {
        words[at + i] = this.#address(buffer, start);
      });
    });
  }

  isSet(flag: number, iterations: readonly number[]): boolean {
    return this.#memory.words[this.#address(flag, iterations) / WORD] !== 0;
  }

  /** Runs everything on the calling thread, without a word to others. */
  runAlone(errors: number): void {
    const { words } = this.#memory;
    const table = this.#tables.entries / WORD;
    const end = this.entries.length;
    for (let at = nextStage(words, table, 0, end); at < end; at = nextStage(words, table, at + 1, end)) {
      this.runRecords(errors, this.entries[at] as Stage);
    }
  }

  /** Runs a stage on the calling thread. */
  runRecords(errors: number, stage: Stage): void {
    for (let r = stage.first; r < stage.end; r++) {
      const { fn, step, extent } = this.#records[r];
      const run = this.functions[fn];
      const args = this.#tables.argsOf[step];
      for (let chunk = 0; chunk < extent; chunk++) run(args, chunk, errors);
    }
  }

  copyIn(inputs: readonly Storage[]): void {
    const { bytes } = this.#memory;
    for (const i of this.#guests.inputs) {
      const buffer = this.program.inputs[i];
      bytes.set(inputs[i].bytes.subarray(0, this.#lengthOf(buffer)), this.#address(buffer));
    }
  }

  copyOut(outputs: readonly Storage[]): void {
    const { bytes } = this.#memory;
    for (const i of this.#guests.outputs) {
      const buffer = this.program.outputs[i];
      const at = this.#address(buffer);
      outputs[i].bytes.set(bytes.subarray(at, at + this.#lengthOf(buffer)));
    }
  }

  free(): void {
    if (this.#isFreed) return;
    this.#isFreed = true;
    this.#memory.release(this.#block);
  }

  #address(buffer: number, iterations?: readonly number[]): number {
    const { window } = this.program.buffers[buffer];
    if (window) {
      const start = iterations ?? (this.program.loops ?? []).map(() => 0);
      return this.#address(window.of) + windowStart(this.program, buffer, start);
    }
    return this.#isFixed[buffer] ? this.#place[buffer] : this.#scratch + this.#place[buffer];
  }

  #lengthOf(buffer: number): number {
    return byteLength(this.program.buffers[buffer]);
  }

  #storageOf(what: string, i: number, storages: readonly Storage[], buffer: number): Storage {
    const length = this.#lengthOf(buffer);
    const storage = storages[i];
    invariant(
      storage !== undefined && storage.byteLength >= length,
      `${what} ${i} of program ${this.program.name} takes ${length} bytes, got ${storage?.byteLength ?? 'nothing'}`,
    );
    return storage;
  }

  /** For each of `roots`, the cells of the argument tables that its address, or one inside of it, must stand in. */
  #cellsOf(roots: readonly number[]): { buffer: number; cells: Cell[]; address: number }[] {
    const { buffers, steps, loops = [] } = this.program;
    const start = loops.map(() => 0);
    const cells = new Map<number, Cell[]>(roots.map((root) => [root, []]));
    steps.forEach((step, s) => {
      step.args.forEach((arg, i) => {
        let root = arg;
        let offset = 0;
        for (let window = buffers[root].window; window; window = buffers[root].window) {
          offset += windowStart(this.program, root, start);
          root = window.of;
        }
        cells.get(root)?.push({ at: this.#tables.argsOf[s] + i * WORD, offset });
      });
    });
    return [...cells].map(([buffer, list]) => ({ buffer, cells: list, address: -1 }));
  }

  /** Temporaries at their offsets. */
  #placeTemporaries(): number {
    const { buffers } = this.program;
    const temporaries = buffers.filter((buffer) => buffer.kind === 'temp');
    const lowest = temporaries.reduce((low, { offset }) => Math.min(low, offset), Number.POSITIVE_INFINITY);
    const start = Number.isFinite(lowest) ? lowest - (lowest % 64) : 0;
    let top = 0;
    buffers.forEach((buffer, i) => {
      if (buffer.kind !== 'temp') return;
      this.#place[i] = buffer.offset - start;
      top = Math.max(top, align(this.#place[i] + byteLength(buffer)));
    });
    return top;
  }

  #listRecords(indices: readonly (readonly number[])[]): Pick<LoadedProgram, 'entries' | 'stepStages'> {
    const { steps, kernels, loops = [] } = this.program;
    const entries: Entry[] = [];
    const stepStages: (Stage & { step: number })[] = [];
    let open = { first: 0, end: 0, chunks: 0 };
    steps.forEach((step, s) => {
      loops.forEach(({ first }, loop) => {
        if (first === s) entries.push({ loop, ends: false });
      });
      const first = this.#records.length;
      if (s === 0 || steps[s - 1].stage !== step.stage) open = { first, end: first, chunks: 0 };
      let chunks = 0;
      kernels[step.kernel].regions.forEach((region, r) => {
        if (region.extent === 0) return;
        this.#records.push({ fn: indices[step.kernel][r], step: s, extent: region.extent });
        chunks += region.extent;
      });
      open.end = this.#records.length;
      open.chunks += chunks;
      if (chunks > 0) stepStages.push({ first, end: this.#records.length, chunks, step: s });
      const closes = s === steps.length - 1 || steps[s + 1].stage !== step.stage;
      // A stage without chunks would never be done.
      if (closes && open.chunks > 0) entries.push(open);
      // Inner loops end before outer ones.
      for (let loop = loops.length - 1; loop >= 0; loop--) {
        if (loops[loop].end === s + 1) entries.push({ loop, ends: true });
      }
    });
    return { entries, stepStages };
  }

  #writeTables(): void {
    const { words } = this.#memory;
    const tables = this.#tables;
    const writeStage = (at: number, stage: Stage): void => {
      words[at + stageWords.first] = stage.first;
      words[at + stageWords.end] = stage.end;
      words[at + stageWords.chunks] = stage.chunks;
      words[at + stageWords.done] = 0;
      words[at + stageWords.kind] = 0;
    };
    this.entries.forEach((entry, e) => {
      const at = (tables.entries + e * ENTRY_BYTES) / WORD;
      if (isStage(entry)) writeStage(at, entry);
      else this.#writeMark(at, entry);
    });
    this.stepStages.forEach((stage, s) => writeStage((tables.stepStages + s * ENTRY_BYTES) / WORD, stage));
    this.#records.forEach((record, r) => {
      const at = (tables.records + r * ENTRY_BYTES) / WORD;
      words[at + recordWords.fn] = record.fn;
      words[at + recordWords.args] = tables.argsOf[record.step];
      words[at + recordWords.extent] = record.extent;
      words[at + recordWords.next] = 0;
      words[at + recordWords.limit] = 0;
    });
    this.#moves.forEach((list, l) => {
      list.forEach(({ step, arg, bytes }, i) => {
        words[tables.moves[l] / WORD + 2 * i] = tables.argsOf[step] + arg * WORD;
        words[tables.moves[l] / WORD + 2 * i + 1] = bytes;
      });
    });
  }

  #writeMark(at: number, { loop, ends }: LoopMark): void {
    const { words } = this.#memory;
    const place = (end: boolean) => this.entries.findIndex((e) => !isStage(e) && e.loop === loop && e.ends === end);
    words[at + loopWords.kind] = ends ? 2 : 1;
    if (!ends) {
      words[at + loopWords.flag] = this.#tables.flags[loop];
      words[at + loopWords.exit] = place(true) + 1;
      words[at + loopWords.iteration] = 0;
      return;
    }
    words[at + loopWords.begin] = place(false);
    words[at + loopWords.moves] = this.#tables.moves[loop];
    words[at + loopWords.moveCount] = this.#moves[loop].length;
    words[at + loopWords.count] = Math.min(this.program.loops![loop].count, 2 ** 31 - 1);
  }

  #writeConstant(buffer: BufferSpec, at: number): void {
    const { bytes } = this.#memory;
    const length = byteLength(buffer);
    bytes.fill(0, at, at + length);
    if (!buffer.data) return;
    invariant(buffer.data.byteLength <= length, `a constant of ${this.program.name} is larger than its buffer`);
    bytes.set(new Uint8Array(buffer.data.buffer, buffer.data.byteOffset, buffer.data.byteLength), at);
  }
}

/** A cell of an argument table: its address, and what is added to the buffer's. */
interface Cell {
  readonly at: number;
  readonly offset: number;
}

/** An argument that moves with a loop. */
interface Move {
  readonly step: number;
  readonly arg: number;
  readonly bytes: number;
}

/** For each loop, what moves with it. */
function movesOf({ loops = [], steps, buffers }: Program): Move[][] {
  return loops.map((_, l) =>
    steps.flatMap((step, s) =>
      step.args.flatMap((buffer, arg) =>
        (buffers[buffer].window?.strides ?? []).flatMap(({ loop, bytes }) =>
          loop === l ? [{ step: s, arg, bytes }] : [],
        ),
      ),
    ),
  );
}

function byteLength(buffer: BufferSpec): number {
  return buffer.size * elemBytes[buffer.elem];
}

/** The module for the kind of memory that is here; it is emitted for a shared one. */
function withMemoryFlags(image: WasmImage, shared: boolean): Uint8Array<ArrayBuffer> {
  const code = new Uint8Array(image.module);
  code[image.memoryFlagsAt] = shared ? 3 : 1;
  return code;
}

/** The functions in the module's order, which is also the workers', and for each kernel's regions their numbers in it. */
function instantiate(
  code: Uint8Array<ArrayBuffer>,
  image: WasmImage,
  memory: LinearMemory,
): { functions: RegionFunction[]; indices: number[][] } {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory: memory.memory } });
  const order = new Map(Object.keys(instance.exports).map((name, i) => [name, i]));
  const indices = image.names.map((names) =>
    names.map((name) => {
      const index = order.get(name);
      if (index === undefined) throw new InternalError(`internal: the module does not export ${name}`);
      return index;
    }),
  );
  return { functions: Object.values(instance.exports) as unknown as RegionFunction[], indices };
}
