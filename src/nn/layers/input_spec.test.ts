import { expect, test } from 'vitest';
import { type Tensor, tensor } from '../../tensor/index.ts';
import { InputSpec } from './input_spec.ts';
import { Layer } from './layer.ts';

class Picky extends Layer {
  static override readonly className = 'Picky';
  constructor() {
    super();
    this.inputSpec = [new InputSpec({ shape: [null, 3] })];
  }
  override call(x: Tensor): Tensor {
    return x;
  }
}

test('a layer of the user with an InputSpec checks its input', () => {
  expect(() => new Picky().apply(tensor([1, 2]))).toThrow('must be of rank 2');
  expect(() => new Picky().apply(tensor([[1, 2]]))).toThrow('must be 3');
  expect(new Picky().apply(tensor([[1, 2, 3]])).shape).toEqual([1, 3]);
});
