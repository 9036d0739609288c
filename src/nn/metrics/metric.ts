/**
 * A metric with a memory: variables that each batch moves on and from which the value follows, so that it is that of the whole
 * epoch. Ordinary tensor code: it runs inside of compiled steps and outside.
 */
import { fill, type Tensor, tidy, untracked, type Variable, variable } from '../../tensor/index.ts';
import { defaultModelName, uniqueVariableName } from '../naming.ts';

export interface MetricArgs {
  /** The key in logs and history. */
  name?: string;
}

/** Source: keras.metrics.Metric. */
export abstract class Metric {
  readonly name: string;
  readonly #variables: { readonly variable: Variable; readonly initial: number }[] = [];

  constructor(args: MetricArgs, fallback: string) {
    this.name = args.name ?? (fallback || defaultModelName('metric'));
  }

  /** A variable that starts with `initial` everywhere, and does so again after resetState. */
  protected addVariable(name: string, shape: readonly number[] = [], initial = 0): Variable {
    const made = untracked(() => {
      const start = fill([...shape], initial, 'float32');
      const result = variable(start, false, uniqueVariableName(`${this.name}/${name}`));
      start.dispose();
      return result;
    });
    this.#variables.push({ variable: made, initial });
    return made;
  }

  /** Takes a batch. Weights of samples have the leading axes of the labels. */
  abstract updateState(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor | null): void;

  /** The value for all that was taken since the last reset: a scalar. */
  abstract result(): Tensor;

  get variables(): Variable[] {
    return this.#variables.map(({ variable }) => variable);
  }

  /** Forgets what was taken. */
  resetState(): void {
    tidy(() => {
      for (const { variable, initial } of this.#variables)
        variable.assign(fill([...variable.shape], initial, 'float32'));
    });
  }

  dispose(): void {
    for (const { variable } of this.#variables) variable.dispose();
  }
}
