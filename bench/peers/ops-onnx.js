/**
 * The ops of bench/ops.js as ONNX models of one node: `(params, inputs) => { type, attributes, constants, outputs }`. Layouts
 * with channels first are the op's own business.
 */
import { int, ints, opModel, string } from './onnx-model.js';
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

const first = ([batch, ...rest]) => ({ shape: [batch, rest[rest.length - 1], ...rest.slice(0, -1)] });

/** A filter as a constant, so that it is packed before the clock runs: [...taps, in, out] to [out, in, ...taps]. */
function weights(shape) {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, values: operand({ shape: [size] }, 7).map((v) => v * 0.1) };
}

/** Padding as for an odd window at stride 1: what networks have. */
function window(taps, strides, dilations = 1) {
  const list = (n) => taps.map(() => n);
  const around = taps.map((n) => Math.floor((n - 1) / 2) * dilations);
  return [
    ints('kernel_shape', taps),
    ints('strides', list(strides)),
    ints('dilations', list(dilations)),
    ints('pads', [...around, ...around]),
  ];
}

const vector = (n) => weights([n]);

Object.assign(ops, {
  conv({ strides, dilations }, [x, w]) {
    const taps = w.shape.slice(0, -2);
    const [from, to] = w.shape.slice(-2);
    const groups = x.shape[x.shape.length - 1] / from;
    return {
      type: 'Conv',
      inputs: [first(x.shape)],
      constants: [weights([to, from, ...taps])],
      attributes: [...window(taps, strides, dilations), int('group', groups)],
    };
  },
  depthwise({ strides }, [x, w]) {
    const [height, width, channels] = w.shape;
    return {
      type: 'Conv',
      inputs: [first(x.shape)],
      constants: [weights([channels, 1, height, width])],
      attributes: [...window([height, width], strides), int('group', channels)],
    };
  },
  convTranspose({ strides }, [x, w]) {
    const [height, width, to, from] = w.shape;
    return {
      type: 'ConvTranspose',
      inputs: [first(x.shape)],
      constants: [weights([from, to, height, width])],
      attributes: [...window([height, width], strides), ints('output_padding', [1, 1])],
    };
  },
  maxPool: ({ size, strides }, [x]) => ({
    type: 'MaxPool',
    inputs: [first(x.shape)],
    attributes: window([size, size], strides),
  }),
  avgPool: ({ size, strides }, [x]) => ({
    type: 'AveragePool',
    inputs: [first(x.shape)],
    attributes: window([size, size], strides).filter((_, i) => i !== 2),
  }),
  layerNorm: (_params, [x]) => ({
    type: 'LayerNormalization',
    opset: 17,
    inputs: [x],
    constants: [vector(x.shape[1]), vector(x.shape[1])],
  }),
  resize({ size }, [x]) {
    const { shape } = first(x.shape);
    const sizes = { dtype: 'int64', shape: [4], values: [shape[0], shape[1], ...size] };
    const none = { shape: [0], values: new Float32Array(0) };
    return {
      type: 'Resize',
      inputs: [{ shape }],
      constants: [none, none, sizes],
      attributes: [string('mode', 'linear')],
    };
  },
});

/** The task 'op'. @param ort the onnxruntime module @param create makes a session of a model's bytes */
export function opTask(ort, create) {
  return async ({ op, inputs, params }) => {
    const describe = ops[op];
    if (!describe) throw new Error(`it has no op '${op}'`);
    const described = describe(params, inputs);
    const specs = described.inputs ?? inputs;
    const session = await create(opModel(described, specs));
    const feeds = Object.fromEntries(
      specs.map((spec, i) => [
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
