/** model.predict and predictOnBatch. */
import { jit, reshape, type Tensor, tensor } from '../../tensor/index.ts';
import { type DType, newArray, type TypedArray } from '../../types/dtype.ts';
import type { LayersModel } from '../models/layers_model.ts';
import { checkCount, checkInput } from './checks.ts';
import { batchShape, oneTensor, samplesOf } from './samples.ts';

export interface ModelPredictArgs {
  /** Default 32. */
  batchSize?: number;
  verbose?: boolean;
}

export class Predictor {
  readonly #model: LayersModel;
  readonly #run: ((x: Tensor) => Tensor) & { dispose?(): void };

  constructor(model: LayersModel) {
    this.#model = model;
    this.#run = jit((x: Tensor): Tensor => model.forward(x, { training: false }).output);
  }

  predict(value: unknown, args: ModelPredictArgs): Tensor {
    const op = 'predict';
    const batchSize = checkCount(op, 'batchSize', args.batchSize ?? 32);
    const x = oneTensor(op, 'x', value);
    checkInput(op, this.#model, x);
    if (x.shape[0] <= batchSize) return this.onBatch(x);
    const samples = samplesOf(op, 'x', x);
    let out: TypedArray | null = null;
    let shape: number[] = [];
    let dtype: DType = 'float32';
    for (let start = 0; start < samples.count; start += batchSize) {
      const batch = samples.batch(start, Math.min(samples.count, start + batchSize));
      const y = this.#run(batch);
      const size = y.size / y.shape[0];
      if (!out) {
        shape = [samples.count, ...y.shape.slice(1)];
        dtype = y.dtype as DType;
        out = newArray(dtype, samples.count * size);
      }
      out.set(y.dataSync() as TypedArray, start * size);
      y.dispose();
      batch.dispose();
    }
    return tensor(out!, shape, dtype);
  }

  onBatch(value: unknown): Tensor {
    const x = oneTensor('predict', 'x', value);
    checkInput('predict', this.#model, x);
    if (x.shape[0] === 0) samplesOf('predict', 'x', x);
    return this.#run(x.rank === 1 ? reshape(x, batchShape('predict', 'x', x)) : x);
  }

  dispose(): void {
    this.#run.dispose?.();
  }
}
