/**
 * Graph rewriting before anything is planned: constants, algebra, common subexpressions. Rules are data; the comment beside
 * each states the algebra. Every rule is exact in float32 but for the order of sums where it says so.
 */
import type { Value } from '../graph/graph.ts';
import { Operation, topologicalOrder } from '../graph/graph.ts';
import { apply1 } from '../ops/apply.ts';
import { after, broadcastTo, constant, greater, mul, reshape, select, slice, zerosLike } from '../ops/build.ts';
import { rowOf } from '../ops/table.ts';
import { elementOf, newArray } from '../types/dtype.ts';
import { sameShape, sizeOf } from '../types/shape.ts';
import { tagOf, unpacks } from './plan.ts';
import { sumOfPads } from './simplify-pads.ts';

interface Rule {
  readonly name: string;
  /** Ops that the rule looks at. */
  readonly kinds: readonly string[];
  /** What the operation's output is equal to, or null. */
  rewrite(op: Operation): Value | null;
}

/** The number that every element of a value is, or null. */
export function scalarOf(value: Value): number | null {
  let at = value;
  while (at.op.inputs.length === 1 && (tagOf(at.op) === 'view' || tagOf(at.op) === 'reshape')) at = at.op.inputs[0];
  return tagOf(at.op) === 'source' && at.op.attrs.value !== undefined ? Number(at.op.attrs.value) : null;
}

/** x where the other of two inputs is `unit`, on either side or only on the right. */
function dropUnit(op: Operation, unit: number, bothSides: boolean): Value | null {
  const [x, y] = op.inputs;
  if (Object.is(scalarOf(y), unit)) return x;
  return bothSides && Object.is(scalarOf(x), unit) ? y : null;
}

/** The pooling gradient that makes a value, if one does. */
function pooledGradient(value: Value): Operation | null {
  return value.op.kind === 'maxPoolBackprop' ? value.op : null;
}

export const rules: readonly Rule[] = [
  // x + 0 -> x fails for x = -0 only in its sign: -0 + 0 is 0. x + (-0) -> x is exact; so is x - 0.
  { name: 'add zero', kinds: ['add'], rewrite: (op) => dropUnit(op, -0, true) },
  { name: 'subtract zero', kinds: ['sub'], rewrite: (op) => dropUnit(op, 0, false) },
  // x * 1 -> x
  { name: 'multiply by one', kinds: ['mul'], rewrite: (op) => dropUnit(op, 1, true) },
  // x / 1 -> x
  { name: 'divide by one', kinds: ['div'], rewrite: (op) => dropUnit(op, 1, false) },
  // -(-x) -> x
  {
    name: 'double negation',
    kinds: ['neg'],
    rewrite: ({ inputs: [x] }) => (x.op.kind === 'neg' ? x.op.inputs[0] : null),
  },
  // x^2 -> x * x
  { name: 'square', kinds: ['pow'], rewrite: ({ inputs: [x, y] }) => (scalarOf(y) === 2 ? mul(x, x) : null) },
  // cast(x, dtype of x) -> x
  { name: 'same cast', kinds: ['cast'], rewrite: ({ inputs: [x], outputs: [y] }) => (x.dtype === y.dtype ? x : null) },
  // A small dtype to what it is computed in and back -> x
  {
    name: 'cast there and back',
    kinds: ['cast'],
    rewrite: ({ inputs: [x], outputs: [y] }) =>
      unpacks(x.op) && x.op.inputs[0].dtype === y.dtype ? x.op.inputs[0] : null,
  },
  // Same elements, same shape -> x; a reshape of a reshape -> one reshape.
  {
    name: 'reshape',
    kinds: ['reshape', 'identity', 'stopGradient', 'identityWithGradient'],
    rewrite({ inputs: [x], outputs: [y], kind }) {
      if (sameShape(x.shape, y.shape)) return x;
      if (kind === 'reshape' && x.op.kind === 'reshape') return reshape(x.op.inputs[0], y.shape);
      return null;
    },
  },
  // Constants need not wait, and nothing has to wait for them.
  {
    name: 'after constants',
    kinds: ['after'],
    rewrite({ inputs: [x, ...others] }) {
      if (scalarOf(x) !== null) return x;
      const computed = others.filter((other) => scalarOf(other) === null);
      return computed.length === others.length ? null : after(x, computed);
    },
  },
  // Views that move nothing -> x
  {
    name: 'same broadcast',
    kinds: ['broadcastTo'],
    rewrite: ({ inputs: [x], outputs: [y] }) => (sameShape(x.shape, y.shape) ? x : null),
  },
  {
    name: 'same view',
    kinds: ['slice', 'transpose', 'reverse'],
    rewrite({ inputs: [x], outputs: [y], attrs, kind }) {
      if (!sameShape(x.shape, y.shape)) return null;
      const { lowering } = rowOf(kind);
      if (lowering.tag !== 'view') return null;
      return lowering
        .axes(attrs, x.shape, y.shape)
        .every((map, axis) => map.axis === axis && map.scale === 1 && map.offset === 0)
        ? x
        : null;
    },
  },
  // Axes of extent 1 have one place: a transpose that leaves the others in their order -> a reshape
  {
    name: 'transpose of single places',
    kinds: ['transpose'],
    rewrite({ inputs: [x], outputs: [y], attrs }) {
      const moved = (attrs.perm as readonly number[]).filter((axis) => x.shape[axis] !== 1);
      return moved.every((axis, i) => i === 0 || axis > moved[i - 1]) ? reshape(x, y.shape) : null;
    },
  },
  // A slice that lies in one of the parts of a concat -> a slice of that part
  {
    name: 'slice of concat',
    kinds: ['slice'],
    rewrite({ inputs: [x], outputs: [y], attrs }) {
      if (x.op.kind !== 'concat' || sizeOf(y.shape) === 0) return null;
      const axis = x.op.attrs.axis as number;
      const [begin, strides] = [attrs.begin as readonly number[], attrs.strides as readonly number[]];
      const last = begin[axis] + (y.shape[axis] - 1) * strides[axis];
      let from = 0;
      for (const part of x.op.inputs) {
        const to = from + part.shape[axis];
        if (begin[axis] >= from && last < to)
          return slice(part, begin.with(axis, begin[axis] - from), y.shape, strides);
        from = to;
      }
      return null;
    },
  },
  {
    name: 'sum of pads',
    kinds: ['add'],
    rewrite: (op) => sumOfPads(op, (value) => Object.is(scalarOf(value), 0)),
  },
  // relu'(y) * scatter(dy, argmax y) -> scatter(relu'(max y) * dy, argmax y): the element at the position is the maximum.
  {
    name: 'relu gradient before unpooling',
    kinds: ['select'],
    rewrite({ inputs: [mask, dx, other] }) {
      const pool = pooledGradient(dx);
      if (!pool || mask.op.kind !== 'greater' || scalarOf(other) !== 0 || scalarOf(mask.op.inputs[1]) !== 0)
        return null;
      const position = pool.inputs[1];
      const y = mask.op.inputs[0];
      if (position.op.kind !== 'maxPool' || position.op.inputs[0] !== y) return null;
      const largest = position.op.outputs[0];
      const dy = select(greater(largest, zerosLike(largest)), pool.inputs[0], zerosLike(pool.inputs[0]));
      return apply1(pool.kind, [dy, position], pool.attrs);
    },
  },
  // sum(scatter(dy, argmax)) over batch and spatial axes -> sum(dy): every gradient goes to one place. (Another order of sums.)
  {
    name: 'sum of unpooled gradients',
    kinds: ['sum'],
    rewrite({ inputs: [dx], attrs }) {
      const pool = pooledGradient(dx);
      const axes = attrs.axes as readonly number[];
      return pool && dx.shape.every((_, axis) => axis === dx.shape.length - 1 || axes.includes(axis))
        ? apply1('sum', [pool.inputs[0]], attrs)
        : null;
    },
  },
  // Windows that stand side by side leave the odd rows at the end out: their gradient is 0, so no sum over them is needed.
  {
    name: 'filter gradient of cropped pooling',
    kinds: ['convBackpropFilter'],
    rewrite({ inputs: [x, dy], attrs, kind }) {
      const pool = pooledGradient(dy);
      const plain = ['strides', 'dilations'].every((name) => (attrs[name] as number[]).every((n) => n === 1));
      if (!pool || !plain || [...(attrs.pads as number[]), ...(pool.attrs.pads as number[])].some((n) => n !== 0))
        return null;
      const [filter, strides] = [pool.attrs.filter as number[], pool.attrs.strides as number[]];
      const size = dy.shape.map((extent, axis) => {
        if (axis === 0 || axis === dy.shape.length - 1 || filter[axis - 1] !== strides[axis - 1]) return extent;
        return Math.floor(extent / filter[axis - 1]) * filter[axis - 1];
      });
      if (sameShape(size, dy.shape)) return null;
      const spatial = (axis: number) => axis > 0 && axis < x.shape.length - 1;
      const cropped = x.shape.map((extent, axis) => (spatial(axis) ? extent - dy.shape[axis] + size[axis] : extent));
      const origin = x.shape.map(() => 0);
      return apply1(kind, [slice(x, origin, cropped), slice(dy, origin, size)], attrs);
    },
  },
];

const rulesOf = new Map<string, Rule[]>();
for (const rule of rules) {
  for (const kind of rule.kinds) rulesOf.set(kind, [...(rulesOf.get(kind) ?? []), rule]);
}

/** f(constants) -> constant, for elementwise ops. */
function fold(op: Operation): Value | null {
  if (tagOf(op) !== 'map' || op.inputs.length === 0) return null;
  const scalars = op.inputs.map(scalarOf);
  if (!scalars.every((x): x is number => x !== null)) return null;
  const [output] = op.outputs;
  const inputs = scalars.map((x, i) => {
    const data = newArray(op.inputs[i].dtype, 1);
    data[0] = elementOf(op.inputs[i].dtype, x);
    return { dtype: op.inputs[i].dtype, shape: [], data };
  });
  const [result] = rowOf(op.kind).evaluate(inputs, op.attrs, [{ dtype: output.dtype, shape: [] }]);
  // What is not finite, or no safe integer as a number, is no constant.
  const number = Number(result[0]);
  if (!Number.isFinite(number) || (output.dtype === 'int64' && !Number.isSafeInteger(number))) return null;
  return broadcastTo(constant(number, output.dtype), output.shape);
}

/** The outputs, rewritten; inputs (parameters) stay as they are. */
export function simplify(outputs: readonly Value[], inputs: readonly Value[]): Value[] {
  const given = new Set(inputs);
  const known = new Map<string, Operation>();
  const mapped = new Map<Value, Value>();
  const of = (value: Value): Value => mapped.get(value) ?? value;
  const share = (op: Operation): Operation => {
    const key = `${op.kind}|${op.inputs.map((x) => `${x.op.id}.${x.index}`).join()}|${JSON.stringify(op.attrs, minusZero)}|${op.outputs.map((y) => `${y.dtype}${y.shape}`)}`;
    const first = known.get(key);
    if (first) return first;
    known.set(key, op);
    return op;
  };
  /** Rules may build several operations: each of them is simplified in its turn. */
  const settle = (value: Value): Value => {
    if (given.has(value) || mapped.has(value)) return of(value);
    for (const op of topologicalOrder([value], (v) => given.has(v) || mapped.has(v))) settleOperation(op);
    return of(value);
  };
  const settleOperation = (op: Operation): void => {
    const operands = op.inputs.map(of);
    const changed = operands.some((x, i) => x !== op.inputs[i]);
    let now = changed ? new Operation(op.kind, operands, op.attrs, op.outputs) : op;
    if (changed) now.name = op.name;
    now = share(now);
    op.outputs.forEach((output, i) => mapped.set(output, now.outputs[i]));
    if (now !== op) now.outputs.forEach((output) => mapped.has(output) || mapped.set(output, output));
    if (op.outputs.length !== 1) return;
    const better = fold(now) ?? firstRewrite(now);
    if (!better) return;
    const result = settle(better);
    mapped.set(op.outputs[0], result);
    mapped.set(now.outputs[0], result);
  };
  return outputs.map(settle);
}

function firstRewrite(op: Operation): Value | null {
  for (const rule of rulesOf.get(op.kind) ?? []) {
    const better = rule.rewrite(op);
    if (better && better.op !== op) return better;
  }
  return null;
}

/** JSON has no -0, NaN or infinities: name them, so that two constants never share a key wrongly. */
function minusZero(_key: string, value: unknown): unknown {
  if (typeof value !== 'number') return value;
  return Object.is(value, -0) || !Number.isFinite(value) ? `#${Object.is(value, -0) ? '-0' : value}` : value;
}
