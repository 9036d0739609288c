/**
 * Figures of single ops: `{ task: 'op', op, inputs, params }`. Each peer has a table of ops by name (peers/ops-tf.js for ours
 * and TensorFlow.js, peers/ops-onnx.js, peers/ops_torch.py); one that lacks an op says so in its line of the report. A line
 * here is one op at one size. Layouts are TensorFlow's (NHWC); a peer with another one is given its own.
 */

/** An input: shape, and for whole numbers an exclusive upper bound. @typedef {{ shape: number[], below?: number }} Operand */

import { windows } from './ops-windows.js';

const f = (...shape) => ({ shape });
const ints = (below, ...shape) => ({ shape, below });
const elements = ({ shape }) => shape.reduce((a, b) => a * b, 1);
const bytesOf = (operands) => operands.reduce((sum, operand) => sum + 4 * elements(operand), 0);

/** All axes but the last, NHWC to NCHW, and the like are written as they are in the table below. */
const image = [64, 56, 56, 64];

/**
 * `moves`: what the op must read and write, in elements; the figure is GB/s against the copy bandwidth. Without it the figure is
 * milliseconds, and the goal is to be level with the fastest peer.
 */
const list = [
  // Reductions: everything is read once.
  ...[[0], [1], [0, 1]].map((axes) => move(`sum-4096-${axes.join('')}`, 'sum', [f(4096, 4096)], { axes }, 0)),
  ...[[1, 2], [0, 1, 2], [3]].map((axes) => move(`sum-image-${axes.join('')}`, 'sum', [f(...image)], { axes }, 0)),
  ...[[0], [1]].map((axes) => move(`max-4096-${axes}`, 'max', [f(4096, 4096)], { axes }, 0)),
  ...[0, 1].map((axis) => move(`argmax-4096-${axis}`, 'argMax', [f(4096, 4096)], { axis }, 0)),
  ...[0, 1].map((axis) => move(`softmax-4096-${axis}`, 'softmax', [f(4096, 4096)], { axis }, 1)),
  // What only moves memory.
  move('transpose-4096', 'transpose', [f(4096, 4096)], { perm: [1, 0] }, 1),
  move('nhwc-nchw', 'transpose', [f(...image)], { perm: [0, 3, 1, 2] }, 1),
  move('nchw-nhwc', 'transpose', [f(64, 64, 56, 56)], { perm: [0, 2, 3, 1] }, 1),
  move('transpose-heads', 'transpose', [f(16, 512, 8, 64)], { perm: [0, 2, 1, 3] }, 1),
  move('concat-0', 'concat', [f(2048, 2048), f(2048, 2048)], { axis: 0 }, 1),
  move('concat-1', 'concat', [f(2048, 2048), f(2048, 2048)], { axis: 1 }, 1),
  move('slice', 'slice', [f(4096, 4096)], { begin: [100, 100], size: [3900, 3900] }, 2 * (3900 / 4096) ** 2 - 1),
  move(
    'pad',
    'pad',
    [f(...image)],
    {
      paddings: [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ],
    },
    (58 / 56) ** 2,
  ),
  move('tile', 'tile', [f(1024, 1024)], { reps: [4, 4] }, 16),
  move('reverse', 'reverse', [f(4096, 4096)], { axis: 1 }, 1),
  {
    ...move('gather-rows', 'gather', [f(30000, 256), ints(30000, 65536)], { axis: 0 }, 0),
    bytes: 2 * 4 * 65536 * 256,
  },
  // Sorting and searching.
  ...[
    [1024, 64],
    [256, 1024],
    [1, 1_000_000],
    [1000, 1000],
  ].map((shape) => level(`sort-${shape.join('x')}`, 'sort', [f(...shape)], {})),
  ...[
    [1, 1_000_000, 10],
    [64, 10_000, 5],
    [512, 1000, 100],
  ].map(([rows, n, k]) => level(`topk-${rows}x${n}-${k}`, 'topk', [f(rows, n)], { k })),
  level('searchsorted', 'searchSorted', [f(100_000), f(1_000_000)], {}),
  level('bincount', 'bincount', [ints(1000, 1_000_000)], { size: 1000 }),
  // Running totals.
  ...[
    [[4096, 4096], 1],
    [[4096, 4096], 0],
    [[16_777_216], 0],
  ].map(([shape, axis]) => move(`cumsum-${shape.join('x')}-${axis}`, 'cumsum', [f(...shape)], { axis }, 1)),
  move('cumprod-4096', 'cumprod', [f(4096, 4096)], { axis: 1 }, 1),
  // Linear algebra.
  ...['cholesky', 'qr', 'svd', 'eigh', 'solve'].flatMap((op) =>
    [128, 512].map((n) => level(`${op}-${n}`, op, [f(n, n), f(n, n)], {})),
  ),
  // Reading and writing at places that come from data.
  level('embedding-gradient', 'embeddingGradient', [ints(30000, 8192), f(8192, 256)], { rows: 30000 }),
  level('segment-sum', 'segmentSum', [ints(1000, 100_000), f(100_000, 64)], { rows: 1000 }),
  level('take-along-axis', 'takeAlongAxis', [f(1024, 4096), ints(4096, 1024, 4096)], { axis: 1 }),
  ...windows,
];

/** An op that must at least move `inputs` and `outputs` times the first input's elements. */
function move(id, op, inputs, params, outputs) {
  return { id, op, inputs, params, bytes: bytesOf(inputs) + outputs * bytesOf(inputs) };
}

function level(id, op, inputs, params) {
  return { id, op, inputs, params };
}

/** One figure for each op and target; each is measured beside all peers that have it. */
export const opFigures = list.flatMap(({ id, op, inputs, params, bytes }) =>
  [
    { backend: 'x64', others: ['pytorch', 'onnxruntime'] },
    { backend: 'wasm', others: ['tfjs-wasm', 'tfjs-wasm-threads'] },
  ].map(({ backend, others }) => ({
    id: backend === 'x64' ? `op-${id}` : `op-wasm-${id}`,
    title: backend === 'x64' ? id : `${id}, wasm`,
    request: { task: 'op', op, inputs, params },
    ...(bytes && { bytes }),
    // Times are reported as runs a second, so that more is better, as with all other figures.
    unit: bytes ? 'GB/s' : 'runs/s',
    amount: bytes ? bytes / 1e9 : 1,
    entries: [{ peer: backend }, ...others.map((peer) => ({ peer }))],
    goal: { ...(bytes && { peak: 0.7 }), versus: Object.fromEntries(others.map((peer) => [peer, 1])) },
    quick: false,
  })),
);
