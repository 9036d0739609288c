/** Cells one above the other, as one cell. */
import { fail } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/index.ts';
import { type Config, isSerializedObject, serialize } from '../keras_config.ts';
import type { LayerArgs } from './layer.ts';
import { withNameScope } from './layer_variable.ts';
import { deserializeLayer } from './registry.ts';
import { RNNCell, type StepContext } from './rnn_cell.ts';
import type { KerasShape, ShapeOrShapes } from './shapes.ts';

export interface StackedRNNCellsArgs extends LayerArgs {
  cells: readonly RNNCell[];
}

/**
 * Cells one above the other, as one cell. The states are those of the last cell first, as in TensorFlow.js.
 * Source: tf.layers.stackedRNNCells.
 */
export class StackedRNNCells extends RNNCell {
  static override readonly className = 'StackedRNNCells';
  readonly cells: readonly RNNCell[];

  constructor(args: StackedRNNCellsArgs) {
    super(args);
    const valid =
      Array.isArray(args.cells) && args.cells.length > 0 && args.cells.every((cell) => cell instanceof RNNCell);
    if (!valid) fail(this.label, 'cells must be a list of cells', `got ${typeof args.cells}`);
    this.cells = [...args.cells];
    this.inputSpec = { minRank: 2, hint: 'a cell takes one step, [batch, ...]' };
  }
  get stateSize(): readonly number[] {
    return [...this.cells].reverse().flatMap((cell) => cell.stateSizes);
  }
  override get outputIsState(): boolean {
    return this.cells[this.cells.length - 1].outputIsState;
  }
  override stateShapes(inputShape: KerasShape): KerasShape[] {
    const shapes: KerasShape[][] = [];
    let shape = inputShape;
    for (const cell of this.cells) {
      shapes.unshift(cell.stateShapes(shape));
      shape = cell.stepShape(shape);
    }
    return shapes.flat();
  }
  override stepShape(inputShape: KerasShape): KerasShape {
    return this.cells.reduce((shape, cell) => cell.stepShape(shape), inputShape);
  }
  override build(inputShape: ShapeOrShapes): void {
    let shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as KerasShape;
    this.cells.forEach((cell, i) => {
      cell.scopeName = '';
      withNameScope(`RNNCell_${i}`, () => cell.ensureBuilt(shape));
      shape = cell.stepShape(shape);
    });
  }
  override step(input: Tensor, states: readonly Tensor[], context: StepContext): Tensor[] {
    const rest = [...states].reverse();
    let value = input;
    const next: Tensor[] = [];
    for (const cell of this.cells) {
      const own = rest.splice(0, cell.stateSizes.length).reverse();
      const [output, ...after] = cell.call([value, ...own], { training: context.training });
      value = output;
      next.unshift(...after);
    }
    return [value, ...next];
  }
  override getConfig(): Config {
    return { cells: this.cells.map(serialize), ...super.getConfig() };
  }
  static fromConfig(config: Config): StackedRNNCells {
    const op = 'StackedRNNCells.fromConfig';
    const list = config['cells'];
    if (!Array.isArray(list)) fail(op, 'config.cells must be a list', `got ${typeof list}`);
    const cells = list.map((item: unknown) => {
      if (!isSerializedObject(item)) fail(op, 'each cell must have a class_name and a config', 'one has none');
      return deserializeLayer(op, item) as RNNCell;
    });
    return new StackedRNNCells({ ...config, cells });
  }
}
