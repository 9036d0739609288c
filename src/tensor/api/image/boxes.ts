/**
 * Non-maximum suppression: boxes in the order of their scores, without those that overlap one that was taken. How many are left
 * depends on the data, so the functions read boxes and scores (the Async ones without blocking) and work on the host: not in a trace.
 */
import { fail } from '../../../base/errors.ts';
import { showShape } from '../../../types/shape.ts';
import { makeTensor, toTensor } from '../../convert.ts';
import type { Tensor } from '../../tensor.ts';
import type { Scalar, Tensor1D, Tensor2D, TensorLike } from '../../types.ts';

interface Rules {
  readonly most: number;
  readonly overlap: number;
  readonly least: number;
  readonly sigma: number;
}

interface Candidate {
  score: number;
  readonly box: number;
  /** Boxes taken before this number have been compared with it already. */
  compared: number;
}

type Boxes = Tensor2D | TensorLike;
type Scores = Tensor1D | TensorLike;

/** Intersection over union of two boxes [y1, x1, y2, x2], whose corners may come in any order; 0 for empty ones. */
function overlapOf(boxes: ArrayLike<number>, a: number, b: number): number {
  const side = (box: number, axis: number) => {
    const [from, to] = [boxes[4 * box + axis], boxes[4 * box + axis + 2]];
    return [Math.min(from, to), Math.max(from, to)] as const;
  };
  let [areaA, areaB, shared] = [1, 1, 1];
  for (const axis of [0, 1]) {
    const [[fromA, toA], [fromB, toB]] = [side(a, axis), side(b, axis)];
    areaA *= toA - fromA;
    areaB *= toB - fromB;
    shared *= Math.max(0, Math.min(toA, toB) - Math.max(fromA, fromB));
  }
  return areaA > 0 && areaB > 0 ? shared / (areaA + areaB - shared) : 0;
}

/** Worse first, so that the best is popped; of equals the one that came first is better. */
function worse(a: Candidate, b: Candidate): number {
  return a.score - b.score || b.box - a.box;
}

/** Puts a candidate back where its lowered score belongs. */
function insert(list: Candidate[], candidate: Candidate): void {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (worse(list[middle], candidate) < 0) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, candidate);
}

/** Numbers of the boxes that are taken and their scores; soft suppression (Bodla et al. 2017) lowers scores by overlap. */
function suppress(
  boxes: ArrayLike<number>,
  scores: ArrayLike<number>,
  rules: Rules,
): { boxes: number[]; scores: number[] } {
  const candidates: Candidate[] = [];
  for (let i = 0; i < scores.length; i++)
    if (scores[i] > rules.least) candidates.push({ score: scores[i], box: i, compared: 0 });
  candidates.sort(worse);
  const taken: { boxes: number[]; scores: number[] } = { boxes: [], scores: [] };
  while (taken.boxes.length < rules.most) {
    const candidate = candidates.pop();
    if (candidate === undefined) break;
    const { score } = candidate;
    let dropped = false;
    for (let j = taken.boxes.length - 1; j >= candidate.compared && !dropped; j--) {
      const overlap = overlapOf(boxes, candidate.box, taken.boxes[j]);
      if (overlap >= rules.overlap) dropped = true;
      else if (rules.sigma > 0) candidate.score *= Math.exp((-0.5 / rules.sigma) * overlap * overlap);
      if (candidate.score <= rules.least) break;
    }
    candidate.compared = taken.boxes.length;
    if (dropped) continue;
    if (candidate.score === score) {
      taken.boxes.push(candidate.box);
      taken.scores.push(score);
    } else if (candidate.score > rules.least) insert(candidates, candidate);
  }
  return taken;
}

function checked(boxes: Boxes, scores: Scores, most: number, overlap: number, least: number, sigma: number) {
  const op = 'nonMaxSuppression';
  const [b, s] = [toTensor(boxes as Tensor, 'boxes', op), toTensor(scores as Tensor, 'scores', op)];
  if (b.shape.length !== 2 || b.shape[1] !== 4) fail(op, 'boxes must be [boxes, 4]', `got ${showShape(b.shape)}`);
  if (s.shape.length !== 1 || s.shape[0] !== b.shape[0])
    fail(op, 'there must be one score for each box', `got ${showShape(s.shape)} for ${showShape(b.shape)}`);
  for (const [what, value] of [
    ['iouThreshold', overlap],
    ['softNmsSigma', sigma],
  ] as const)
    if (!(value >= 0 && value <= 1)) fail(op, `${what} must be in [0, 1]`, `got ${value}`);
  if (!Number.isInteger(most) || most < 0) fail(op, 'maxOutputSize must be an integer >= 0', `got ${most}`);
  return { boxes: b, scores: s, rules: { most: Math.min(most, b.shape[0]), overlap, least, sigma } };
}

type Request = ReturnType<typeof checked>;

function now({ boxes, scores, rules }: Request) {
  return suppress(boxes.dataSync() as ArrayLike<number>, scores.dataSync() as ArrayLike<number>, rules);
}

async function later({ boxes, scores, rules }: Request) {
  const [b, s] = await Promise.all([boxes.data(), scores.data()]);
  return suppress(b as ArrayLike<number>, s as ArrayLike<number>, rules);
}

const indices = (list: readonly number[]) => makeTensor(Int32Array.from(list), [list.length], 'int32') as Tensor1D;

/** Indices of the boxes that are left, best first: at most maxOutputSize, scores above scoreThreshold, overlaps below iouThreshold. */
export function nonMaxSuppression(
  boxes: Boxes,
  scores: Scores,
  maxOutputSize: number,
  iouThreshold = 0.5,
  scoreThreshold = Number.NEGATIVE_INFINITY,
): Tensor1D {
  return indices(now(checked(boxes, scores, maxOutputSize, iouThreshold, scoreThreshold, 0)).boxes);
}

/** nonMaxSuppression without blocking. */
export async function nonMaxSuppressionAsync(
  boxes: Boxes,
  scores: Scores,
  maxOutputSize: number,
  iouThreshold = 0.5,
  scoreThreshold = Number.NEGATIVE_INFINITY,
): Promise<Tensor1D> {
  return indices((await later(checked(boxes, scores, maxOutputSize, iouThreshold, scoreThreshold, 0))).boxes);
}

export interface ScoredBoxes {
  readonly selectedIndices: Tensor1D;
  readonly selectedScores: Tensor1D;
  readonly [name: string]: Tensor;
}

function scored({ boxes, scores }: { boxes: number[]; scores: number[] }): ScoredBoxes {
  return {
    selectedIndices: indices(boxes),
    selectedScores: makeTensor(Float32Array.from(scores), [scores.length]) as Tensor1D,
  };
}

/** nonMaxSuppression that gives the scores too; softNmsSigma > 0 lowers scores by overlap instead of dropping boxes. */
export function nonMaxSuppressionWithScore(
  boxes: Boxes,
  scores: Scores,
  maxOutputSize: number,
  iouThreshold = 0.5,
  scoreThreshold = Number.NEGATIVE_INFINITY,
  softNmsSigma = 0,
): ScoredBoxes {
  return scored(now(checked(boxes, scores, maxOutputSize, iouThreshold, scoreThreshold, softNmsSigma)));
}

/** nonMaxSuppressionWithScore without blocking. */
export async function nonMaxSuppressionWithScoreAsync(
  boxes: Boxes,
  scores: Scores,
  maxOutputSize: number,
  iouThreshold = 0.5,
  scoreThreshold = Number.NEGATIVE_INFINITY,
  softNmsSigma = 0,
): Promise<ScoredBoxes> {
  return scored(await later(checked(boxes, scores, maxOutputSize, iouThreshold, scoreThreshold, softNmsSigma)));
}

export interface PaddedBoxes {
  readonly selectedIndices: Tensor1D;
  readonly validOutputs: Scalar;
  readonly [name: string]: Tensor;
}

function padded(found: number[], { rules }: Request, pad: boolean): PaddedBoxes {
  const rest = pad ? new Array<number>(rules.most - found.length).fill(0) : [];
  return {
    selectedIndices: indices([...found, ...rest]),
    validOutputs: makeTensor(found.length, [], 'int32') as Scalar,
  };
}

/** nonMaxSuppression that says how many are valid; padToMaxOutputSize fills the indices up with 0. */
export function nonMaxSuppressionPadded(
  boxes: Boxes,
  scores: Scores,
  maxOutputSize: number,
  iouThreshold = 0.5,
  scoreThreshold = Number.NEGATIVE_INFINITY,
  padToMaxOutputSize = false,
): PaddedBoxes {
  const request = checked(boxes, scores, maxOutputSize, iouThreshold, scoreThreshold, 0);
  return padded(now(request).boxes, request, padToMaxOutputSize);
}

/** nonMaxSuppressionPadded without blocking. */
export async function nonMaxSuppressionPaddedAsync(
  boxes: Boxes,
  scores: Scores,
  maxOutputSize: number,
  iouThreshold = 0.5,
  scoreThreshold = Number.NEGATIVE_INFINITY,
  padToMaxOutputSize = false,
): Promise<PaddedBoxes> {
  const request = checked(boxes, scores, maxOutputSize, iouThreshold, scoreThreshold, 0);
  return padded((await later(request)).boxes, request, padToMaxOutputSize);
}
