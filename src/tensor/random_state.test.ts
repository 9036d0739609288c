/** The random state of compiled programs belongs to the framework: disposing every variable leaves it. */
import { expect, it } from 'vitest';
import * as tf from '../index.ts';

it('a compiled function draws on, and can be seeded, after disposeVariables', () => {
  const draw = tf.jit((x: tf.Tensor) => tf.add(x, tf.randomNormal([4])) as tf.Tensor);
  const x = tf.zeros([4]) as tf.Tensor;
  tf.setSeed(3);
  const first = Array.from(draw(x).dataSync());
  const mine = tf.variable(tf.ones([2]));
  tf.disposeVariables();
  expect(mine.isDisposed).toBe(true);
  expect(Array.from(draw(x).dataSync())).not.toEqual(first);
  tf.setSeed(3);
  expect(Array.from(draw(x).dataSync())).toEqual(first);
});
