/** The ONNX Runtime peer: inference and GEMM with its CPU provider. */
import { cnnModel, matMulModel } from './onnx-model.js';
import { resnet50Model } from './onnx-resnet.js';
import { opTask } from './ops-onnx.js';
import { consume, noise, serve } from './protocol.js';

const intraOpNumThreads = Number(process.env.BENCH_THREADS ?? 2);

await serve(async () => {
  const { default: ort } = await import('onnxruntime-node');
  const create = (bytes) =>
    ort.InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
    });
  const input = (shape, seed) =>
    new ort.Tensor(
      'float32',
      noise(
        shape.reduce((a, b) => a * b, 1),
        seed,
      ),
      shape,
    );
  return {
    versions: `ONNX Runtime ${ort.env.versions.node ?? ort.env.versions.common}`,
    tasks: {
      gemm: async ({ n }) => {
        const session = await create(matMulModel(n));
        const feeds = { a: input([n, n], 1), b: input([n, n], 2) };
        return async () => consume((await session.run(feeds)).c.data[0]);
      },
      op: opTask(ort, create),
      'cnn-infer': async ({ batch = 64 }) => {
        const session = await create(cnnModel(batch));
        const feeds = { x: input([batch, 1, 28, 28], 1) };
        const [output] = session.outputNames;
        return async () => consume((await session.run(feeds))[output].data[0]);
      },
      'resnet50-infer': async ({ batch = 1 }) => {
        const session = await create(resnet50Model(batch, 224));
        const feeds = { x: input([batch, 3, 224, 224], 1) };
        const [output] = session.outputNames;
        return async () => consume((await session.run(feeds))[output].data[0]);
      },
    },
  };
});
