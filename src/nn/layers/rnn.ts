/** tf.layers.rnn: any cell over the steps of a sequence, in one compiled loop. */
import { fail } from '../../base/errors.ts';
import {
  cast,
  eagerly,
  expandDims,
  reverse,
  scan,
  Tensor,
  transpose,
  untracked,
  type Variable,
  variable,
  where,
  zeros,
} from '../../tensor/index.ts';
import { type Config, isSerializedObject, serialize } from '../keras_config.ts';
import { uniqueVariableName } from '../naming.ts';
import { isTraining, type Mask } from './call_context.ts';
import { activeCache } from './key_value_cache.ts';
import { type CallOptions, Layer, type LayerArgs } from './layer.ts';
import { withNameScope } from './layer_variable.ts';
import { deserializeLayer } from './registry.ts';
import { RNNCell } from './rnn_cell.ts';
import { isShapeList, type KerasShape, type ShapeOrShapes, showKerasShape } from './shapes.ts';
import { StackedRNNCells } from './stacked_rnn_cells.ts';
import { SymbolicTensor } from './symbolic.ts';

export interface BaseRNNArgs extends LayerArgs {
  /** Gives the output of every step, not only of the last; default false. */
  returnSequences?: boolean;
  /** Gives the last states behind the output; default false. */
  returnState?: boolean;
  /** From the last step to the first; default false. */
  goBackwards?: boolean;
  /** The states at the end of a batch are those at the start of the next; needs a fixed batch size. Default false. */
  stateful?: boolean;
  /** Not used: the loop is compiled. */
  unroll?: boolean;
  /** Number of features: short for inputShape [inputLength, inputDim]. */
  inputDim?: number;
  inputLength?: number;
}

export interface RNNArgs extends BaseRNNArgs {
  /** The cell, or several to be stacked. */
  cell: RNNCell | readonly RNNCell[];
}

export interface RNNCallOptions extends CallOptions {
  /** The states to begin with; default zeros. */
  initialState?: Tensor | readonly Tensor[];
}

/** One pass over the steps: outputs of all steps (or null), the last output, the last states. */
interface Pass {
  readonly outputs: Tensor | null;
  readonly last: Tensor;
  readonly states: Tensor[];
}

/**
 * A cell over the steps of [batch, steps, features]. The output is [batch, units], or [batch, steps, units] with
 * returnSequences; steps that the mask leaves out keep the states. Source: tf.layers.rnn.
 */
export class RNN extends Layer {
  static override readonly className: string = 'RNN';
  readonly cell: RNNCell;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly goBackwards: boolean;
  readonly unroll: boolean;
  #states: Variable[] | null = null;

  constructor(args: RNNArgs) {
    const { inputDim, inputLength } = args;
    const implied = inputDim !== undefined && !args.inputShape && !args.batchInputShape;
    super(implied ? { ...args, inputShape: [inputLength ?? null, inputDim] } : args);
    const { cell } = args;
    this.cell = Array.isArray(cell) ? new StackedRNNCells({ cells: cell }) : (cell as RNNCell);
    if (!(this.cell instanceof RNNCell))
      fail(this.label, 'cell must be a cell or a list of them', `got ${typeof cell}`);
    this.returnSequences = args.returnSequences ?? false;
    this.returnState = args.returnState ?? false;
    this.goBackwards = args.goBackwards ?? false;
    this.stateful = args.stateful ?? false;
    this.unroll = args.unroll ?? false;
    this.supportsMasking = true;
  }

  /** The shape of the sequence, which comes before those of initial states. */
  #sequence(inputShape: ShapeOrShapes): KerasShape {
    const shape = isShapeList(inputShape) ? inputShape[0] : inputShape;
    if (shape.length >= 3) return shape;
    const hint = 'a sequence needs [batch, steps, features]';
    return fail(
      this.label,
      'the input must be of rank 3 or more, the batch included',
      `got ${showKerasShape(shape)}`,
      hint,
    );
  }

  override build(inputShape: ShapeOrShapes): void {
    const shape = this.#sequence(inputShape);
    this.cell.scopeName = '';
    withNameScope(this.name, () => this.cell.ensureBuilt([shape[0], ...shape.slice(2)]));
    if (this.stateful) {
      const fixed = this.batchInputShape?.[0];
      if (fixed === null || fixed === undefined) {
        const hint = 'pass batchInputShape: [batch, steps, features] to the first layer';
        fail(this.label, 'a stateful layer needs a fixed batch size', undefined, hint);
      }
    }
  }

  override computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    const shape = this.#sequence(inputShape);
    const step: KerasShape = [shape[0], ...shape.slice(2)];
    const output = this.cell.stepShape(step);
    const result = this.returnSequences ? [output[0], shape[1], ...output.slice(1)] : output;
    return this.returnState ? [result, ...this.cell.stateShapes(step)] : result;
  }

  override computeMask(_inputs: Tensor | Tensor[], mask: Mask): Mask {
    const own = mask instanceof Tensor || !mask ? mask : (mask as readonly (Tensor | null)[])[0];
    const output = this.returnSequences ? own : null;
    return this.returnState ? [output, ...this.cell.stateSizes.map(() => null)] : output;
  }

  /** initialState in a graph is part of the inputs. */
  protected override draw(
    list: SymbolicTensor[],
    isList: boolean,
    options: RNNCallOptions,
  ): SymbolicTensor | SymbolicTensor[] {
    const { initialState, ...rest } = options;
    if (initialState === undefined) return super.draw(list, isList, rest);
    const states: unknown[] = Array.isArray(initialState) ? initialState : [initialState];
    if (!states.every((state) => state instanceof SymbolicTensor)) {
      fail(this.label, 'initialState must be symbolic where the input is', `got ${typeof states[0]}`);
    }
    return super.draw([...list, ...states], true, rest);
  }

  override call(inputs: Tensor | Tensor[], options: RNNCallOptions): Tensor | Tensor[] {
    const [x, ...given] = Array.isArray(inputs) ? inputs : [inputs];
    const own = options.mask instanceof Tensor || !options.mask ? options.mask : options.mask[0];
    const begin = given.length > 0 ? given : options.initialState;
    const kept = begin === undefined ? this.#cachedStates(x) : null;
    const initial = kept ?? this.#initialStates(x, begin);
    const pass = this.#pass(x, initial, (own as Tensor | null | undefined) ?? null, options.training ?? isTraining());
    if (kept) for (const [i, state] of kept.entries()) activeCache()!.change(state, pass.states[i]);
    else if (this.#states) for (const [i, state] of this.#states.entries()) state.assign(pass.states[i]);
    const output = this.returnSequences ? pass.outputs! : pass.last;
    return this.returnState ? [output, ...pass.states] : output;
  }

  /** The states that the cache of the running pass has for this call. */
  #cachedStates(x: Tensor): Variable[] | null {
    const slot = activeCache()?.enter(this);
    if (!slot) return null;
    if (this.goBackwards) fail(this.label, 'with a cache a step must not see later ones', 'got goBackwards: true');
    const shapes = this.cell.stateShapes([x.shape[0], ...x.shape.slice(2)]) as number[][];
    return shapes.map((shape, i) => slot.state(`state ${i}`, shape));
  }

  #initialStates(x: Tensor, given: Tensor | readonly Tensor[] | undefined): Tensor[] {
    const shapes = this.cell.stateShapes([x.shape[0], ...x.shape.slice(2)]) as number[][];
    if (given !== undefined && given !== null) {
      const list = given instanceof Tensor ? [given] : [...given];
      if (list.length !== shapes.length) {
        fail(this.label, `initialState must have ${shapes.length} tensors`, `got ${list.length}`);
      }
      list.forEach((state, i) => {
        if (String(state.shape) === String(shapes[i])) return;
        fail(this.label, `initialState[${i}] must be [${shapes[i]}]`, `got [${state.shape}]`);
      });
      return list;
    }
    if (!this.stateful) return shapes.map((shape) => zeros(shape, this.dtypePolicy.variableDtype));
    this.#states ??= untracked(() =>
      eagerly(() => shapes.map((shape) => this.#stateVariable(zeros(shape, this.dtypePolicy.variableDtype)))),
    );
    this.#states.forEach((state, i) => {
      if (String(state.shape) === String(shapes[i])) return;
      const hint = 'call resetStates({ newShape: true }) to start with another batch size';
      fail(this.label, `the batch must have the size of the kept states, ${state.shape[0]}`, `got ${x.shape[0]}`, hint);
    });
    return this.#states;
  }

  #pass(x: Tensor, initial: readonly Tensor[], mask: Tensor | null, training: boolean): Pass {
    const axes = [1, 0, ...x.shape.slice(2).map((_, i) => i + 2)];
    const timeMajor = (value: Tensor, order: readonly number[]) => {
      const moved = transpose(value, order);
      return this.goBackwards ? reverse(moved, 0) : moved;
    };
    const { cell } = this;
    const prepared = cell.prepare(timeMajor(x, axes), training);
    const context = cell.begin(initial, training);
    const sequences = this.returnSequences;
    const own = cell.outputIsState;
    // The carry: the states, with the output before them where it is not the first of them.
    const step = (before: readonly Tensor[], input: Tensor): Tensor[] => {
      const [output, ...states] = cell.step(input, own ? before : before.slice(1), context);
      return own ? states : [output, ...states];
    };
    const copies = initial.map((state) => state.clone());
    const start = own ? copies : [this.#firstOutput(x, initial), ...copies];
    const perStep = (after: Tensor[]): [Tensor[], Tensor | null] => [after, sequences ? after[0] : null];
    const [carry, outputs] =
      mask === null
        ? scan((before: Tensor[], input: Tensor) => perStep(step(before, input)), start, prepared)
        : scan(
            (before: Tensor[], [input, counts]: Tensor[]) =>
              perStep(step(before, input).map((value, i) => where(spread(counts, value), value, before[i]))),
            start,
            [prepared, cast(timeMajor(mask, [1, 0]), 'bool')],
          );
    const states = own ? carry : carry.slice(1);
    if (!outputs) return { outputs, last: carry[0], states };
    const order = [1, 0, ...outputs.shape.slice(2).map((_, i) => i + 2)];
    return { outputs: transpose(outputs, order), last: carry[0], states };
  }

  /** What stands for the output before the first step: the first state where that has its shape. */
  #firstOutput(x: Tensor, initial: readonly Tensor[]): Tensor {
    const shape = this.cell.stepShape([x.shape[0], ...x.shape.slice(2)]) as number[];
    const same = initial.length > 0 && String(initial[0].shape) === String(shape);
    return same ? initial[0].clone() : zeros(shape, this.dtypePolicy.variableDtype);
  }

  /** Sets kept states to zeros, or to those given. */
  override resetStates(states?: Tensor | readonly Tensor[] | { newShape: true }): void {
    super.resetStates();
    if (states === undefined)
      for (const state of this.#states ?? []) state.assign(zeros(state.shape, this.dtypePolicy.variableDtype));
    else if (!this.stateful) fail(this.label, 'resetStates needs a stateful layer', 'stateful is false');
    else if ('newShape' in states) this.#forget();
    else this.setStates(states instanceof Tensor ? [states] : (states as readonly Tensor[]));
  }

  /** The states that a stateful layer begins its next batch with, or null for each where no batch was seen. */
  getStates(): (Tensor | null)[] {
    return this.#states?.map((state) => state.clone()) ?? this.cell.stateSizes.map(() => null);
  }

  /** Gives a stateful layer the states, [batch, ...] each, that its next batch begins with. */
  setStates(states: readonly Tensor[]): void {
    if (!this.stateful) fail(this.label, 'setStates needs a stateful layer', 'stateful is false');
    const count = this.cell.stateSizes.length;
    if (states.length !== count) fail(this.label, `there must be ${count} states`, `got ${states.length}`);
    if (this.#states) this.#states.forEach((state, i) => void state.assign(states[i]));
    else this.#states = untracked(() => eagerly(() => states.map((state) => this.#stateVariable(state))));
  }

  #stateVariable(initial: Tensor): Variable {
    return variable(initial, false, uniqueVariableName(`${this.name}/state`));
  }

  #forget(): void {
    for (const state of this.#states ?? []) state.dispose();
    this.#states = null;
  }

  override dispose(): unknown {
    this.#forget();
    return super.dispose();
  }

  protected baseConfig(): Config {
    return {
      returnSequences: this.returnSequences,
      returnState: this.returnState,
      goBackwards: this.goBackwards,
      stateful: this.stateful,
      unroll: this.unroll,
    };
  }
  override getConfig(): Config {
    return { ...super.getConfig(), ...this.baseConfig(), cell: serialize(this.cell) };
  }
  static fromConfig(config: Config): RNN {
    const { cell, ...rest } = config;
    if (!isSerializedObject(cell)) fail('RNN.fromConfig', 'config.cell must be a cell', `got ${typeof cell}`);
    return new RNN({ ...rest, cell: deserializeLayer('RNN.fromConfig', cell) as RNNCell });
  }
}

/** [batch] -> [batch, 1, ...], to choose among values of that rank. */
function spread(counts: Tensor, value: Tensor): Tensor {
  let out = counts;
  while (out.rank < value.rank) out = expandDims(out, -1);
  return out.broadcastTo(value.shape as number[]);
}
