/** Losses that look at more than one place at once: CTC over all alignments of a sequence, circle loss over all pairs of a batch. */
import { fail } from '../base/errors.ts';
import {
  add,
  cast,
  concat,
  exp,
  eye,
  logicalAnd,
  logicalNot,
  logSoftmax,
  logSumExp,
  matMul,
  max,
  maximum,
  mul,
  neg,
  notEqual,
  oneHot,
  pad,
  range,
  reshape,
  scalar,
  scan,
  slice,
  softplus,
  stopGradient,
  sub,
  sum,
  type Tensor,
  transpose,
  where,
  zeros,
} from '../tensor/index.ts';
import { showShape } from '../types/shape.ts';

/** Stands for log 0: finite, so that differences and gradients of impossible paths are. */
const never = -1e30;

/** log(exp a + exp b + ...), where all may be `never`. */
function logAdd(terms: readonly Tensor[]): Tensor {
  const most = stopGradient(terms.reduce((a, b) => maximum(a, b)));
  const total = terms.map((x) => exp(sub(x, most))).reduce((a, b) => add(a, b));
  return add(most, total.log());
}

/**
 * Connectionist temporal classification (Graves et al. 2006): -log of the probability that the frames' classes, without repetitions
 * and blanks, spell the labels.
 *
 * @param labels [batch, length] of class numbers from 1; 0 is the blank, and fills up shorter ones at the end
 * @param logits [batch, frames, classes]
 * @returns [batch]
 */
export function ctc(labels: Tensor, logits: Tensor): Tensor {
  if (labels.rank !== 2 || logits.rank !== 3 || labels.shape[0] !== logits.shape[0]) {
    const came = `got ${showShape(labels.shape)} and ${showShape(logits.shape)}`;
    fail('ctc', 'labels must be [batch, length], the output [batch, frames, classes]', came);
  }
  const [batch, frames, classes] = logits.shape as [number, number, number];
  const length = labels.shape[1]!;
  const numbers = cast(labels, 'int32');
  const places = 2 * length + 1;
  // Blanks between, before and behind the labels: place 2 i + 1 is label i.
  const spread = reshape(
    pad(reshape(numbers, [batch, length, 1]), [
      [0, 0],
      [0, 0],
      [1, 0],
    ]),
    [batch, 2 * length],
  );
  const path = pad(spread, [
    [0, 0],
    [0, 1],
  ]);
  const each = cast(oneHot(path, classes), 'float32');
  // [frames, batch, places]: log probability of the class of each place.
  const logs = transpose(matMul(logSoftmax(logits), transpose(each, [0, 2, 1])), [1, 0, 2]);
  // A blank may be left out between two labels that differ.
  const before = pad(path, [
    [0, 0],
    [2, 0],
  ]).slice([0, 0], [batch, places]);
  const skips = logicalAnd(notEqual(path, scalar(0, 'int32')), notEqual(path, before));
  const start = reshape(where(range(0, places, 1, 'int32').less(scalar(2, 'int32')), scalar(0), scalar(never)), [
    1,
    places,
  ]);
  const first = add(slice(logs, [0, 0, 0], [1, batch, places]).reshape([batch, places]), start);
  const shifted = (x: Tensor, by: number) =>
    concat([add(zeros([batch, by]), never), slice(x, [0, 0], [batch, places - by])], 1);
  const step = (alpha: Tensor, now: Tensor): [Tensor, Tensor] => {
    const skipped = places > 2 ? where(skips, shifted(alpha, 2), scalar(never)) : add(mul(alpha, 0), never);
    const next = maximum(add(logAdd([alpha, shifted(alpha, 1), skipped]), now), never);
    return [next, next];
  };
  const last = frames > 1 ? scan(step, first, slice(logs, [1, 0, 0], [frames - 1, batch, places]))[0] : first;
  // It may end on the last label or on the blank behind it.
  const count = sum(cast(notEqual(numbers, scalar(0, 'int32')), 'int32'), 1, true);
  const place = range(0, places, 1, 'int32').reshape([1, places]);
  const end = mul(count, scalar(2, 'int32'));
  const final = logicalAnd(place.greaterEqual(sub(end, scalar(1, 'int32'))), place.lessEqual(end));
  return neg(logSumExp(where(final, last, scalar(never)), 1));
}

export interface CircleArgs {
  /** Scale; default 80. */
  gamma?: number;
  /** Relaxation; default 0.4. */
  margin?: number;
  /** Whether a sample is no pair with itself; default true. */
  removeDiagonal?: boolean;
}

/**
 * Circle loss (Sun et al. 2020) on embeddings of length 1: every pair of the batch is pulled together or pushed apart, by how far it is
 * from where it should be. Labels [batch] or [batch, 1] of class numbers. Source: keras.losses.Circle.
 */
export function circleOf({ gamma = 80, margin = 0.4, removeDiagonal = true }: CircleArgs) {
  for (const [name, value] of Object.entries({ gamma, margin })) {
    if (!Number.isFinite(value)) fail('circle', `${name} must be a number`, `got ${value}`);
  }
  return (yTrue: Tensor, embeddings: Tensor): Tensor => {
    const batch = embeddings.shape[0];
    if (embeddings.rank !== 2 || yTrue.size !== batch) {
      const came = `got ${showShape(yTrue.shape)} and ${showShape(embeddings.shape)}`;
      fail('circle', 'labels must hold a class for each of the embeddings [batch, n]', came);
    }
    const labels = reshape(cast(yTrue, 'int32'), [batch, 1]);
    const same = labels.equal(transpose(labels));
    const itself = eye(batch).greater(0.5);
    const positive = removeDiagonal ? logicalAnd(same, logicalNot(itself)) : same;
    const negative = logicalNot(same);
    const distance = maximum(sub(1, matMul(embeddings, transpose(embeddings))), 0);
    const pull = mul(mul(maximum(add(margin, distance), 0), sub(distance, margin)), gamma);
    const push = mul(mul(maximum(sub(1 + margin, distance), 0), sub(1 - margin, distance)), gamma);
    const over = (values: Tensor, mask: Tensor) => {
      const kept = where(mask, values, scalar(never));
      const most = stopGradient(max(kept, 1, true));
      return add(reshape(most, [batch]), sum(exp(sub(kept, most)), 1).log());
    };
    const total = softplus(add(over(pull, positive), over(push, negative)));
    const paired = logicalAnd(positive.any(1), negative.any(1));
    return where(paired, total, mul(total, 0));
  };
}
