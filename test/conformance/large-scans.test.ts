/** Running totals down a table so large that its output is not read back. Whole numbers, so that every sum is exact. */
import { expect, it } from 'vitest';
import { parameter } from '../../src/ops/build.ts';
import { cumsum } from '../../src/ops/composite-cumulative.ts';
import { availableTargets } from './targets.ts';

const [ROWS, COLUMNS] = [32, 2 ** 18 + 5];

it.each([
  { exclusive: false, reverse: false },
  { exclusive: true, reverse: true },
])('a large table is summed down its columns: %o', async (how) => {
  const data = new Float32Array(ROWS * COLUMNS).map((_, i) => ((i * 7919) % 13) - 6);
  const expected = new Float32Array(data.length);
  for (let column = 0; column < COLUMNS; column++) {
    let total = 0;
    for (let step = 0; step < ROWS; step++) {
      const at = (how.reverse ? ROWS - 1 - step : step) * COLUMNS + column;
      const next = total + data[at];
      expected[at] = how.exclusive ? total : next;
      total = next;
    }
  }
  const x = parameter('float32', [ROWS, COLUMNS]);
  const y = cumsum(x, 0, how.exclusive, how.reverse);
  for (const target of (await availableTargets()).filter(({ limit }) => limit === Infinity)) {
    const [got] = target.run([y], new Map([[x, { dtype: 'float32', shape: x.shape, data }]]));
    const wrong = expected.findIndex((value, i) => value !== got.data[i]);
    expect(wrong, target.name).toBe(-1);
  }
});
