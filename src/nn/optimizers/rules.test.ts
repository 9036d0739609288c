/** Optimizers that TensorFlow.js lacks, and what all can do, against their rules written out in plain numbers. */
import { describe, expect, test } from 'vitest';
import '../../../test/values.ts';
import { jit, type Scalar, type Tensor, tensor, variable } from '../../tensor/index.ts';
import { deserializeOptimizer, train } from './index.ts';
import { orthogonalized } from './muon.ts';
import type { Optimizer } from './optimizer.ts';
import type { LearningRateSchedule } from './schedules.ts';

const start = [1, -2, 0.5, 3];
const scales = [1, 0.1, 4, 0.5];
const gradient = (w: readonly number[]) => w.map((x, i) => 2 * scales[i] * x);

/** Steps of an optimizer on sum scales w^2, in one compiled program. */
function path(optimizer: Optimizer, steps: number, name?: string): number[][] {
  const w = variable(tensor(start), true, name);
  const step = jit((factors: Tensor) => optimizer.minimize(() => w.square().mul(factors).sum() as Scalar, true, [w])!);
  const out: number[][] = [];
  for (let i = 0; i < steps; i++) {
    step(tensor(scales)).dispose();
    out.push([...w.dataSync()]);
  }
  expect(step.traces).toBe(1);
  w.dispose();
  return out;
}

/** The same with a rule for all elements: state in, state out. */
function ruled(rule: (w: number[], g: number[], t: number) => number[], steps: number): number[][] {
  const out: number[][] = [];
  let w = [...start];
  for (let t = 1; t <= steps; t++) out.push((w = rule(w, gradient(w), t)));
  return out;
}

function expectPath(got: number[][], want: number[][], tolerance = 1e-4): void {
  expect(got.length).toBe(want.length);
  want.forEach((values, step) => {
    values.forEach((value, i) => {
      const error = Math.abs(got[step][i] - value) / (1 + Math.abs(value));
      expect(error, `step ${step}, value ${i}: ${got[step][i]}, not ${value}`).toBeLessThan(tolerance);
    });
  });
}

const length = (x: readonly number[]) => Math.hypot(...x);

describe('rules', () => {
  test('adamw, and adam with amsgrad', () => {
    const m = [0, 0, 0, 0];
    const v = [0, 0, 0, 0];
    const rule = (decay: number) => (w: number[], g: number[], t: number) =>
      w.map((x, i) => {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2;
        const step = m[i] / (1 - 0.9 ** t) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-7);
        return x - 0.1 * decay * x - 0.1 * step;
      });
    expectPath(path(train.adamw({ learningRate: 0.1, weightDecay: 0.05 }), 5), ruled(rule(0.05), 5));
    const state = { m: [0, 0, 0, 0], v: [0, 0, 0, 0], top: [0, 0, 0, 0] };
    const amsgrad = ruled(
      (w, g, t) =>
        w.map((x, i) => {
          state.m[i] = 0.9 * state.m[i] + 0.1 * g[i];
          state.v[i] = 0.5 * state.v[i] + 0.5 * g[i] ** 2;
          state.top[i] = Math.max(state.top[i], state.v[i] / (1 - 0.5 ** t));
          return x - (0.3 * (state.m[i] / (1 - 0.9 ** t))) / (Math.sqrt(state.top[i]) + 1e-7);
        }),
      8,
    );
    expectPath(path(train.adam({ learningRate: 0.3, beta2: 0.5, amsgrad: true }), 8), amsgrad);
  });

  test('nadam', () => {
    const [m, v] = [
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ];
    let product = 1;
    const u = (t: number) => 0.9 * (1 - 0.5 * 0.96 ** t);
    const want = ruled((w, g, t) => {
      product *= u(t);
      return w.map((x, i) => {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2;
        const mean = (u(t + 1) * m[i]) / (1 - product * u(t + 1)) + ((1 - u(t)) * g[i]) / (1 - product);
        return x - (0.1 * mean) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-7);
      });
    }, 5);
    expectPath(path(train.nadam({ learningRate: 0.1 }), 5), want);
  });

  test('ftrl', () => {
    const [n, z] = [
      [0.1, 0.1, 0.1, 0.1],
      [0, 0, 0, 0],
    ];
    const want = ruled(
      (w, g) =>
        w.map((x, i) => {
          const next = n[i] + g[i] ** 2;
          z[i] += g[i] - ((Math.sqrt(next) - Math.sqrt(n[i])) / 0.5) * x;
          n[i] = next;
          const clipped = Math.min(0.1, Math.max(-0.1, z[i]));
          return (clipped - z[i]) / (Math.sqrt(next) / 0.5 + 2 * 0.01);
        }),
      5,
    );
    const args = { learningRate: 0.5, l1RegularizationStrength: 0.1, l2RegularizationStrength: 0.01 };
    expectPath(path(train.ftrl(args), 5), want);
  });

  test('lion', () => {
    const m = [0, 0, 0, 0];
    const want = ruled(
      (w, g) =>
        w.map((x, i) => {
          const direction = Math.sign(0.9 * m[i] + 0.1 * g[i]);
          m[i] = 0.99 * m[i] + 0.01 * g[i];
          return x - 0.1 * direction;
        }),
      5,
    );
    expectPath(path(train.lion({ learningRate: 0.1 }), 5), want);
  });

  test('lamb', () => {
    const [m, v] = [
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ];
    const want = ruled((w, g, t) => {
      const step = w.map((_, i) => {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2;
        return m[i] / (1 - 0.9 ** t) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-7);
      });
      const ratio = length(w) / length(step);
      return w.map((x, i) => x - 0.1 * ratio * step[i]);
    }, 5);
    expectPath(path(train.lamb({ learningRate: 0.1 }), 5), want);
  });

  test('adafactor, of a vector and of a matrix', () => {
    const v = [0, 0, 0, 0];
    const want = ruled((w, g, t) => {
      const beta = 1 - t ** -0.8;
      const step = w.map((_, i) => {
        v[i] = beta * v[i] + (1 - beta) * (g[i] ** 2 + 1e-30);
        return g[i] / Math.sqrt(v[i]);
      });
      const size = length(step) / 2;
      const rate = Math.min(0.1, 1 / Math.sqrt(t)) * Math.max(1e-3, length(w) / 2);
      return w.map((x, i) => x - (rate * step[i]) / Math.max(1, size));
    }, 5);
    expectPath(path(train.adafactor({ learningRate: 0.1 }), 5), want);
    const w = variable(tensor([1, 2, 3, 4, 5, 6], [2, 3]));
    const optimizer = train.adafactor({ learningRate: 0.1 });
    optimizer.minimize(() => w.square().sum() as Scalar, false, [w]);
    // In the first step the moments are the squares' means: rows and columns of (2 w)^2.
    const g = [2, 4, 6, 8, 10, 12];
    const rows = [0, 1].map((i) => (g[3 * i] ** 2 + g[3 * i + 1] ** 2 + g[3 * i + 2] ** 2) / 3);
    const columns = [0, 1, 2].map((j) => (g[j] ** 2 + g[3 + j] ** 2) / 2);
    const mean = (rows[0] + rows[1]) / 2;
    const step = g.map((x, k) => x / Math.sqrt((rows[Math.floor(k / 3)] / mean) * columns[k % 3]));
    const rms = length(step) / Math.sqrt(6);
    const rate = 0.1 * (length([1, 2, 3, 4, 5, 6]) / Math.sqrt(6));
    w.dataSync().forEach((x, k) => {
      expect(x).toBeCloseTo(k + 1 - (rate * step[k]) / Math.max(1, rms), 4);
    });
  });

  test('muon: singular values near one, and vectors as AdamW', () => {
    const x = tensor([3, 1, 2, -1, 0.5, 4], [2, 3]);
    const y = orthogonalized(x, 5);
    const gram = y.matMul(y, false, true).arraySync() as number[][];
    // The coefficients bring singular values into [0.68, 1.13].
    const [trace, determinant] = [gram[0][0] + gram[1][1], gram[0][0] * gram[1][1] - gram[0][1] * gram[1][0]];
    for (const sign of [1, -1]) {
      const singular = Math.sqrt((trace + sign * Math.sqrt(trace ** 2 - 4 * determinant)) / 2);
      expect(singular).toBeGreaterThan(0.65);
      expect(singular).toBeLessThan(1.2);
    }
    const [w, u] = [variable(tensor([1, 2, 3, 4], [2, 2])), variable(tensor([1, -2]))];
    const optimizer = train.muon({ learningRate: 0.1, adamRateRatio: 0.5 });
    optimizer.minimize(() => w.square().sum().add(u.square().sum()) as Scalar, false, [w, u]);
    const step = orthogonalized(tensor([2, 4, 6, 8], [2, 2]), 5).dataSync();
    w.dataSync().forEach((value, i) => {
      expect(value).toBeCloseTo(i + 1 - 0.1 * step[i], 4);
    });
    expect([...u.dataSync()]).toEqual([expect.closeTo(1 - 0.05, 4), expect.closeTo(-2 + 0.05, 4)]);
  });
});

describe('options', () => {
  test('clipping', () => {
    const sgd = (w: number[], g: number[]) => w.map((x, i) => x - 0.1 * g[i]);
    const clip = ruled(
      (w, g) =>
        sgd(
          w,
          g.map((x) => Math.max(-1, Math.min(1, x))),
        ),
      3,
    );
    expectPath(path(train.sgd({ learningRate: 0.1, clipvalue: 1 }), 3), clip);
    const norm = ruled(
      (w, g) =>
        sgd(
          w,
          g.map((x) => x / Math.max(1, length(g) / 2)),
        ),
      3,
    );
    expectPath(path(train.sgd({ learningRate: 0.1, clipnorm: 2 }), 3), norm);
    expectPath(path(train.sgd({ learningRate: 0.1, globalClipnorm: 2 }), 3), norm);
    const [a, b] = [variable(tensor([3])), variable(tensor([4]))];
    train.sgd({ learningRate: 1, globalClipnorm: 1 }).minimize(() => a.add(b).sum().mul(5) as Scalar, false, [a, b]);
    expect(a.dataSync()[0]).toBeCloseTo(3 - Math.SQRT1_2, 5);
    expect(() => train.sgd({ clipnorm: 1, clipvalue: 1 })).toThrow(
      /only one of clipvalue, clipnorm and globalClipnorm/,
    );
    expect(() => train.adam({ clipnorm: -1 })).toThrow(/\[Adam\] clipnorm must be positive; got -1/);
  });

  test('weight decay leaves out what it is told to', () => {
    const decayed = ruled((w, g) => w.map((x, i) => x - 0.1 * 0.5 * x - 0.1 * g[i]), 3);
    const plain = ruled((w, g) => w.map((x, i) => x - 0.1 * g[i]), 3);
    const make = () => train.sgd({ learningRate: 0.1, weightDecay: 0.5, excludeFromWeightDecay: ['bias'] });
    expectPath(path(make(), 3, 'kernel_a'), decayed);
    expectPath(path(make(), 3, 'bias_a'), plain);
  });

  test('moving averages, kept and written back', () => {
    const w = variable(tensor([1]));
    const optimizer = train.sgd({ learningRate: 0.25, useEma: true, emaMomentum: 0.5 });
    let [x, ema] = [1, 1];
    for (let i = 0; i < 4; i++) {
      optimizer.minimize(() => w.square().sum() as Scalar, false, [w]);
      x -= 0.25 * 2 * x;
      ema = 0.5 * ema + 0.5 * x;
    }
    expect(w.dataSync()[0]).toBeCloseTo(x, 6);
    optimizer.swapEma([w]);
    expect(w.dataSync()[0]).toBeCloseTo(ema, 6);
    optimizer.swapEma([w]);
    expect(w.dataSync()[0]).toBeCloseTo(x, 6);
    const overwriting = train.sgd({ learningRate: 0.25, useEma: true, emaMomentum: 0.5, emaOverwriteFrequency: 2 });
    const v = variable(tensor([1]));
    for (let i = 0; i < 2; i++) overwriting.minimize(() => v.square().sum() as Scalar, false, [v]);
    // 0.5, 0.25; averages 0.75, 0.5.
    expect(v.dataSync()[0]).toBeCloseTo(0.5, 6);
  });

  test('gradients accumulate: the weights move every third step, by the mean', () => {
    const got = path(train.momentum({ learningRate: 0.1, momentum: 0.9, gradientAccumulationSteps: 3 }), 6);
    const a = [0, 0, 0, 0];
    const two = ruled(
      (w, g) =>
        w.map((x, i) => {
          a[i] = 0.9 * a[i] + g[i];
          return x - 0.1 * a[i];
        }),
      2,
    );
    expectPath(got, [start, start, two[0], two[0], two[0], two[1]]);
  });
});

describe('schedules', () => {
  const s = train.schedules;
  const at = (schedule: LearningRateSchedule, steps: number[]) => {
    const run = jit((step: Tensor) => schedule.at(step));
    return steps.map((step) => run(tensor(step)).dataSync()[0]);
  };
  const cases: [string, LearningRateSchedule, (t: number) => number][] = [
    ['constant', s.constant(0.3), () => 0.3],
    [
      'exponential',
      s.exponentialDecay({ initialLearningRate: 2, decaySteps: 10, decayRate: 0.5 }),
      (t) => 2 * 0.5 ** (t / 10),
    ],
    [
      'exponential stairs',
      s.exponentialDecay({ initialLearningRate: 2, decaySteps: 10, decayRate: 0.5, staircase: true }),
      (t) => 2 * 0.5 ** Math.floor(t / 10),
    ],
    [
      'inverse time',
      s.inverseTimeDecay({ initialLearningRate: 2, decaySteps: 10, decayRate: 0.5 }),
      (t) => 2 / (1 + (0.5 * t) / 10),
    ],
    [
      'polynomial',
      s.polynomialDecay({ initialLearningRate: 2, decaySteps: 20, endLearningRate: 0.5, power: 2 }),
      (t) => 1.5 * (1 - Math.min(t, 20) / 20) ** 2 + 0.5,
    ],
    [
      'cosine',
      s.cosineDecay({ initialLearningRate: 2, decaySteps: 20, alpha: 0.1 }),
      (t) => 2 * (0.45 * (1 + Math.cos((Math.PI * Math.min(t, 20)) / 20)) + 0.1),
    ],
    [
      'cosine with warm-up',
      s.cosineDecay({ initialLearningRate: 0, decaySteps: 20, warmupSteps: 5, warmupTarget: 2 }),
      (t) => (t < 5 ? (2 * t) / 5 : 1 + Math.cos((Math.PI * Math.min(t - 5, 20)) / 20)),
    ],
    [
      'piecewise',
      s.piecewiseConstantDecay({ boundaries: [5, 15], values: [3, 2, 1] }),
      (t) => (t <= 5 ? 3 : t <= 15 ? 2 : 1),
    ],
    ['warm-up', s.warmup({ warmupSteps: 10, after: 2 }), (t) => 2 * Math.min(1, (t + 1) / 10)],
    [
      'cosine restarts',
      s.cosineDecayRestarts({ initialLearningRate: 2, firstDecaySteps: 10, mMul: 0.5 }),
      (t) => {
        let [from, period, top] = [0, 10, 2];
        while (t >= from + period) [from, period, top] = [from + period, period * 2, top / 2];
        return (top / 2) * (1 + Math.cos((Math.PI * (t - from)) / period));
      },
    ],
    [
      'cosine restarts of one length',
      s.cosineDecayRestarts({ initialLearningRate: 2, firstDecaySteps: 10, tMul: 1 }),
      (t) => 1 + Math.cos((Math.PI * (t % 10)) / 10),
    ],
  ];
  test.each(cases)('%s', (_, schedule, want) => {
    const steps = [0, 1, 4, 5, 6, 9, 11, 15, 16, 19, 25, 30, 47];
    at(schedule, steps).forEach((value, i) => {
      expect(value, `step ${steps[i]}`).toBeCloseTo(want(steps[i]), 3);
    });
  });

  test('drive an optimizer without a new program, and come back from a config', () => {
    const schedule = s.exponentialDecay({ initialLearningRate: 0.1, decaySteps: 1, decayRate: 0.5 });
    const optimizer = train.sgd(schedule);
    const want = ruled((w, g, t) => w.map((x, i) => x - 0.1 * 0.5 ** (t - 1) * g[i]), 4);
    expectPath(path(optimizer, 4), want);
    expect(optimizer.learningRate).toBeCloseTo(0.1 * 0.5 ** 4, 6);
    expect(() => {
      optimizer.learningRate = 1;
    }).toThrow(/must not be set where a schedule gives it/);
    const again = deserializeOptimizer('test', {
      className: 'SGD',
      config: JSON.parse(JSON.stringify(optimizer.getConfig())),
    });
    expect(again.getConfig()).toEqual(optimizer.getConfig());
  });
});

test('every optimizer comes back from its config', () => {
  const made: Optimizer[] = Object.entries(train)
    .filter(([name]) => name !== 'schedules')
    .map(([, make]) => (make as (args: object) => Optimizer)({ learningRate: 0.125, clipnorm: 2, useEma: true }));
  for (const optimizer of made) {
    const config = JSON.parse(JSON.stringify(optimizer.getConfig()));
    const again = deserializeOptimizer('test', { className: optimizer.getClassName(), config });
    expect(again.getConfig()).toEqual(config);
    expect(again.learningRate).toBe(0.125);
  }
  expect(made).toHaveLength(14);
});
