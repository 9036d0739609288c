/**
 * The ops of bench/ops.js as ONNX models of one node: `(params, inputs) => { type, attributes, constants, outputs }`. Layouts
 * with channels first are the op's own business.
 */
import { opModel, int, ints } from './onnx-model.js';
import { operand } from './protocol.js';

const i64 = (values) => ({ dtype: 'int64', shape: [values.length], values });

const ops = {
  sum: ({ axes }) => ({ type: 'ReduceSum', attributes: [int('keepdims', 0)], constants: [i64(axes)] }),
  max: ({ axes }) => ({ type: 'ReduceMax', attributes: [ints('axes', axes), int('keepdims', 0)] }),
  argMax: ({ axis }) => ({ type: 'ArgMax', attributes: [int('axis', axis), int('keepdims', 0)], output: 'int64' }),
  softmax: ({ axis }) => ({ type: 'Softmax', attributes: [int('axis', axis)] }),
  transpose: ({ perm }) => ({ type: 'Transpose', attributes: [ints('perm', perm)] }),
  concat: ({ axis }) => ({ type: 'Concat', attributes: [int('axis', axis)] }),
  slice: ({ begin, size }) => ({
    type: 'Slice',
    constants: [i64(begin), i64(begin.map((b, axis) => b + size[axis]))],
  }),
  pad: ({ paddings }) => ({
    type: 'Pad',
    constants: [i64([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)])],
  }),
  tile: ({ reps }) => ({ type: 'Tile', constants: [i64(reps)] }),
  gather: ({ axis }) => ({ type: 'Gather', attributes: [int('axis', axis)] }),
  topk: ({ k }) => ({ type: 'TopK', constants: [i64([k])], outputs: 2 }),
  cumsum: ({ axis }) => ({ type: 'CumSum', constants: [i64([axis])] }),
  takeAlongAxis: ({ axis }) => ({ type: 'GatherElements', attributes: [int('axis', axis)] }),
};

/** The task 'op'. @param ort the onnxruntime module @param create makes a session of a model's bytes */
export function opTask(ort, create) {
  return async ({ op, inputs, params }) => {
    const describe = ops[op];
    if (!describe) throw new Error(`it has no op '${op}'`);
    const session = await create(opModel(describe(params, inputs), inputs));
    const feeds = Object.fromEntries(
      inputs.map((spec, i) => [
        `x${i}`,
        new ort.Tensor(spec.below ? 'int32' : 'float32', operand(spec, i + 1), spec.shape),
      ]),
    );
    return async () => {
      const results = await session.run(feeds);
      for (const name of session.outputNames) results[name].dispose?.();
    };
  };
}
