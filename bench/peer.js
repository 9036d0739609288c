/** The runner's end of peers/protocol.js: one child process, one request at a time. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class Peer {
  #child;
  #lines;
  #complaints = '';

  /** Starts a peer; rejects with the reason why it cannot run. */
  static async start(spec, threads) {
    const script = fileURLToPath(new URL(`./peers/${spec.python ?? spec.script}`, import.meta.url));
    const programs = spec.python
      ? [process.env.BENCH_PYTHON, '/usr/bin/python3', 'python3'].filter(Boolean)
      : [process.execPath];
    const reasons = [];
    for (const program of programs) {
      const peer = new Peer(program, [script, ...(spec.args ?? [])], threads);
      const hello = await peer.#read(120_000);
      if (hello.ready) {
        Object.assign(peer, hello.ready);
        return peer;
      }
      peer.stop();
      reasons.push(hello.error);
    }
    throw new Error([...new Set(reasons)].join('; '));
  }

  constructor(program, args, threads) {
    const env = { ...process.env, BENCH_THREADS: String(threads) };
    // Set on some machines to mend OpenBLAS's choice; the peer shall choose by itself.
    delete env.OPENBLAS_CORETYPE;
    delete env.OPENBLAS_L2_SIZE;
    // Python's and OpenMP's own variables, for whoever reads them.
    env.OMP_NUM_THREADS = env.OPENBLAS_NUM_THREADS = String(threads);
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (text) => {
      this.#complaints = `${this.#complaints}${text}`.slice(-2000);
    });
    this.#child.stdin.on('error', () => {});
    this.#child.on('error', (error) => {
      this.#complaints += error.message;
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Seconds of each run, or the value that the task measured. Throws what the peer says went wrong. */
  async ask(request, timeout = 300_000) {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await this.#read(timeout);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  stop() {
    this.#child.kill();
  }

  async #read(timeout) {
    let timer;
    const silence = new Promise((resolve) => {
      timer = setTimeout(() => resolve({ late: true }), timeout);
    });
    const line = await Promise.race([this.#lines.next(), silence]);
    clearTimeout(timer);
    if (line.late) {
      this.stop();
      return { error: `it did not answer within ${timeout / 1000} s` };
    }
    if (line.done) return { error: this.#complaints.trim().split('\n').at(-1) || 'it ended without a word' };
    return JSON.parse(line.value);
  }
}
