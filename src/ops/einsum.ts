/**
 * einsum on graph values: any number of operands, ellipses, repeated labels (diagonals), implicit outputs. An expression is
 * planned as a sequence of contractions of two operands each, so it runs at the speed of matMul and has its gradient.
 */
import { fail } from '../base/errors.ts';
import type { Value } from '../graph/graph.ts';
import { isFloat, promote } from '../types/dtype.ts';
import { showShape, sizeOf } from '../types/shape.ts';
import { cast, mul } from './build-elementwise.ts';
import { broadcastTo, reshape, transpose } from './build-movement.ts';
import { sum } from './build-reduce.ts';
import { matMul } from './build-window.ts';
import { diagonal } from './composite-movement.ts';

/** A value and a label for each of its axes; no label twice. */
interface Operand {
  readonly value: Value;
  readonly labels: readonly string[];
}

interface Equation {
  readonly inputs: readonly string[][];
  /** null: implicit. */
  readonly output: string[] | null;
}

const ELLIPSIS = '...';

/** The labels of one term: letters, and '...' as one of them. */
function parseTerm(equation: string, term: string): string[] {
  const labels = term.match(/\.\.\.|[A-Za-z]/g) ?? [];
  if (labels.join('') !== term || labels.filter((label) => label === ELLIPSIS).length > 1) {
    fail('einsum', 'a term must be letters and at most one ellipsis', `got '${term}' in '${equation}'`);
  }
  return labels;
}

function parse(equation: string): Equation {
  if (typeof equation !== 'string') fail('einsum', 'the equation must be a string', `got ${typeof equation}`);
  const sides = equation.replace(/\s+/g, '').split('->');
  if (sides.length > 2) fail('einsum', 'the equation must have at most one arrow', `got '${equation}'`);
  const inputs = sides[0].split(',').map((term) => parseTerm(equation, term));
  return { inputs, output: sides.length === 2 ? parseTerm(equation, sides[1]) : null };
}

/** What stands for the axes of an ellipsis, counted from the last: they align as shapes do when they broadcast. */
function hidden(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `.${count - 1 - i}`);
}

function expand(labels: readonly string[], count: number): string[] {
  return labels.flatMap((label) => (label === ELLIPSIS ? hidden(count) : [label]));
}

/** Keeps the diagonal where a label stands twice: axes a and b become one, in the place of a. */
function withoutRepeats(value: Value, labels: readonly string[]): Operand {
  const b = labels.findIndex((label, axis) => labels.indexOf(label) < axis);
  if (b < 0) return { value, labels };
  const a = labels.indexOf(labels[b]);
  return withoutRepeats(diagonalOf(value, a, b), labels.toSpliced(b, 1));
}

/** The diagonal of axes a and b, along axis a. */
function diagonalOf(x: Value, a: number, b: number): Value {
  const last = x.shape.length - 2;
  const place = a - (b < a ? 1 : 0);
  const order = Array.from({ length: last }, (_, i) => i).toSpliced(place, 0, last);
  return transpose(diagonal(x, 0, a, b), order);
}

function sumAway(operand: Operand, keep: (label: string) => boolean): Operand {
  const axes = operand.labels.flatMap((label, axis) => (keep(label) ? [] : [axis]));
  return axes.length === 0 ? operand : { value: sum(operand.value, axes), labels: operand.labels.filter(keep) };
}

/** The extent of each label; operands of extent 1 broadcast. */
function extentsOf(equation: string, operands: readonly Operand[]): Map<string, number> {
  const extents = new Map<string, number>();
  for (const { value, labels } of operands) {
    for (const [axis, label] of labels.entries()) {
      const [known, extent] = [extents.get(label) ?? 1, value.shape[axis]];
      if (known !== 1 && extent !== 1 && known !== extent) {
        const what = label.startsWith('.') ? 'axes of the ellipsis' : `axes of '${label}'`;
        const shapes = operands.map((operand) => showShape(operand.value.shape)).join(' ');
        fail(
          'einsum',
          `${what} must be equally long, or 1`,
          `got ${known} and ${extent} in '${equation}' with ${shapes}`,
        );
      }
      extents.set(label, known === 1 ? extent : known);
    }
  }
  return extents;
}

/** Axes in another order, with new axes of extent 1 where a label is missing. */
function arranged({ value, labels }: Operand, order: readonly string[]): Value {
  const present = order.filter((label) => labels.includes(label));
  const turned = transpose(
    value,
    present.map((label) => labels.indexOf(label)),
  );
  return reshape(
    turned,
    order.map((label) => (labels.includes(label) ? value.shape[labels.indexOf(label)] : 1)),
  );
}

/** Both operands in one: labels that nobody needs any more are summed over. */
function contract(a: Operand, b: Operand, keep: (label: string) => boolean, extents: Map<string, number>): Operand {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  // An axis of extent 1 has nothing to contract with its partner: it goes, and the partner's is summed or kept as it is.
  const whole = (operand: Operand, label: string) =>
    operand.value.shape[operand.labels.indexOf(label)] === extents.get(label);
  const inner = shared.filter((label) => !keep(label) && whole(a, label) && whole(b, label));
  const outer = [...new Set([...a.labels, ...b.labels])].filter((label) => !inner.includes(label));
  if (inner.length === 0 || !isFloat(a.value.dtype) || !isFloat(b.value.dtype)) {
    const order = [...outer, ...inner];
    return sumAway({ value: mul(arranged(a, order), arranged(b, order)), labels: order }, keep);
  }
  const batch = shared.filter((label) => !inner.includes(label));
  const rows = a.labels.filter((label) => !shared.includes(label));
  const columns = b.labels.filter((label) => !shared.includes(label));
  const size = (labels: readonly string[]) => sizeOf(labels.map((label) => extents.get(label)!));
  const spread = batch.map((label) => extents.get(label)!);
  const side = (operand: Operand, order: readonly string[], shape: readonly number[]) => {
    const value = arranged(operand, [...batch, ...order]);
    const full = broadcastTo(value, [...spread, ...value.shape.slice(batch.length)]);
    return reshape(full, [size(batch), ...shape]);
  };
  const product = matMul(
    side(a, [...rows, ...inner], [sizeOf(rows.map((l) => a.value.shape[a.labels.indexOf(l)])), size(inner)]),
    side(b, [...inner, ...columns], [size(inner), sizeOf(columns.map((l) => b.value.shape[b.labels.indexOf(l)]))]),
  );
  const extentIn = (operand: Operand) => (label: string) => operand.value.shape[operand.labels.indexOf(label)];
  const shape = [...spread, ...rows.map(extentIn(a)), ...columns.map(extentIn(b))];
  return sumAway({ value: reshape(product, shape), labels: [...batch, ...rows, ...columns] }, keep);
}

/** The pair whose contraction costs least; of equals the one with the smallest result. */
function cheapestPair(
  operands: readonly Operand[],
  output: readonly string[],
  extents: Map<string, number>,
): [number, number] {
  let best: [number, number] = [0, 1];
  let least = [Infinity, Infinity];
  for (let i = 0; i < operands.length; i++) {
    for (let k = i + 1; k < operands.length; k++) {
      const all = [...new Set([...operands[i].labels, ...operands[k].labels])];
      const others = operands.filter((_, at) => at !== i && at !== k);
      const left = all.filter((l) => output.includes(l) || others.some((other) => other.labels.includes(l)));
      const [cost, size] = [all, left].map((labels) => sizeOf(labels.map((label) => extents.get(label)!)));
      if (cost < least[0] || (cost === least[0] && size < least[1]))
        [best, least] = [
          [i, k],
          [cost, size],
        ];
    }
  }
  return best;
}

function outputLabels(
  equation: string,
  given: string[] | null,
  terms: readonly string[][],
  ellipsis: number,
): string[] {
  const all = terms.flat();
  if (given === null) {
    // NumPy's: the ellipsis, then what stands once, in the order of the alphabet.
    const single = [...new Set(all)].filter(
      (label) => label[0] !== '.' && all.indexOf(label) === all.lastIndexOf(label),
    );
    return [...hidden(ellipsis), ...single.sort()];
  }
  const output = expand(given, ellipsis);
  const unknown = output.find((label) => !all.includes(label));
  if (unknown)
    fail('einsum', 'every label of the output must stand in an input', `'${unknown}' in '${equation}' does not`);
  if (new Set(output).size < output.length)
    fail('einsum', 'no label may stand twice in the output', `got '${equation}'`);
  return output;
}

/** The sum over all labels that are not in the output of the products of the operands. */
export function einsum(equation: string, values: readonly Value[]): Value {
  const { inputs, output: given } = parse(equation);
  if (inputs.length !== values.length) {
    fail('einsum', `'${equation}' takes ${inputs.length} tensors`, `got ${values.length}`);
  }
  const counts = inputs.map((labels, i) => {
    const named = labels.filter((label) => label !== ELLIPSIS).length;
    const rank = values[i].shape.length;
    const open = labels.includes(ELLIPSIS);
    if (open ? named > rank : named !== rank) {
      fail(
        'einsum',
        `term ${i} of '${equation}' must have a label for each axis`,
        `got shape ${showShape(values[i].shape)}`,
      );
    }
    return open ? rank - named : 0;
  });
  const terms = inputs.map((labels, i) => expand(labels, counts[i]));
  const output = outputLabels(equation, given, terms, Math.max(0, ...counts));
  const numbers = values.map((value) => (value.dtype === 'bool' ? cast(value, 'int32') : value));
  const dtype = numbers.map((value) => value.dtype).reduce(promote);
  checkDiagonals(equation, numbers, terms);
  let operands = numbers.map((value, i) => withoutRepeats(isFloat(dtype) ? cast(value, dtype) : value, terms[i]));
  const extents = extentsOf(equation, operands);
  const needed = (others: readonly Operand[]) => (label: string) =>
    output.includes(label) || others.some((other) => other.labels.includes(label));
  operands = operands.map((operand, i) => sumAway(operand, needed(operands.toSpliced(i, 1))));
  while (operands.length > 1) {
    const [i, k] = cheapestPair(operands, output, extents);
    const others = operands.filter((_, at) => at !== i && at !== k);
    operands = [...others, contract(operands[i], operands[k], needed(others), extents)];
  }
  const result = sumAway(operands[0], (label) => output.includes(label));
  return broadcastTo(
    arranged(result, output),
    output.map((label) => extents.get(label)!),
  );
}

function checkDiagonals(equation: string, values: readonly Value[], terms: readonly string[][]): void {
  for (const [i, labels] of terms.entries()) {
    for (const [axis, label] of labels.entries()) {
      const extent = values[i].shape[labels.indexOf(label)];
      if (extent !== values[i].shape[axis]) {
        fail(
          'einsum',
          `axes of '${label}' must be equally long`,
          `got ${extent} and ${values[i].shape[axis]} in '${equation}'`,
        );
      }
    }
  }
}
