/**
 * tf.callbacks.backupAndRestore: a fit that was interrupted, however it was, goes on where its last whole epoch ended, and ends with
 * the same bits. One file holds all that a run depends on: weights, the optimizer's state, random states, the epoch. Node only.
 */
import { fail, UserError } from '../base/errors.ts';
import { Callback } from '../nn/index.ts';
import { randomState, restoreRandomState, tensor, tidy, type Variable } from '../tensor/index.ts';
import type { TypedArray } from '../types/dtype.ts';
import { sameShape, showShape } from '../types/shape.ts';
import { namedArray } from './adapters/weights.ts';
import { checkWeightSpecs, decodeArrays, encodeArrays, type NamedArray } from './formats/weights.ts';

const op = 'backupAndRestore';
const fileName = 'backup.bin';
const magic = 'tensorloom backup 1\n';
/** A header longer than this is none. */
const longestHeader = 64 * 2 ** 20;

export interface BackupAndRestoreArgs {
  /** The folder of the backup, for this run alone; it is made where it is not there. */
  backupDir: string;
  /** Whether the backup goes away when fit ends; default true. */
  deleteCheckpoint?: boolean;
}

interface Backup {
  /** The epoch to go on with. */
  readonly epoch: number;
  readonly random: ReturnType<typeof randomState>;
  /** Of each optimizer; null where a schedule gives it. */
  readonly learningRates: readonly (number | null)[];
  readonly arrays: readonly NamedArray[];
}

/** magic, the length of the header in 8 digits of base 16 and a line end, the header in JSON, the values. */
function encode({ epoch, random, learningRates, arrays }: Backup): Uint8Array {
  const { specs, bytes } = encodeArrays(arrays);
  const header = new TextEncoder().encode(JSON.stringify({ epoch, random, learningRates, specs }));
  const front = new TextEncoder().encode(`${magic}${header.length.toString(16).padStart(8, '0')}\n`);
  const out = new Uint8Array(front.length + header.length + bytes.length);
  out.set(front, 0);
  out.set(header, front.length);
  out.set(bytes, front.length + header.length);
  return out;
}

function decode(file: string, bytes: Uint8Array): Backup {
  const broken = (why: string): never => fail(op, `${file} must be a whole backup`, why, 'remove it to begin anew');
  const front = magic.length + 9;
  const text = new TextDecoder().decode(bytes.subarray(0, front));
  const length = Number.parseInt(text.slice(magic.length), 16);
  if (!text.startsWith(magic) || !(length > 0 && length <= longestHeader)) broken('it is none');
  let header: { [name: string]: unknown } = {};
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(front, front + length))) as typeof header;
  } catch {
    broken('its header is no JSON');
  }
  const { epoch, random, learningRates, specs } = header as unknown as Backup & { specs: unknown };
  const valid = Number.isSafeInteger(epoch) && epoch >= 0 && typeof random === 'object' && Array.isArray(learningRates);
  if (!valid) broken('its header is not that of one');
  const arrays = decodeArrays(op, bytes.subarray(front + length), checkWeightSpecs(op, specs));
  return { epoch, random, learningRates, arrays };
}

/**
 * Backs the run up after each epoch, and takes an earlier one up where fit begins. Give fit a `seed`, or call tf.setSeed first, and
 * the orders of the samples are those of the run that was interrupted. Source: keras.callbacks.BackupAndRestore.
 */
export class BackupAndRestore extends Callback {
  readonly #folder: string;
  readonly #deletes: boolean;
  #finished = false;

  constructor(args: BackupAndRestoreArgs) {
    super();
    if (typeof args?.backupDir !== 'string' || args.backupDir === '') {
      fail(op, 'backupDir must be the path of a folder', `got ${JSON.stringify(args?.backupDir) ?? 'nothing'}`);
    }
    this.#folder = args.backupDir.replace(/^file:\/\//, '');
    this.#deletes = args.deleteCheckpoint ?? true;
  }

  /** All that moves on in a step, by the name in the file. */
  #state(): { name: string; variable: Variable }[] {
    const { model } = this;
    if (!model.built) {
      fail(op, 'the model must be built before fit', 'its weights are not known', 'call model.build, or predict once');
    }
    const moved = model.optimizers.map(({ optimizer, weights }) => optimizer.stateOf(weights.map(({ val }) => val)));
    return [
      // Names that layers got by counting differ from run to run.
      ...model.weights.map(({ originalName, val }, i) => ({
        name: `weights/${i}/${originalName.split('/').at(-1)}`,
        variable: val,
      })),
      ...moved.flat().map((variable, i) => ({ name: `optimizer/${i}`, variable })),
      ...model.hiddenState().map((variable, i) => ({ name: `layers/${i}`, variable })),
    ];
  }

  async #file(): Promise<string> {
    return (await import('node:path')).join(this.#folder, fileName);
  }

  override async onTrainBegin(): Promise<void> {
    this.resumeEpoch = 0;
    this.#finished = false;
    const { readFile } = await import('node:fs/promises');
    const file = await this.#file();
    let bytes: Uint8Array;
    try {
      bytes = await readFile(file);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      throw new UserError(`[${op}] ${file} must be a readable file; reading it failed with ${code}`, { cause });
    }
    this.#restore(file, decode(file, bytes));
  }

  #restore(file: string, { epoch, random, learningRates, arrays }: Backup): void {
    const state = this.#state();
    const odd = state.findIndex(({ name, variable }, i) => {
      const array = arrays[i];
      return !array || array.name !== name || array.dtype !== variable.dtype || !sameShape(array.shape, variable.shape);
    });
    if (odd >= 0 || arrays.length !== state.length) {
      const [has, wants] = [arrays[odd], state[odd]];
      const came =
        has && wants
          ? `it has ${has.name} ${showShape(has.shape)}, the model ${wants.name} ${showShape(wants.variable.shape)}`
          : `it has ${arrays.length} arrays, the model ${state.length}`;
      fail(op, `${file} must be a backup of this model and optimizer`, came, 'remove it to begin anew');
    }
    tidy(() => {
      state.forEach(({ variable }, i) => {
        const { values, shape, dtype } = arrays[i];
        variable.assign(tensor(values as TypedArray, [...shape], dtype) as never);
      });
    });
    for (const [i, { optimizer }] of this.model.optimizers.entries()) {
      const rate = learningRates[i] ?? null;
      if (rate !== null) optimizer.learningRate = rate;
    }
    restoreRandomState(random);
    this.resumeEpoch = epoch;
  }

  override async onEpochEnd(epoch: number): Promise<void> {
    const [{ mkdir }, { replaceFile }] = await Promise.all([
      import('node:fs/promises'),
      import('./node/model_folder.ts'),
    ]);
    const bytes = encode({
      epoch: epoch + 1,
      random: randomState(),
      learningRates: this.model.optimizers.map(({ optimizer }) =>
        optimizer.learningRateSchedule ? null : optimizer.learningRate,
      ),
      arrays: this.#state().map(({ name, variable }) => namedArray(name, variable)),
    });
    await mkdir(this.#folder, { recursive: true });
    await replaceFile(this.#folder, fileName, bytes);
    this.#finished = epoch + 1 >= (this.params?.epochs ?? Number.POSITIVE_INFINITY);
  }

  /** A run that was stopped early (Ctrl-C) keeps its backup. */
  override async onTrainEnd(): Promise<void> {
    if (!this.#deletes || !this.#finished) return;
    const { rm, rmdir } = await import('node:fs/promises');
    await rm(await this.#file(), { force: true });
    // Only where nothing else is in it.
    await rmdir(this.#folder).catch(() => undefined);
  }
}
