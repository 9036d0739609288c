/**
 * Noughts and crosses learnt from games against oneself: a net says what a position is worth to whoever has just moved, and it is
 * worth to them the opposite of the best that the other can answer.
 */
import * as tf from 'tensorloom';
import { example } from './lib/options.js';
import { randomNumbers } from './lib/random.js';
import { answersOf, movesOf, play, resultOf, show, startBoard } from './lib/tictactoe.js';

export default example({
  about: 'noughts and crosses by self-play: loses in no line of play against a perfect player, first or second',
  options: {
    steps: { value: 3000, quick: 150, about: 'training steps' },
    batch: { value: 256, about: 'positions in a step' },
    games: { value: 4, quick: 3, about: 'games against itself before each step' },
    units: { value: 128, quick: 64, about: 'size of the two layers' },
  },
  async run(job) {
    const player = new Player(job);
    const progress = job.progress('learning', job.options.steps);
    const lost = [];
    const errors = [];
    const looks = Math.min(job.quick ? 5 : 20, job.options.steps);
    for (let step = 0; step < job.options.steps; step++) {
      for (let game = 0; game < job.options.games; game++) player.playItself();
      const error = player.learn(step);
      if (step % 10 === 9) progress.step({ error: error.dataSync()[0], positions: player.positions.length }, 10);
      if ((step + 1) % Math.ceil(job.options.steps / looks) === 0) {
        errors.push(error.dataSync()[0]);
        const { lines, lost: losses } = matches(player, true);
        lost.push((100 * losses) / lines);
      }
      error.dispose();
    }
    progress.end({ positions: player.positions.length });
    const look = { x: 'steps', first: job.options.steps / looks, every: job.options.steps / looks };
    job.writeCurves('lost.svg', { 'lines lost in %': lost }, { title: 'against a perfect player', ...look });
    job.writeCurves('error.svg', { error: errors }, { title: 'squared error of values', ...look });
    await job.saveModel(player.model);
    job.write('games.txt', await games(player));
    job.log();
    for (const perfect of [true, false]) {
      const { lines, lost: losses, drawn, won } = matches(player, perfect);
      const who = perfect ? 'a perfect player' : 'whoever plays whatever';
      job.log(`against ${who}, first and second, ${lines} lines of play: ${won} won, ${drawn} drawn, ${losses} lost`);
      job.fact(who, { lines, won, drawn, lost: losses });
      if (perfect)
        job.check('lines lost to a perfect player', (100 * losses) / lines, { atMost: 0, quick: 85, unit: '%' });
    }
  },
});

/** A net, the positions that it has met, and how it learns from them. */
class Player {
  constructor(job) {
    const { units, steps, batch } = job.options;
    const layers = () => [
      tf.layers.dense({ units, activation: 'relu', inputShape: [18] }),
      tf.layers.dense({ units, activation: 'relu' }),
      tf.layers.dense({ units: 1, activation: 'tanh' }),
    ];
    this.model = tf.sequential({ layers: layers() });
    /** What answers are judged by: the net as it was a while ago, so that what is learnt does not run after itself. */
    this.before = tf.sequential({ layers: layers() });
    this.batch = batch;
    this.random = randomNumbers(job.seed);
    /** Positions after a move, each once, with the answers to it. */
    this.positions = [];
    this.#known = new Set();
    const learningRate = tf.train.schedules.cosineDecay({ initialLearningRate: 2e-3, decaySteps: steps });
    const optimizer = tf.train.adam({ learningRate });
    this.#step = tf.jit((boards, answers, values, kinds) => {
      const replies = this.before.apply(answers.reshape([batch * 9, 18])).reshape([batch, 9]);
      const judged = tf.where(kinds.equal(1), replies, values);
      const target = judged.max(1).neg();
      return optimizer.minimize(() => this.model.apply(boards).reshape([batch]).sub(target).square().mean(), true);
    });
    this.#values = tf.jit((boards) => this.model.apply(boards));
  }
  #known;
  #step;
  #values;

  /** What each board is worth to whoever moved last. @param {Int8Array[]} boards */
  values(boards) {
    // Nine rows always, so that there is one program.
    const x = new Float32Array(9 * 18);
    boards.forEach((board, i) => write(board, x, i * 18));
    return tf.tidy(() => this.#values(tf.tensor2d(x, [9, 18])).dataSync()).slice(0, boards.length);
  }

  /** The move that leads to what is worth most: a win where there is one. @param {Int8Array} board from the mover's side */
  best(board) {
    const moves = movesOf(board);
    const after = moves.map((move) => play(board, move));
    const values = this.values(after);
    const worth = after.map((next, i) => resultOf(next) ?? values[i]);
    return moves[worth.indexOf(Math.max(...worth))];
  }

  /** A game in which one move in five is anyone's; what comes up is remembered. */
  playItself() {
    let board = startBoard();
    while (true) {
      const moves = movesOf(board);
      const anyone = this.random() < 0.2;
      const move = anyone ? moves[Math.floor(this.random() * moves.length)] : this.best(board);
      const after = play(board, move);
      if (resultOf(after) !== null) return;
      const key = after.join();
      if (!this.#known.has(key)) {
        this.#known.add(key);
        this.positions.push({ board: after, answers: answersOf(after) });
      }
      board = after.map((square) => -square);
    }
  }

  /** One step on positions from memory: what they are worth by their answers. @param {number} step */
  learn(step) {
    if (step % 50 === 0) this.before.setWeights(this.model.getWeights());
    const { batch } = this;
    const boards = new Float32Array(batch * 18);
    const answers = new Float32Array(batch * 9 * 18);
    // An answer that ends the game is worth its result (kind 0), another what the net says (1); where there is none, nothing (0).
    const values = new Float32Array(batch * 9).fill(-2);
    const kinds = new Int32Array(batch * 9);
    for (let row = 0; row < batch; row++) {
      const position = this.positions[Math.floor(this.random() * this.positions.length)];
      write(position.board, boards, row * 18);
      position.answers.forEach(({ after, result }, i) => {
        if (result !== null) values[row * 9 + i] = result;
        else {
          kinds[row * 9 + i] = 1;
          write(after, answers, (row * 9 + i) * 18);
        }
      });
    }
    return tf.tidy(() =>
      this.#step(
        tf.tensor2d(boards, [batch, 18]),
        tf.tensor3d(answers, [batch, 9, 18]),
        tf.tensor2d(values, [batch, 9]),
        tf.tensor2d(kinds, [batch, 9], 'int32'),
      ),
    );
  }
}

/** A board as 18 numbers: one's own stones, and the other's. @param {Int8Array} board @param {Float32Array} into @param {number} at */
function write(board, into, at) {
  board.forEach((square, i) => {
    into[at + i] = square === 1 ? 1 : 0;
    into[at + 9 + i] = square === -1 ? 1 : 0;
  });
}

/**
 * Every line of play in which the player takes its best moves and the other any of theirs: any at all, or with `perfect` any of those
 * that are best by exhaustive search. Both begin once.
 */
function matches(player, perfect) {
  const count = { lines: 0, won: 0, drawn: 0, lost: 0 };
  const chosen = new Map();
  const best = (board) => {
    const key = board.join();
    if (!chosen.has(key)) chosen.set(key, player.best(board));
    return chosen.get(key);
  };
  const follow = (board, itsTurn) => {
    const moves = itsTurn ? [best(board)] : movesOf(board, perfect);
    for (const move of moves) {
      const after = play(board, move);
      const result = resultOf(after);
      if (result === null)
        follow(
          after.map((square) => -square),
          !itsTurn,
        );
      else {
        count.lines++;
        if (result === 0) count.drawn++;
        else if (itsTurn) count.won++;
        else count.lost++;
      }
    }
  };
  for (const begins of [true, false]) follow(startBoard(), begins);
  return count;
}

/** What the player thinks of first moves, and a game against itself. */
async function games(player) {
  const firsts = movesOf(startBoard()).map((move) => play(startBoard(), move));
  const worth = [...player.values(firsts)].map((value) => value.toFixed(2).padStart(6));
  const lines = ['what each first move is worth to who makes it (1 wins, 0 draws, -1 loses):', ''];
  for (const row of [0, 3, 6]) lines.push(worth.slice(row, row + 3).join(' '));
  lines.push('', 'a game against itself:', '');
  let board = startBoard();
  for (let turn = 0; ; turn++) {
    board = play(board, player.best(board));
    lines.push(show(board, turn % 2 === 0), '');
    if (resultOf(board) !== null) break;
    board = board.map((square) => -square);
  }
  return `${lines.join('\n')}\n`;
}
