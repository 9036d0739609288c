/** A jitted function of two tensors as training uses it: run now or off the main thread, and dropped when no longer needed. */
import type { Tensor } from '../../tensor/index.ts';

export interface Step {
  run(x: Tensor, y: Tensor): Tensor[];
  runAsync(x: Tensor, y: Tensor): Promise<Tensor[]>;
  dispose(): void;
}

interface Jitted {
  (x: Tensor, y: Tensor): Tensor[];
  async(x: Tensor, y: Tensor): Promise<Tensor[]>;
  dispose?(): void;
}

export function stepOf(jitted: Jitted): Step {
  return {
    run: (x, y) => jitted(x, y),
    runAsync: (x, y) => jitted.async(x, y),
    dispose: () => jitted.dispose?.(),
  };
}

/** Reads scalars and frees them. */
export function readScalars(values: readonly Tensor[]): number[] {
  return values.map((value) => {
    const number = value.dataSync()[0];
    value.dispose();
    return number;
  });
}
