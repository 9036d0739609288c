/** model.predict and predictOnBatch. */
import { jit, reshape, type Tensor, tensor } from '../../tensor/index.ts';
import { type DType, newArray, type TypedArray } from '../../types/dtype.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { checkCount, checkInputs } from './checks.ts';
import { batchShape, samplesOf, tensorsOf } from './samples.ts';

export interface ModelPredictArgs {
  /** Default 32. */
  batchSize?: number;
  verbose?: boolean;
}

/** One output, gathered from batches. */
interface Gathered {
  readonly shape: number[];
  readonly dtype: DType;
  readonly values: TypedArray;
}

export class Predictor {
  readonly #model: LayersModel;
  readonly #run: ((x: readonly Tensor[]) => Tensor[]) & { dispose?(): void };
  #givesList = false;

  constructor(model: LayersModel) {
    this.#model = model;
    this.#run = jit((x: readonly Tensor[]): Tensor[] => {
      const output: unknown = model.apply(x.length === 1 ? x[0] : x, { training: false });
      this.#givesList = Array.isArray(output);
      return Array.isArray(output) ? (output as Tensor[]) : [output as Tensor];
    }, 'predict');
  }

  predict(value: unknown, args: ModelPredictArgs): Tensor | Tensor[] {
    const op = 'predict';
    const batchSize = checkCount(op, 'batchSize', args.batchSize ?? 32);
    const x = this.#inputs(op, value);
    const count = x[0].shape[0];
    if (count <= batchSize) return this.#batch(op, x);
    const samples = x.map((one, i) => samplesOf(op, x.length > 1 ? `x[${i}]` : 'x', one));
    const out: Gathered[] = [];
    for (let start = 0; start < count; start += batchSize) {
      const batch = samples.map((one) => one.batch(start, Math.min(count, start + batchSize)));
      this.#run(batch).forEach((y, i) => {
        const size = y.size / y.shape[0];
        out[i] ??= {
          shape: [count, ...y.shape.slice(1)],
          dtype: y.dtype as DType,
          values: newArray(y.dtype as DType, count * size),
        };
        out[i].values.set(y.dataSync() as TypedArray, start * size);
        y.dispose();
      });
      for (const one of batch) one.dispose();
    }
    return this.#shaped(out.map(({ values, shape, dtype }) => tensor(values, shape, dtype)));
  }

  onBatch(value: unknown): Tensor | Tensor[] {
    return this.#batch('predict', this.#inputs('predict', value));
  }

  #inputs(op: string, value: unknown): Tensor[] {
    const x = tensorsOf(op, 'x', value, this.#model.inputs.length > 0 ? this.#model.inputNames : null);
    checkInputs(op, this.#model, x);
    return x;
  }

  #batch(op: string, x: readonly Tensor[]): Tensor | Tensor[] {
    if (x[0].shape[0] === 0) samplesOf(op, 'x', x[0]);
    return this.#shaped(this.#run(x.map((one) => (one.rank === 1 ? reshape(one, batchShape(op, 'x', one)) : one))));
  }

  #shaped(outputs: Tensor[]): Tensor | Tensor[] {
    return this.#givesList ? outputs : outputs[0];
  }

  dispose(): void {
    this.#run.dispose?.();
  }
}
