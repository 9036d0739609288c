/**
 * What every layer is: a name, weights made by build(shape), and call(inputs), on tensors or, drawing a graph, on symbolic ones.
 * Knows nothing of models and of training.
 *
 * A subclass gives `static className`, call and getConfig, build where it has weights, and computeOutputShape where the shape
 * cannot be found by running call on nothing. Arguments are checked once in the constructor, shapes once in build; call trusts
 * both.
 */
import { fail, placed, UserError } from '../../base/errors.ts';
import { clone, eagerly, inferOutputs, Tensor, untracked, type Variable } from '../../tensor/index.ts';
import type { DType } from '../../types/dtype.ts';
import { checkDType, isFloat } from '../../types/dtype.ts';
import { sameShape, showShape, sizeOf } from '../../types/shape.ts';
import { type Constraint, getConstraint } from '../constraints.ts';
import { getInitializer, type Initializer } from '../initializers.ts';
import type { Config } from '../keras_config.ts';
import {
  asFloat,
  type DTypePolicy,
  globalPolicy,
  policyFrom,
  type PolicyName,
  withCompute,
} from '../mixed_precision.ts';
import { defaultLayerName } from '../naming.ts';
import { getRegularizer, type Regularizer, type RegularizerIdentifier } from '../regularizers.ts';
import {
  isTraining,
  type Mask,
  maskOf,
  noteLoss,
  setMask,
  withTraining,
  notePreActivation,
  preActivationOf,
} from './call_context.ts';
import { checkInputShapes, type InputRule } from './input_spec.ts';
import { KeyValueCache, withoutCache } from './key_value_cache.ts';
import { givenWeight, LayerVariable, scopedName, writeAll } from './layer_variable.ts';
import { describeArgs, isShapeList, type KerasShape, type ShapeOrShapes, shapesOf, showKerasShape } from './shapes.ts';
import { LayerNode, SymbolicTensor } from './symbolic.ts';

export interface LayerArgs {
  /** Default: the class's name and a number, `dense_Dense1`. */
  name?: string;
  /** Shape of one sample, without the batch; the first layer of a model needs this or batchInputShape. */
  inputShape?: KerasShape;
  /** Shape with the batch, which null leaves open. */
  batchInputShape?: KerasShape;
  /** Fixes the batch size together with inputShape. */
  batchSize?: number;
  /** What the layer computes in: a dtype, or a policy as 'mixed_bfloat16'; default: the global policy, float32 at first. */
  dtype?: DType | PolicyName | DTypePolicy;
  inputDType?: DType;
  /** Whether fit changes the weights; default true. */
  trainable?: boolean;
  /** Initial values, in the order of layer.weights. */
  weights?: Tensor[];
  /** A penalty on the layer's outputs that training adds to the loss. */
  activityRegularizer?: RegularizerIdentifier | Regularizer | null;
}

export interface CallOptions {
  /** True during fit: dropout drops. Inside another layer's call the default is what that one was told. */
  training?: boolean;
  /** Which steps count; default: the mask that came with the inputs. */
  mask?: Mask;
  /** The steps before these: the inputs [batch, steps, ...] continue them, and layers inside see all. Inference only. */
  cache?: KeyValueCache | null;
  /** Further arguments that a layer may take. */
  [name: string]: unknown;
}

export interface WeightArgs {
  initializer: Initializer;
  regularizer?: Regularizer | null;
  constraint?: Constraint | null;
  trainable?: boolean;
  dtype?: DType;
}

export abstract class Layer {
  /** The name in Keras's JSON. */
  static readonly className: string = 'Layer';

  readonly name: string;
  readonly batchInputShape?: KerasShape;
  /** That of the weights and, of an input, that of what is fed. */
  readonly dtype: DType;
  readonly dtypePolicy: DTypePolicy;
  /** The layer computes in float32 whatever its policy, which only says what it gives. */
  protected readonly computesWide: boolean = false;
  /** Weights of the layer itself; `weights` has those of its sublayers too. */
  protected readonly ownWeights: LayerVariable[] = [];
  readonly activityRegularizer: Regularizer | null = null;
  /** Shapes of the last build; null before it. A list where the layer has several inputs or outputs. */
  inputShape: ShapeOrShapes | null = null;
  outputShape: ShapeOrShapes | null = null;
  /** One for all inputs, or one for each. */
  protected inputSpec: InputRule | readonly InputRule[] = {};
  /** Whether masks pass this layer unchanged. */
  supportsMasking = false;
  /** Whether the layer keeps state between batches. */
  stateful = false;
  /** The calls on symbolic tensors. */
  readonly inboundNodes: LayerNode[] = [];
  /** What stands in front of the names of weights in files where it is not the layer's name; '' for nothing. */
  scopeName: string | null = null;
  #trainable: boolean;
  #maskWarned = false;
  #building = false;
  #initialWeights: Tensor[] | undefined;
  readonly #argsText: string;
  #callHook: ((inputs: Tensor | readonly Tensor[], options: CallOptions) => void) | null = null;

  constructor(args: LayerArgs = {}) {
    const className = this.getClassName();
    this.name = args.name ?? defaultLayerName(className);
    this.#argsText = describeArgs(args);
    this.#trainable = args.trainable ?? true;
    const policy = policyFrom(this.label, args.dtype);
    this.dtypePolicy = policy ?? globalPolicy();
    this.dtype = checkDType(this.label, policy ? (args.inputDType ?? policy.variableDtype) : args.dtype);
    this.#initialWeights = args.weights;
    if (args.activityRegularizer) this.activityRegularizer = this.regularizer(args.activityRegularizer);
    if (args.batchInputShape) this.batchInputShape = [...args.batchInputShape];
    else if (args.inputShape) this.batchInputShape = [args.batchSize ?? null, ...args.inputShape];
    for (const extent of this.batchInputShape ?? []) {
      if (extent !== null && (!Number.isSafeInteger(extent) || extent < 0)) {
        fail(
          this.label,
          'inputShape must hold positive integers or null',
          `got ${showKerasShape(this.batchInputShape!)}`,
        );
      }
    }
  }

  getClassName(): string {
    return (this.constructor as typeof Layer).className;
  }

  /** `dense_Dense1: Dense {"units":10}`: how errors name this layer. */
  get label(): string {
    return `${this.name}: ${this.getClassName()}${this.#argsText}`;
  }

  get built(): boolean {
    return this.inputShape !== null;
  }

  /** Layers inside of this one: those among its properties, and in lists among them. */
  protected sublayers(): readonly Layer[] {
    const found = new Set<Layer>();
    for (const value of Object.values(this)) {
      if (value instanceof Layer) found.add(value);
      else if (Array.isArray(value)) for (const item of value) if (item instanceof Layer) found.add(item);
    }
    return [...found];
  }

  /** Whether this layer, or one inside of it, computes in that dtype. */
  computesIn(dtype: DType): boolean {
    return this.dtypePolicy.computeDtype === dtype || this.sublayers().some((layer) => layer.computesIn(dtype));
  }

  /** Whether fit changes the weights. Setting it sets all layers inside too. */
  get trainable(): boolean {
    return this.#trainable;
  }
  set trainable(value: boolean) {
    this.#trainable = value;
    for (const layer of this.sublayers()) layer.trainable = value;
  }

  /** This layer and all inside of it, each with its own `trainable`. */
  trainableStates(): Map<Layer, boolean> {
    const inside = this.sublayers().flatMap((layer) => [...layer.trainableStates()]);
    return new Map([[this, this.#trainable], ...inside]);
  }
  /** Runs with the states that trainableStates gave, whatever was set since. */
  static withTrainable<T>(states: ReadonlyMap<Layer, boolean>, run: () => T): T {
    const swap = (to: ReadonlyMap<Layer, boolean>) =>
      new Map(
        [...to].map(([layer, value]) => {
          const before = layer.#trainable;
          layer.#trainable = value;
          return [layer, before];
        }),
      );
    const now = swap(states);
    try {
      return run();
    } finally {
      swap(now);
    }
  }

  /** Each weight once, in the order in which the layers hold them. */
  #collect(pick: (layer: Layer) => readonly LayerVariable[]): LayerVariable[] {
    return [...new Set([...this.ownWeights, ...this.sublayers().flatMap(pick)])];
  }
  /** All weights: those that training may change first, whether or not the layer is frozen. */
  get weights(): LayerVariable[] {
    const all = this.#collect((layer) => layer.weights);
    return [...all.filter((weight) => weight.trainable), ...all.filter((weight) => !weight.trainable)];
  }
  get trainableWeights(): LayerVariable[] {
    return this.#trainable ? this.#collect((layer) => layer.trainableWeights).filter((w) => w.trainable) : [];
  }
  get nonTrainableWeights(): LayerVariable[] {
    const trained = new Set(this.trainableWeights);
    return this.weights.filter((weight) => !trained.has(weight));
  }

  /** The shape of the output for an input of that shape; null stands for an extent that is not known yet. */
  computeOutputShape(inputShape: ShapeOrShapes): ShapeOrShapes {
    return this.#inferred(inputShape);
  }

  /** The layer's function. Called once for each traced program, with build done. */
  abstract call(inputs: Tensor | Tensor[], options: CallOptions): Tensor | Tensor[];

  /** Makes the weights. */
  build(_inputShape: ShapeOrShapes): void {}

  /** The mask of the output for inputs with that mask. */
  computeMask(_inputs: Tensor | Tensor[], mask: Mask): Mask {
    if (!mask || (Array.isArray(mask) && mask.every((item) => !item))) return null;
    if (this.supportsMasking) return mask;
    if (!this.#maskWarned) {
      console.warn(`[${this.label}] drops the mask of its input: it does not support masking`);
      this.#maskWarned = true;
    }
    return null;
  }

  /** Penalties that training adds to the loss: of the weights of this layer and of those inside. */
  get losses(): (() => Tensor)[] {
    return this.weights.flatMap(({ regularizer, val }) => (regularizer ? [() => regularizer.apply(val)] : []));
  }

  /** In call: adds a scalar to the loss of the training step. */
  addLoss(loss: Tensor | readonly Tensor[]): void {
    for (const item of loss instanceof Tensor ? [loss] : loss) {
      if (item.rank !== 0) fail(this.label, 'addLoss needs scalars', `got ${showShape(item.shape)}`);
      noteLoss(item);
    }
  }

  /** What moves on from step to step beside the weights, as counters of random draws: of this layer and of those inside. */
  hiddenState(): Variable[] {
    return this.sublayers().flatMap((layer) => layer.hiddenState());
  }

  /** Forgets what a stateful layer has kept. */
  resetStates(): void {
    for (const layer of this.sublayers()) layer.resetStates();
  }

  /** Checks the shapes, builds once, and remembers them. Returns the output's shape. */
  ensureBuilt(inputShape: ShapeOrShapes): ShapeOrShapes {
    checkInputShapes(this.label, this.inputSpec, inputShape);
    const first = !this.built && !this.#building;
    if (first) {
      this.#building = true;
      try {
        this.named(() => withoutCache(() => this.build(inputShape)));
      } finally {
        this.#building = false;
      }
      this.inputShape = inputShape;
    }
    const output = this.named(() => withoutCache(() => this.computeOutputShape(inputShape)));
    if (first) {
      this.outputShape = output;
      if (this.#initialWeights) this.setWeights(this.#initialWeights);
      this.#initialWeights = undefined;
    }
    return output;
  }

  /**
   * call, with the checks in front and the layer's name on every error. On symbolic tensors it draws: the result is symbolic, and
   * tf.model makes a model of it.
   */
  apply<T extends Tensor | Tensor[] = Tensor>(inputs: Tensor | readonly Tensor[], options?: CallOptions): NoInfer<T>;
  apply<T extends SymbolicTensor | SymbolicTensor[] = SymbolicTensor>(
    inputs: SymbolicTensor | readonly SymbolicTensor[],
    options?: CallOptions,
  ): NoInfer<T>;
  apply(inputs: unknown, options: CallOptions = {}): unknown {
    const list: unknown[] = Array.isArray(inputs) ? inputs : [inputs];
    if (list.length > 0 && list.every((item) => item instanceof SymbolicTensor)) {
      return this.draw(list, Array.isArray(inputs), options);
    }
    if (list.every((item) => item instanceof Tensor)) return this.run(list, Array.isArray(inputs), options);
    const mixed = list.some((item) => item instanceof SymbolicTensor) && list.some((item) => item instanceof Tensor);
    const came = mixed ? 'got both' : `got ${list.map((item) => (item === null ? 'null' : typeof item)).join(', ')}`;
    fail(this.label, 'apply needs tensors, or symbolic tensors (tf.input)', came);
  }

  /** Has `hook` told of each pass, before it; under a compiled function once, while it is traced. Source: tf.layers.Layer. */
  setCallHook(hook: (inputs: Tensor | readonly Tensor[], options: CallOptions) => void): void {
    this.#callHook = hook;
  }
  clearCallHook(): void {
    this.#callHook = null;
  }
  /** Layers written for TensorFlow.js call this in `call`. `apply` has told the hook already. */
  protected invokeCallHook(_inputs: Tensor | readonly Tensor[], _options: CallOptions): void {}

  /** apply on tensors; gives a list where `call` does. */
  protected run(list: readonly Tensor[], isList: boolean, options: CallOptions): Tensor | Tensor[] {
    const open = list.map(({ shape }): KerasShape => (shape.length === 0 ? [] : [null, ...shape.slice(1)]));
    this.#prepare(isList ? open : open[0]);
    const masks = list.map(maskOf);
    const carried = masks.some(Boolean) ? (isList ? masks : masks[0]) : null;
    const mask = options.mask === undefined ? carried : options.mask;
    if (mask) this.#checkMasks(mask, list);
    const training = options.training ?? isTraining();
    if (options.cache) {
      const { cache, ...rest } = options;
      return this.#continued(list, cache, () => this.run(list, isList, rest));
    }
    return this.named(() =>
      withTraining(training, () => {
        this.#callHook?.(isList ? list : list[0], options);
        const given = this.#computed(isList ? list : list[0], { ...options, training, mask });
        const output = this.masked(list, given, mask, isList);
        if (this.activityRegularizer) {
          for (const tensor of output instanceof Tensor ? [output] : output) {
            noteLoss(this.activityRegularizer.apply(tensor));
          }
        }
        return output;
      }),
    );
  }

  /** What `call` gives, in the dtypes of the policy. Models leave that to their layers. */
  #computed(inputs: Tensor | readonly Tensor[], options: CallOptions): Tensor | Tensor[] {
    const plain = inputs instanceof Tensor ? inputs : [...inputs];
    if (!this.autocasts) return this.call(plain, options);
    const { computeDtype } = this.dtypePolicy;
    const inner = this.computesWide ? this.dtypePolicy.variableDtype : computeDtype;
    const each = (x: Tensor | readonly Tensor[], f: (x: Tensor) => Tensor) => (x instanceof Tensor ? f(x) : x.map(f));
    const output = withCompute(inner, () =>
      this.call(
        each(plain, (x) => asFloat(x, inner)),
        options,
      ),
    );
    return each(output, (x) => {
      const narrow = asFloat(x, computeDtype);
      const before = narrow === x ? null : preActivationOf(x);
      if (before) notePreActivation(narrow, before.activation, before.value);
      return narrow;
    });
  }
  /** Whether inputs, weights and outputs are brought to the policy's dtype. */
  protected get autocasts(): boolean {
    return true;
  }

  /** A pass that continues the steps of a cache. */
  #continued<T>(list: readonly Tensor[], cache: KeyValueCache, pass: () => T): T {
    if (!(cache instanceof KeyValueCache)) {
      fail(this.label, 'cache must be a tf.KeyValueCache', `got ${typeof cache}`);
    }
    const steps = list[0]?.shape[1];
    if (steps === undefined) {
      fail(this.label, 'with a cache the input must be [batch, steps, ...]', `got ${showShape(list[0]?.shape ?? [])}`);
    }
    return cache.pass(this.label, steps, pass);
  }

  /** The output with its masks beside it. */
  protected masked(list: readonly Tensor[], output: Tensor | Tensor[], mask: Mask, isList: boolean): Tensor | Tensor[] {
    const outputMask = this.computeMask(isList ? [...list] : list[0], mask);
    const put = (tensor: Tensor, own: Tensor | null): Tensor => {
      if (maskOf(tensor) === own) return tensor;
      // A layer that gives its input back must not change that one's mask.
      const target = list.includes(tensor) ? clone(tensor) : tensor;
      setMask(target, own);
      return target;
    };
    if (output instanceof Tensor)
      return put(output, outputMask instanceof Tensor ? outputMask : (outputMask?.[0] ?? null));
    return output.map((tensor, i) =>
      put(tensor, outputMask instanceof Tensor ? outputMask : (outputMask?.[i] ?? null)),
    );
  }

  /** Builds for real inputs; the shape rule is run only where the layer is new. */
  #prepare(shape: ShapeOrShapes): void {
    if (this.built) checkInputShapes(this.label, this.inputSpec, shape);
    else this.ensureBuilt(shape);
  }

  #checkMasks(mask: Tensor | readonly (Tensor | null)[], list: readonly Tensor[]): void {
    if (mask instanceof Tensor) {
      if (list.length > 0) this.#checkMask(mask, list[0]);
      return;
    }
    const inputs = this.maskedInputs(list);
    if (mask.length > inputs.length) {
      fail(this.label, 'there must be a mask, or null, for each input', `got ${mask.length} for ${inputs.length}`);
    }
    for (const [i, one] of mask.entries()) if (one) this.#checkMask(one, inputs[i]);
  }
  /** What the masks of a list belong to: the inputs, and those that stand for others where they are left out. */
  protected maskedInputs(list: readonly Tensor[]): readonly Tensor[] {
    return list;
  }
  #checkMask(mask: Tensor, input: Tensor): void {
    const fits = mask.rank <= input.rank && sameShape(mask.shape, input.shape.slice(0, mask.rank));
    if (fits) return;
    const lead = showShape(input.shape.slice(0, 2));
    fail(this.label, `a mask must have the leading extents of its input, as ${lead}`, `got ${showShape(mask.shape)}`);
  }

  /** apply on symbolic tensors. */
  protected draw(list: SymbolicTensor[], isList: boolean, options: CallOptions): SymbolicTensor | SymbolicTensor[] {
    const shapes = list.map(({ shape }) => shape);
    const before = () => `it is applied to ${[...new Set(list.map(({ sourceLayer }) => sourceLayer.name))].join(', ')}`;
    const shape = placed(before, () => this.ensureBuilt(isList ? shapes : shapes[0]));
    const node = new LayerNode(this, this.inboundNodes.length, [...list], isList, { ...options });
    const outputs = shapesOf(shape).map((one, i) => new SymbolicTensor(node, i, one, this.outputDType(list, i)));
    node.outputs = outputs;
    node.givesList = isShapeList(shape);
    this.inboundNodes.push(node);
    return node.givesList ? outputs : outputs[0];
  }

  /** The dtype of an output in a graph. */
  protected outputDType(_inputs: readonly SymbolicTensor[], _index: number): DType {
    return isFloat(this.dtype) ? this.dtypePolicy.computeDtype : this.dtype;
  }

  /** The symbolic input or output of a layer that was applied once. */
  get input(): SymbolicTensor | readonly SymbolicTensor[] {
    const { inputs, isList } = this.#onlyNode('input');
    return isList ? inputs : inputs[0];
  }
  get output(): SymbolicTensor | readonly SymbolicTensor[] {
    const { outputs, givesList } = this.#onlyNode('output');
    return givesList ? outputs : outputs[0];
  }
  /** The output of the call with that number. */
  getOutputAt(nodeIndex: number): SymbolicTensor | readonly SymbolicTensor[] {
    const node = this.inboundNodes[nodeIndex];
    if (!node) fail(this.label, `nodeIndex must be below ${this.inboundNodes.length}`, `got ${nodeIndex}`);
    return node.givesList ? node.outputs : node.outputs[0];
  }
  getInputAt(nodeIndex: number): SymbolicTensor | readonly SymbolicTensor[] {
    const node = this.inboundNodes[nodeIndex];
    if (!node) fail(this.label, `nodeIndex must be below ${this.inboundNodes.length}`, `got ${nodeIndex}`);
    return node.isList ? node.inputs : node.inputs[0];
  }

  #onlyNode(what: string): LayerNode {
    if (this.inboundNodes.length === 1) return this.inboundNodes[0];
    const came =
      this.inboundNodes.length === 0 ? 'it was not applied' : `it was applied ${this.inboundNodes.length} times`;
    fail(this.label, `${what} needs a layer that was applied once to symbolic tensors`, came, 'see getOutputAt');
  }

  /** Runs `body`; a user's mistake in it is reported with this layer's name and arguments. */
  protected named<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (error instanceof UserError && !error.message.startsWith(`[${this.label}]`)) {
        throw new UserError(`[${this.label}] ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  /** The output's shape, by running call on nothing: twice, with different extents in the open places. */
  #inferred(inputShape: ShapeOrShapes): ShapeOrShapes {
    const isList = isShapeList(inputShape);
    let single = true;
    const runWith = (open: number) =>
      inferOutputs(
        (inputs) => {
          const result = this.call(isList ? inputs : inputs[0], { training: false, mask: null });
          single = result instanceof Tensor;
          return result;
        },
        shapesOf(inputShape).map((shape) => ({ shape: shape.map((n) => n ?? open), dtype: this.dtype })),
      ).map(({ shape }) => shape);
    return this.named(() => {
      const first = runWith(2);
      const second = shapesOf(inputShape).some((shape) => shape.includes(null)) ? runWith(3) : first;
      const shapes = first.map((shape, i) => shape.map((n, axis) => (n === second[i]?.[axis] ? n : null)));
      return single ? shapes[0] : shapes;
    });
  }

  protected addWeight(name: string, shape: readonly number[], args: WeightArgs): LayerVariable {
    const fileName = scopedName(this.scopeName === '' ? name : `${this.scopeName ?? this.name}/${name}`);
    const initial = untracked(() =>
      eagerly(
        () =>
          givenWeight(fileName, shape) ?? args.initializer.apply(shape, args.dtype ?? this.dtypePolicy.variableDtype),
      ),
    );
    const weight = new LayerVariable(fileName, initial, {
      regularizer: args.regularizer ?? null,
      constraint: args.constraint ?? null,
      trainable: args.trainable ?? true,
    });
    this.ownWeights.push(weight);
    return weight;
  }

  getWeights(): Tensor[] {
    return this.weights.map((weight) => weight.read());
  }

  setWeights(values: readonly Tensor[]): void {
    const { weights } = this;
    if (values.length !== weights.length) {
      const came = `got ${values.length} for ${weights.length} weights`;
      fail(this.label, 'setWeights needs one tensor for each weight', came, this.built ? undefined : 'build it first');
    }
    this.named(() => writeAll(weights, values));
  }

  countParams(): number {
    if (!this.built) fail(this.label, 'a layer must be built before its parameters are counted');
    return this.weights.reduce((total, weight) => total + sizeOf(weight.shape), 0);
  }

  /** Plain data from which the class's constructor makes this layer again. */
  getConfig(): Config {
    const config: Config = { name: this.name, trainable: this.trainable };
    if (this.batchInputShape) {
      config['batchInputShape'] = this.batchInputShape;
      config['dtype'] = this.dtype;
    }
    const { name } = this.dtypePolicy;
    if (this.autocasts && name !== 'float32' && isFloat(this.dtype)) config['dtype'] = name;
    return config;
  }

  /** Frees the weights. */
  dispose(): unknown {
    for (const weight of this.ownWeights) weight.dispose();
    this.ownWeights.length = 0;
    for (const layer of this.sublayers()) layer.dispose();
    return undefined;
  }

  protected initializer(identifier: unknown, fallback: string): Initializer {
    return getInitializer(this.label, identifier ?? fallback);
  }
  protected regularizer(identifier: unknown): Regularizer | null {
    return getRegularizer(this.label, identifier);
  }
  protected constraint(identifier: unknown): Constraint | null {
    return getConstraint(this.label, identifier);
  }
}
