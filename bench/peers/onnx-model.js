/**
 * Writes ONNX models by hand: the few protobuf messages that a MatMul and the main job's network need. Field numbers are
 * those of onnx.proto3. Weights are noise of a sensible scale: time does not depend on what the network knows.
 */
import { noise } from './protocol.js';

/** @param {number} n @returns {Uint8Array} C[n,n] = A[n,n] x B[n,n] */
export function matMulModel(n) {
  return model({
    inputs: [valueInfo('a', [n, n]), valueInfo('b', [n, n])],
    outputs: [valueInfo('c', [n, n])],
    nodes: [node('MatMul', ['a', 'b'], ['c'])],
    initializers: [],
  });
}

/** The network of the main job, NCHW, as exporters write it. @param {number} batch @returns {Uint8Array} */
export function cnnModel(batch) {
  const initializers = [];
  const weight = (name, ...shape) => {
    const fanIn = shape.length === 4 ? shape[1] * 9 : shape[0];
    const values = noise(
      shape.reduce((a, b) => a * b, 1),
      initializers.length + 1,
    );
    const scale = Math.sqrt(6 / fanIn) / 2;
    initializers.push(
      tensor(
        name,
        shape,
        values.map((v) => v * scale),
      ),
    );
    return name;
  };
  const nodes = [];
  let last = 'x';
  const add = (type, inputs = [], attributes = []) => {
    const output = `${type}${nodes.length}`;
    nodes.push(node(type, [last, ...inputs], [output], attributes));
    last = output;
  };
  const conv = (from, to) => {
    const inputs = [weight(`w${nodes.length}`, to, from, 3, 3), weight(`b${nodes.length}`, to)];
    add('Conv', inputs, [ints('kernel_shape', [3, 3])]);
    add('Relu');
  };
  const pool = () => add('MaxPool', [], [ints('kernel_shape', [2, 2]), ints('strides', [2, 2])]);
  conv(1, 32);
  pool();
  conv(32, 64);
  pool();
  conv(64, 64);
  add('Flatten');
  add('Gemm', [weight('w-dense1', 576, 64), weight('b-dense1', 64)]);
  add('Relu');
  add('Gemm', [weight('w-dense2', 64, 10), weight('b-dense2', 10)]);
  add('Softmax', [], [int('axis', 1)]);
  return model({
    inputs: [valueInfo('x', [batch, 1, 28, 28])],
    outputs: [valueInfo(last, [batch, 10])],
    nodes,
    initializers,
  });
}

/**
 * A model of one node: inputs x0, x1, ... of the given shapes, then the constants.
 * @returns {Uint8Array}
 */
export function opModel({ type, attributes = [], constants = [], outputs = 1, output = 'float32', opset }, inputs) {
  const names = inputs.map((_, i) => `x${i}`);
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  return model({
    inputs: inputs.map((spec, i) => valueInfo(names[i], spec.shape, spec.below ? 'int32' : 'float32')),
    // The shape of an output is inferred; a second one is made of indices.
    outputs: results.map((name, i) => typeInfo(name, i === 0 ? output : 'int64')),
    nodes: [node(type, [...names, ...constants.map((_, i) => `c${i}`)], results, attributes)],
    initializers: constants.map(({ shape, values, dtype }, i) =>
      dtype === 'int64'
        ? tensor(`c${i}`, shape, BigInt64Array.from(values, BigInt), dtype)
        : tensor(`c${i}`, shape, values),
    ),
    opset,
  });
}

export function model({ inputs, outputs, nodes, initializers, opset: version = 13 }) {
  const graph = [
    ...nodes.map((bytes) => field(1, bytes)),
    field(2, text('bench')),
    ...initializers.map((bytes) => field(5, bytes)),
    ...inputs.map((bytes) => field(11, bytes)),
    ...outputs.map((bytes) => field(12, bytes)),
  ];
  const opset = join([field(1, text('')), number(2, version)]);
  return join([number(1, 8), field(7, join(graph)), field(8, opset)]);
}

export function node(type, inputs, outputs, attributes = []) {
  return join([
    ...inputs.map((name) => field(1, text(name))),
    ...outputs.map((name) => field(2, text(name))),
    field(4, text(type)),
    ...attributes.map((bytes) => field(5, bytes)),
  ]);
}

export const ints = (name, values) => join([field(1, text(name)), ...values.map((v) => number(8, v)), number(20, 7)]);
export const string = (name, value) => join([field(1, text(name)), field(4, text(value)), number(20, 3)]);
export const int = (name, value) => join([field(1, text(name)), number(3, value), number(20, 2)]);

/** Numbers of onnx.TensorProto.DataType. */
const dataTypes = { float32: 1, int32: 6, int64: 7 };

export function tensor(name, shape, values, dtype = 'float32') {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return join([
    ...shape.map((size) => number(1, size)),
    number(2, dataTypes[dtype]),
    field(8, text(name)),
    field(9, raw),
  ]);
}

/** A value whose shape is left to inference. */
function typeInfo(name, dtype) {
  return join([field(1, text(name)), field(2, field(1, number(1, dataTypes[dtype])))]);
}

export function valueInfo(name, shape, dtype = 'float32') {
  const dims = join(shape.map((size) => field(1, number(1, size))));
  const tensorType = join([number(1, dataTypes[dtype]), field(2, dims)]);
  return join([field(1, text(name)), field(2, field(1, tensorType))]);
}

/** A varint field. */
function number(id, value) {
  return Uint8Array.from([...varint(id << 3), ...varint(value)]);
}

/** A length-delimited field. */
function field(id, bytes) {
  return join([Uint8Array.from([...varint((id << 3) | 2), ...varint(bytes.length)]), bytes]);
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
  return bytes;
}

const text = (string) => new TextEncoder().encode(string);
const join = (parts) => new Uint8Array(Buffer.concat(parts));
