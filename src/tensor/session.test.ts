import { describe, expect, it } from 'vitest';
import * as tf from '../index.ts';

describe('Session', () => {
  const make = () => {
    const g = new tf.Graph();
    const made = g.as(() => {
      const x = tf.placeholder<'R2'>('float32', [2, 2], 'x');
      const w = tf.variable(
        [
          [1, 0],
          [0, 2],
        ],
        true,
        undefined,
      );
      const y = g.setName('y', x.matMul(w).add(1));
      return { x, w, y };
    });
    return { g, ...made };
  };

  it('fetches tensors, names, lists and objects', () => {
    const { g, x, y } = make();
    const session = new tf.Session(g);
    const fed = [
      [1, 2],
      [3, 4],
    ];
    const expected = [
      [2, 5],
      [4, 9],
    ];
    expect(session.run(y, [[x, fed]]).arraySync()).toEqual(expected);
    expect(session.run('y:0', { x: fed }).arraySync()).toEqual(expected);
    const { a, b } = session.run({ a: y, b: [x] }, new Map([[x, fed]]));
    expect(a.arraySync()).toEqual(expected);
    expect(b[0].arraySync()).toEqual(fed);
  });

  it('compiles once for one combination of fetches and feeds', () => {
    const { g, x, y } = make();
    const session = new tf.Session(g);
    session.run(y, [[x, tf.ones([2, 2])]]);
    const { compilations } = tf.memory();
    expect(
      session
        .run(y, [
          [
            x,
            [
              [0, 0],
              [0, 0],
            ],
          ],
        ])
        .arraySync(),
    ).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(tf.memory().compilations).toBe(compilations);
  });

  it('trains through an operation', async () => {
    const { g, w, y } = make();
    const train = g.operation('train', () => {
      const loss = g.setName('loss', tf.sum(tf.square(y)));
      const [dw] = tf.gradients(loss, w);
      w.assign(w.sub(dw.mul(0.01)) as tf.Tensor2D);
    });
    const session = new tf.Session(g);
    const feeds = {
      x: [
        [1, 2],
        [3, 4],
      ],
    };
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) {
      const [loss, nothing] = session.run(['loss', train], feeds);
      expect(nothing).toBe(null);
      losses.push(loss.dataSync()[0]);
    }
    expect(losses[0]).toBe(126);
    expect(losses[4]).toBeLessThan(20);
    await session.runAsync('train', feeds);
    expect((await session.runAsync('loss', feeds)).dataSync()[0]).toBeLessThan(losses[4]);
  });

  it('reads variables as they are when it runs', () => {
    const { g, x, w, y } = make();
    const session = new tf.Session(g);
    session.run(y, {
      x: [
        [1, 1],
        [1, 1],
      ],
    });
    w.assign(tf.zeros([2, 2]) as tf.Tensor2D);
    expect(
      session
        .run(y, [
          [
            x,
            [
              [1, 1],
              [1, 1],
            ],
          ],
        ])
        .arraySync(),
    ).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(session.run(w).arraySync()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('draws fresh random numbers in each run', () => {
    const g = new tf.Graph();
    const r = g.as(() => tf.randomUniform([4]));
    const session = new tf.Session(g);
    expect(session.run(r).arraySync()).not.toEqual(session.run(r).arraySync());
  });

  it('runs without a Graph', () => {
    const x = tf.placeholder<'R1'>('float32', [2], 'loose');
    expect(new tf.Session().run(x.mul(2), [[x, [1, 2]]]).arraySync()).toEqual([2, 4]);
  });

  it('says what is wrong', () => {
    const { g, x, w, y } = make();
    const session = new tf.Session(g);
    expect(() => session.run(y)).toThrow("[session.run] placeholder 'x' must be fed");
    expect(() => session.run(y, { x: [1, 2, 3] })).toThrow("the feed for 'x' must be float32[2,2]; got float32[3]");
    expect(() => session.run(y, { x: tf.zeros([2, 2], 'int32') })).toThrow('got int32[2,2]');
    expect(() => session.run('z', {})).toThrow("got 'z'");
    expect(() => session.run(y, { q: 1 })).toThrow(
      "[session.run] a feed must name a placeholder of the graph; got 'q'",
    );
    expect(() => y.dataSync()).toThrow("it depends on the placeholder 'x'; fetch it with session.run");
    expect(() => g.as(() => w.assign(w))).toThrow('[assign] in a Graph');
    expect(() => tf.placeholder('float32', [null as unknown as number, 3])).toThrow(
      'every extent of the shape must be known',
    );
    session.close();
    expect(() => session.run(y, [[x, tf.ones([2, 2])]])).toThrow('it was closed');
  });
});
