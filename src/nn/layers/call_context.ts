/**
 * What flows beside the tensors of a forward pass: whether it trains, losses that layers add, masks, and what a last
 * activation was applied to. Knows no layer and no model.
 */
import type { Tensor } from '../../tensor/index.ts';
import type { Activation } from '../activations.ts';

/** Masks beside the tensors of one or several inputs: true where a step counts. */
export type Mask = Tensor | readonly (Tensor | null)[] | null;

let training = false;
let addedLosses: Tensor[] | null = null;
const masks = new WeakMap<Tensor, Tensor>();
const preActivations = new WeakMap<Tensor, { readonly activation: Activation; readonly value: Tensor }>();

/** What layers inside of a layer's call take for `training` where they are not told. */
export function isTraining(): boolean {
  return training;
}

export function withTraining<T>(value: boolean, body: () => T): T {
  const previous = training;
  training = value;
  try {
    return body();
  } finally {
    training = previous;
  }
}

/** Runs `body` and collects the losses that layers add in it. */
export function collectLosses<T>(body: () => T): { result: T; losses: Tensor[] } {
  const previous = addedLosses;
  const losses: Tensor[] = [];
  addedLosses = losses;
  try {
    return { result: body(), losses };
  } finally {
    addedLosses = previous;
  }
}

export function noteLoss(loss: Tensor): void {
  addedLosses?.push(loss);
}

/** The mask that goes with a tensor; null where all of it counts. */
export function maskOf(tensor: Tensor): Tensor | null {
  const mask = masks.get(tensor);
  return mask && !mask.isDisposed ? mask : null;
}

export function setMask(tensor: Tensor, mask: Tensor | null): void {
  if (mask) masks.set(tensor, mask);
  else masks.delete(tensor);
}

/** The tensor is activation(value). */
export function notePreActivation(tensor: Tensor, activation: Activation, value: Tensor): void {
  preActivations.set(tensor, { activation, value });
}

/** What the last layer's activation was applied to, where that is known: losses have stabler formulas on it. */
export function preActivationOf(tensor: Tensor): { readonly activation: Activation; readonly value: Tensor } | null {
  const found = preActivations.get(tensor);
  return found && !found.value.isDisposed ? found : null;
}
