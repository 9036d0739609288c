/** Ctrl-C during training: the first stops it at the end of the running step, the second ends the process as usual. */

interface SignalHost {
  once?(signal: 'SIGINT', listener: () => void): unknown;
  off?(signal: 'SIGINT', listener: () => void): unknown;
}

/** Calls `stop` on the first SIGINT. Returns what takes the handler away again. */
export function onInterrupt(stop: () => void): () => void {
  const host = (globalThis as { process?: SignalHost }).process;
  if (!host?.once || !host.off) return () => {};
  host.once('SIGINT', stop);
  return () => host.off!('SIGINT', stop);
}
