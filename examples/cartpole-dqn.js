/** Deep Q-learning (Mnih et al. 2015), with the double estimate of van Hasselt et al. 2016: a pole kept upright. */
import * as tf from 'tensorloom';
import { Carts, mostSteps } from './lib/cartpole.js';
import { imageGrid } from './lib/grid.js';
import { example } from './lib/options.js';
import { randomNumbers } from './lib/random.js';

export default example({
  about: 'CartPole-v0 by double Q-learning: 195 of 200 steps on average over 100 new episodes',
  options: {
    rounds: { value: 10_000, quick: 600, about: 'rounds at most: a push of every cart, and a training step' },
    carts: { value: 8, about: 'carts that are tried at once' },
    batch: { value: 128, quick: 64, about: 'pushes in a training step' },
    memory: { value: 50_000, about: 'pushes that are remembered' },
    discount: { value: 0.99, about: 'what a step in the next one is worth' },
  },
  async run(job) {
    const { rounds, carts } = job.options;
    const random = randomNumbers(job.seed);
    const learner = new Learner(job, random);
    const world = new Carts(carts, random);
    const progress = job.progress('learning', rounds, 'rounds');
    const lengths = [];
    const looks = [];
    let best = -1;
    for (let round = 0; round < rounds; round++) {
      // Anything at first, and then ever less.
      const curious = Math.max(0.02, 1 - round / (rounds * 0.1));
      const actions = learner
        .actions(world.states)
        .map((action) => (random() < curious ? Number(random() < 0.5) : action));
      for (const outcome of world.step(actions)) {
        learner.remember(outcome);
        if (outcome.steps !== null) lengths.push(outcome.steps);
      }
      learner.learn();
      progress.step({ steps: mean(lengths.slice(-20)) });
      if (round % Math.ceil(rounds / 30) !== Math.ceil(rounds / 30) - 1) continue;
      const look = mean(tried(learner, 20, randomNumbers(job.seed + 1)));
      looks.push(look);
      if (look > best) {
        best = look;
        learner.keep();
      }
      if (look === mostSteps) break;
    }
    progress.end({ episodes: lengths.length });
    learner.takeBest();
    job.writeCurves(
      'steps.svg',
      { 'pushed curiously': averages(lengths, 50) },
      { title: 'steps upright', x: 'episodes / 50' },
    );
    job.writeCurves('looks.svg', { 'twenty episodes': looks }, { title: 'steps upright, as it knows best', x: 'look' });
    job.writePicture('choices.png', choices(learner));
    await job.saveModel(learner.model);
    const final = tried(learner, 100, randomNumbers(job.seed + 2));
    job.write('episodes.txt', `steps of the 100 episodes: ${final.join(' ')}\n`);
    job.log();
    job.check('steps upright, mean of 100 new episodes', mean(final), { atLeast: 195, quick: 25, digits: 1 });
  },
});

/** Two nets that say what each push is worth, and the pushes that they learn from. */
class Learner {
  constructor(job, random) {
    const { rounds, batch, memory, discount } = job.options;
    this.random = random;
    this.batch = batch;
    this.model = network();
    /** A net that follows slowly, which what comes after is judged by. */
    this.judge = network();
    this.judge.setWeights(this.model.getWeights());
    this.best = this.model.getWeights().map((weight) => weight.clone());
    /** In a row of ten: the state, the push, whether it ended, the state after. */
    this.rows = new Float32Array(memory * 10);
    this.count = 0;
    const learningRate = tf.train.schedules.cosineDecay({ initialLearningRate: 1e-3, decaySteps: rounds, alpha: 0.05 });
    const optimizer = tf.train.adam({ learningRate, globalClipnorm: 10 });
    const [ahead, behind] = [this.model.getWeights(), this.judge.getWeights()];
    this.#step = tf.jit((rows) => {
      const [before, action, over, after] = tf.split(rows, [4, 1, 1, 4], 1);
      const chosen = tf.oneHot(this.model.apply(after).argMax(-1), 2);
      const later = this.judge.apply(after).mul(chosen).sum(-1, true);
      const target = tf.stopGradient(later.mul(over.neg().add(1)).mul(discount).add(1));
      const taken = tf.oneHot(action.flatten().toInt(), 2);
      const loss = optimizer.minimize(() => {
        const worth = this.model.apply(before).mul(taken).sum(-1, true);
        return tf.losses.huberLoss(target, worth);
      }, true);
      behind.forEach((weight, i) => weight.assign(weight.mul(0.99).add(ahead[i].mul(0.01))));
      return loss;
    });
    this.#choose = tf.jit((states) => this.model.apply(states).argMax(-1));
  }
  #step;
  #choose;

  /** The push that is worth most in each state: 0 or 1. @param {number[][]} states */
  actions(states) {
    return [...tf.tidy(() => this.#choose(scaled(states)).dataSync())];
  }

  remember({ before, action, after, over }) {
    const at = this.count++ % (this.rows.length / 10);
    this.rows.set([...seen(before), action, over ? 1 : 0, ...seen(after)], at * 10);
  }

  /** A step on pushes from memory. */
  learn() {
    const { batch, count, rows } = this;
    if (count < 4 * batch) return;
    const picked = new Float32Array(batch * 10);
    for (let i = 0; i < batch; i++) {
      const at = Math.floor(this.random() * Math.min(count, rows.length / 10)) * 10;
      picked.set(rows.subarray(at, at + 10), i * 10);
    }
    const x = tf.tensor2d(picked, [batch, 10]);
    tf.dispose([this.#step(x), x]);
  }

  keep() {
    tf.dispose(this.best);
    this.best = this.model.getWeights().map((weight) => weight.clone());
  }
  takeBest() {
    this.model.setWeights(this.best);
  }
}

/** From a state as `seen` gives it to what a push to the left is worth, and one to the right. */
function network() {
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 64, activation: 'relu', inputShape: [4] }),
      tf.layers.dense({ units: 64, activation: 'relu' }),
      tf.layers.dense({ units: 2 }),
    ],
  });
}

/** A state's numbers, each about as large as the others. @param {number[]} state */
function seen([x, speed, angle, turning]) {
  return [x / 2, speed / 2, angle * 5, turning / 2];
}

/** @param {number[][]} states */
function scaled(states) {
  return tf.tensor2d(states.flatMap(seen), [states.length, 4]);
}

/** Steps of so many episodes, side by side, without curiosity. @param {Learner} learner @param {number} count @param {() => number} random */
function tried(learner, count, random) {
  const world = new Carts(count, random);
  const lengths = new Array(count).fill(0);
  for (let step = 0; step < mostSteps && lengths.includes(0); step++) {
    world.step(learner.actions(world.states)).forEach(({ steps }, i) => {
      if (steps !== null && lengths[i] === 0) lengths[i] = steps;
    });
  }
  return lengths;
}

/** What it does with the cart at rest in the middle: across, the angle from -12 to 12 degrees; down, how fast it leans further. */
function choices(learner) {
  const side = 61;
  const states = [];
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      states.push([0, 0, (column / (side - 1) - 0.5) * 0.42, (row / (side - 1) - 0.5) * 4]);
    }
  }
  const values = tf.tidy(() => {
    const worth = learner.model.predict(scaled(states), { batchSize: states.length });
    return tf
      .sub(worth.slice([0, 1], [-1, 1]), worth.slice([0, 0], [-1, 1]))
      .tanh()
      .dataSync();
  });
  return imageGrid(values, { height: side, width: side, columns: 1, range: [-1, 1], zoom: 5 });
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
}

/** Means of stretches. @param {number[]} values @param {number} length */
function averages(values, length) {
  return Array.from({ length: Math.ceil(values.length / length) }, (_, i) =>
    mean(values.slice(i * length, (i + 1) * length)),
  );
}
