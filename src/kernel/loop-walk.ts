/** The order in which a program with loops runs: its definition in a few lines, for whoever runs programs step by step. */
import type { Program } from './program.ts';

export interface LoopVisitor {
  /** Steps [first, end) are to be run once; `iterations[l]` is where loop l stands. */
  run(first: number, end: number, iterations: readonly number[]): void;
  /** Whether the flag in this buffer is set. */
  isSet(buffer: number, iterations: readonly number[]): boolean;
}

export function walkProgram({ steps, loops = [] }: Program, visitor: LoopVisitor): void {
  const iterations = loops.map(() => 0);
  const walk = (first: number, end: number, inside: readonly number[]): void => {
    for (let at = first; at < end; ) {
      const [loop] = inside.filter((l) => loops[l].first === at);
      if (loop === undefined) {
        const next = Math.min(end, ...inside.map((l) => loops[l].first).filter((start) => start > at));
        visitor.run(at, next, iterations);
        at = next;
        continue;
      }
      const { end: last, count, flag } = loops[loop];
      const nested = inside.filter((l) => l > loop && loops[l].end <= last);
      for (let i = 0; i < count; i++) {
        iterations[loop] = i;
        if (flag !== undefined && !visitor.isSet(flag, iterations)) break;
        walk(at, last, nested);
      }
      iterations[loop] = 0;
      at = last;
    }
  };
  walk(0, steps.length, [...iterations.keys()]);
}

/** Bytes from the start of the buffer that a window is part of, in these iterations; 0 for what is no window. */
export function windowStart(program: Program, buffer: number, iterations: readonly number[]): number {
  const { window, offset } = program.buffers[buffer];
  if (!window) return 0;
  return window.strides.reduce((bytes, stride) => bytes + stride.bytes * iterations[stride.loop], offset);
}

/** How often a step runs in one run of the program; loops with a flag count once, since nobody knows. */
export function timesOf({ loops = [] }: Program, step: number): number {
  return loops.reduce(
    (times, { first, end, count, flag }) => (step >= first && step < end && flag === undefined ? times * count : times),
    1,
  );
}
