/** The recurrent layers that bring their own cell: SimpleRNN, LSTM and GRU. */
import type { Config } from '../keras_config.ts';
import type { LayerArgs } from './layer.ts';
import {
  GRUCell,
  type GRUCellArgs,
  LSTMCell,
  type LSTMCellArgs,
  SimpleRNNCell,
  type SimpleRNNCellArgs,
} from './recurrent_cells.ts';
import { type BaseRNNArgs, RNN } from './rnn.ts';

/** A recurrent layer whose cell takes the layer's own arguments. */
function cellArgs<A extends LayerArgs>(args: A): A {
  const { name: _, batchInputShape: __, inputShape: ___, weights: ____, activityRegularizer: _____, ...rest } = args;
  return { ...rest, name: args.name ? `${args.name}_cell` : undefined } as unknown as A;
}

abstract class KernelRNN extends RNN {
  override getConfig(): Config {
    const { name: _, trainable: __, ...cell } = this.cell.getConfig();
    const { cell: ___, ...config } = super.getConfig();
    return { ...config, ...cell };
  }
}

export interface SimpleRNNArgs extends BaseRNNArgs, SimpleRNNCellArgs {}
export interface LSTMArgs extends BaseRNNArgs, LSTMCellArgs {}
export interface GRUArgs extends BaseRNNArgs, GRUCellArgs {}

const plainConstructor =
  <A, T>(make: new (args: A) => T) =>
  (config: Config): T =>
    new make(config as A);

/** A fully connected recurrent layer (SimpleRNNCell). Source: tf.layers.simpleRNN. */
export class SimpleRNN extends KernelRNN {
  static override readonly className = 'SimpleRNN';
  constructor(args: SimpleRNNArgs) {
    super({ ...args, cell: new SimpleRNNCell(cellArgs(args)) });
  }
  static override fromConfig(config: Config): SimpleRNN {
    return plainConstructor(SimpleRNN)(config);
  }
}

/** Long short-term memory (LSTMCell). Source: tf.layers.lstm. */
export class LSTM extends KernelRNN {
  static override readonly className = 'LSTM';
  constructor(args: LSTMArgs) {
    super({ ...args, cell: new LSTMCell(cellArgs(args)) });
  }
  static override fromConfig(config: Config): LSTM {
    return plainConstructor(LSTM)(config);
  }
}

/** Gated recurrent units (GRUCell). Source: tf.layers.gru. */
export class GRU extends KernelRNN {
  static override readonly className = 'GRU';
  constructor(args: GRUArgs) {
    super({ ...args, cell: new GRUCell(cellArgs(args)) });
  }
  static override fromConfig(config: Config): GRU {
    return plainConstructor(GRU)(config);
  }
}
