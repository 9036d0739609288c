/**
 * ResNet-50 as an ONNX model, NCHW, as exporters write it for inference: batch normalization is folded into the weights
 * and biases of the convolutions. Shapes and strides are those of tf.applications.ResNet50.
 */
import { ints, int, model, node, tensor, valueInfo } from './onnx-model.js';
import { noise } from './protocol.js';

/** @param {number} batch @param {number} side @returns {Uint8Array} */
export function resnet50Model(batch, side) {
  const nodes = [];
  const initializers = [];
  const weight = (shape, fanIn) => {
    const name = `w${initializers.length}`;
    const count = shape.reduce((a, b) => a * b, 1);
    const scale = Math.sqrt(3 / fanIn);
    const values = noise(count, initializers.length + 1).map((v) => v * scale);
    initializers.push(tensor(name, shape, values));
    return name;
  };
  const add = (type, inputs, attributes = []) => {
    const output = `${type}${nodes.length}`;
    nodes.push(node(type, inputs, [output], attributes));
    return output;
  };
  const conv = (x, from, to, size, stride) => {
    const fanIn = from * size * size;
    const pad = size >> 1;
    return add(
      'Conv',
      [x, weight([to, from, size, size], fanIn), weight([to], fanIn)],
      [ints('kernel_shape', [size, size]), ints('strides', [stride, stride]), ints('pads', [pad, pad, pad, pad])],
    );
  };
  const relu = (x) => add('Relu', [x]);

  let x = relu(conv('x', 3, 64, 7, 2));
  x = add('MaxPool', [x], [ints('kernel_shape', [3, 3]), ints('strides', [2, 2]), ints('pads', [1, 1, 1, 1])]);
  let channels = 64;
  [3, 4, 6, 3].forEach((depth, stage) => {
    const narrow = 64 * 2 ** stage;
    for (let i = 0; i < depth; i++) {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const shortcut = i === 0 ? conv(x, channels, 4 * narrow, 1, stride) : x;
      const inner = relu(conv(relu(conv(x, channels, narrow, 1, stride)), narrow, narrow, 3, 1));
      x = relu(add('Add', [shortcut, conv(inner, narrow, 4 * narrow, 1, 1)]));
      channels = 4 * narrow;
    }
  });
  x = add('Flatten', [add('GlobalAveragePool', [x])]);
  x = add('Gemm', [x, weight([2048, 1000], 2048), weight([1000], 2048)]);
  x = add('Softmax', [x], [int('axis', 1)]);
  return model({
    inputs: [valueInfo('x', [batch, 3, side, side])],
    outputs: [valueInfo(x, [batch, 1000])],
    nodes,
    initializers,
  });
}
