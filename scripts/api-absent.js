/** Names of TensorFlow.js that are absent on purpose, with the reason. A key that ends in .* stands for a whole namespace. */

const kernels =
  "kernels of TensorFlow.js write into its own backends' buffers; here an op is a row of the table that a compiler lowers. `registerKernel` takes a function of tensors instead";
const helpers =
  'helpers for authors of TensorFlow.js kernels; what a compiler needs of it is in `src/ops` and `src/compiler`';
const gpu = 'hands out textures of the WebGL and WebGPU backends of TensorFlow.js';

/** @type {Record<string, string>} */
export const absent = {
  'tf.DataStorage': kernels,
  'tf.KernelBackend': kernels,
  'tf.backend_util.*': helpers,
  'tf.kernel_impls.*': helpers,
  'tf.slice_util.*': helpers,
  'tf.gather_util.*': helpers,
  'tf.scatter_util.*': helpers,
  'Tensor.dataToGPU': gpu,
  'tf.test_util.createVideoElement': 'plays a video file of its test suite',
  'tf.test_util.play': 'plays a video file of its test suite',

  'tf.OptimizerConstructors': 'the class that `tf.train` is made of; use `tf.train`',
};
