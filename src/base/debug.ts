/**
 * The DEBUG ladder. 1: programs and their compile times; 2: each kernel with time, GFLOP/s and GB/s; 3: the graph before and
 * after each pass; 4: kernel IR; 5: the memory plan; 6: register allocation; 7: the emitted code.
 */

interface ProcessLike {
  env?: Record<string, string | undefined>;
  stderr?: { write(text: string): unknown };
}

const host = (globalThis as { process?: ProcessLike }).process;
let level = Number(host?.env?.DEBUG ?? 0) || 0;

export function debugLevel(): number {
  return level;
}

/** Sets the DEBUG level for this process (0 to 7) and returns the previous one. */
export function setDebugLevel(next: number): number {
  const previous = level;
  level = next;
  return previous;
}

/** Prints to the error stream where `minimum` is at or below the DEBUG level; the text is built only then. */
export function debug(minimum: number, text: () => string): void {
  if (level < minimum) return;
  if (host?.stderr) host.stderr.write(`${text()}\n`);
  else console.error(text());
}
