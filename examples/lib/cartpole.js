/**
 * A pole on a cart, as OpenAI Gym's CartPole-v0 has it (after Barto, Sutton and Anderson 1983): many carts at once, each pushed left
 * or right fifty times a second. An episode ends where the pole leans by more than 12 degrees or the cart is 2.4 m away, or after
 * 200 steps. Knows nothing of learning.
 */

const gravity = 9.8;
const cartMass = 1;
const poleMass = 0.1;
/** Half of the pole's length. */
const halfLength = 0.5;
const push = 10;
const interval = 0.02;
const farthest = 2.4;
const steepest = (12 * Math.PI) / 180;
export const mostSteps = 200;

/** Place, speed, angle and angular speed after a push to the right (1) or to the left (0), by Euler's method. @param {ArrayLike<number>} state @param {number} action */
export function pushed([x, speed, angle, turning], action) {
  const mass = cartMass + poleMass;
  const moment = poleMass * halfLength;
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const force = ((action === 1 ? push : -push) + moment * turning ** 2 * sine) / mass;
  const bend = (gravity * sine - cosine * force) / (halfLength * (4 / 3 - (poleMass * cosine ** 2) / mass));
  const pull = force - (moment * bend * cosine) / mass;
  return [x + interval * speed, speed + interval * pull, angle + interval * turning, turning + interval * bend];
}

/** Whether the pole has fallen or the cart has left. @param {ArrayLike<number>} state */
export function isOver([x, , angle]) {
  return !(Math.abs(x) <= farthest && Math.abs(angle) <= steepest);
}

export class Carts {
  /** @param {number} count @param {() => number} random uniform in [0, 1) */
  constructor(count, random) {
    this.random = random;
    this.states = Array.from({ length: count }, () => this.#start());
    this.steps = new Array(count).fill(0);
  }

  #start() {
    return Array.from({ length: 4 }, () => (this.random() - 0.5) / 10);
  }

  /**
   * Pushes every cart; one whose episode has ended begins anew.
   * @param {ArrayLike<number>} actions
   * @returns {{ before: number[], action: number, after: number[], over: boolean, steps: number | null }[]}
   *   over: it fell; steps: how long the episode was, where it has ended (by falling or by time)
   */
  step(actions) {
    return this.states.map((before, i) => {
      const after = pushed(before, actions[i]);
      const over = isOver(after);
      const steps = ++this.steps[i];
      const ended = over || steps >= mostSteps;
      this.states[i] = ended ? this.#start() : after;
      if (ended) this.steps[i] = 0;
      return { before, action: actions[i], after, over, steps: ended ? steps : null };
    });
  }
}
