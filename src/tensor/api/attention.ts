/** Scaled dot-product attention. */
import { fail } from '../../base/errors.ts';
import * as composite from '../../ops/composite.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorLike } from '../types.ts';
import { lift, narrowed, valueOf, wideOf } from './lift.ts';

export interface ScaledDotProductAttentionOptions {
  /**
   * Broadcasts with [..., t, s]. bool: true where a key counts. float32: added to the scores. A query that sees no key at all
   * gives zeros.
   */
  mask?: Tensor | TensorLike;
  /** Query i sees key j only if j <= i + s - t: the last query sees all keys. Default false. */
  isCausal?: boolean;
  /** Factor of the scores; default 1 / sqrt(d). */
  scale?: number;
}

/**
 * softmax(query key^T scale + mask) value, for query [..., t, d], key [..., s, d], value [..., s, e]: shape [..., t, e], computed in float32.
 * Leading axes are batches and heads; those of key and value broadcast to those of the query (several query heads may share
 * one). One kernel: the table of scores [t, s] is never in memory, in the gradient neither; a gradient for a float mask, and
 * second derivatives, do make it. Vaswani et al. 2017; Dao et al. 2022.
 */
export function scaledDotProductAttention<T extends Tensor = Tensor>(
  query: Tensor | TensorLike,
  key: Tensor | TensorLike,
  value: Tensor | TensorLike,
  options: ScaledDotProductAttentionOptions = {},
): T {
  const op = 'scaledDotProductAttention';
  const [q, k, v] = [
    wideOf(query, 'query', op, 'float32'),
    wideOf(key, 'key', op, 'float32'),
    wideOf(value, 'value', op, 'float32'),
  ];
  const { mask, isCausal = false, scale = 1 / Math.sqrt(Math.max(1, q.shape[q.shape.length - 1] ?? 1)) } = options;
  if (!Number.isFinite(scale)) fail(op, 'scale must be a finite number', `got ${scale}`);
  const result = composite.scaledDotProductAttention(q, k, v, {
    causal: isCausal,
    scale,
    ...(mask !== undefined && { mask: valueOf(mask, 'mask', op) }),
  });
  return lift<T>(narrowed(result, query, key, value));
}
