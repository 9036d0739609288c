/** Attention over any leading axes, written with its row: heads and batches are merged, masks become a bias. */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import type { DType } from '../types/dtype.ts';
import { sameShape, showShape } from '../types/shape.ts';
import { apply, broadcastTo, cast, constant, realOf, reshape, scale as times, select, transpose } from './build.ts';

export interface AttentionOptions {
  /** Broadcasts with [..., t, s]: bool (true: this key counts) or float32 (added to the scores). */
  readonly mask?: Value;
  readonly causal: boolean;
  readonly scale: number;
}

/** softmax(q k^T scale + mask) v for q [..., t, d], k [..., s, d], v [..., s, e]; leading axes of k and v broadcast to those of q. */
export function scaledDotProductAttention(query: Value, key: Value, value: Value, options: AttentionOptions): Value {
  const dtype = realOf(query, key, value, ...(options.mask ? [options.mask] : []));
  // Small dtypes stay: the row widens them.
  const [q, k, v] = [query, key, value].map((x) => (dtype === 'float64' ? cast(x, dtype) : x));
  const op = 'scaledDotProductAttention';
  const shapes = () => `got ${[q, k, v].map((x) => showShape(x.shape)).join(', ')}`;
  if ([q, k, v].some((x) => x.shape.length < 2)) {
    fail(op, 'query, key and value must have rank 2 or more', shapes(), 'use expandDims');
  }
  const lead = q.shape.slice(0, -2);
  const [t, d] = q.shape.slice(-2);
  const [s, e] = v.shape.slice(-2);
  if (k.shape[k.shape.length - 1] !== d) fail(op, 'query and key must have one depth', shapes());
  if (k.shape[k.shape.length - 2] !== s) fail(op, 'key and value must have one length', shapes());
  if (s === 0) fail(op, 'there must be at least one key', shapes());
  const n = lead.reduce((product, extent) => product * extent, 1);
  const heads = (x: Value, rows: number, columns: number): Value => {
    const full = [...lead, rows, columns];
    return reshape(sameShape(x.shape, full) ? x : broadcastTo(x, full), [n, rows, columns]);
  };
  const kT = transpose(heads(k, s, d), [0, 2, 1]);
  const inputs = [heads(times(q, options.scale), t, d), kT, heads(v, s, e)];
  if (options.mask) inputs.push(biasOf(options.mask, lead, t, s, dtype));
  const [o] = apply('attention', inputs, { causal: options.causal, offset: s - t });
  return reshape(o, [...lead, t, e]);
}

/** A mask as a bias of shape [n or 1, t or 1, s]: never larger than it has to be. */
function biasOf(mask: Value, lead: readonly number[], t: number, s: number, dtype: DType): Value {
  const full = [...lead, t, s];
  const own = mask.shape;
  if (
    own.length > full.length ||
    own.some((extent, i) => extent !== 1 && extent !== full[full.length - own.length + i])
  ) {
    fail(
      'scaledDotProductAttention',
      `the mask must broadcast with ${showShape(full)}`,
      `got ${mask.dtype}${showShape(own)}`,
      'expandDims it along the heads',
    );
  }
  const filled = (value: number) => constant(value, dtype, own);
  const number = mask.dtype === 'bool' ? select(mask, filled(0), filled(Number.NEGATIVE_INFINITY)) : cast(mask, dtype);
  const padded = [...new Array<number>(Math.max(0, 2 - own.length)).fill(1), ...own];
  const rows = padded[padded.length - 2];
  const shared = padded.slice(0, -2).every((extent) => extent === 1);
  const n = lead.reduce((product, extent) => product * extent, 1);
  const shape = shared ? [1, rows, s] : [...lead, rows, s];
  const spread = broadcastTo(reshape(number, shared ? padded.slice(-2) : padded), shared ? [rows, s] : shape);
  return reshape(spread, [shared ? 1 : n, rows, s]);
}
