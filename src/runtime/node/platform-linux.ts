/** Linux: mmap and pthreads, through whatever libc the process has. The driver makes its own system calls. */
import { InternalError } from '../../base/errors.ts';
import type { Ffi } from './ffi.ts';
import type { Platform } from './platform.ts';

const READ_WRITE = 3;
const READ_EXECUTE = 5;
const PRIVATE_ANONYMOUS = 0x22;
const SIG_SETMASK = 2;
/** From this size on, large pages are asked for: they save most of the address translation of big arenas. */
const HUGE = 2 * 2 ** 20;
const MADV_HUGEPAGE = 14;

export function linuxPlatform(ffi: Ffi): Platform {
  const libc = ffi.load(null);
  const mmap = libc.func('mmap', 'int64', ['int64', 'size_t', 'int', 'int', 'int', 'int64']);
  const mprotect = libc.func('mprotect', 'int', ['int64', 'size_t', 'int']);
  const munmap = libc.func('munmap', 'int', ['int64', 'size_t']);
  const madvise = libc.func('madvise', 'int', ['int64', 'size_t', 'int']);
  const create = libc.func('pthread_create', 'int', ['void *', 'void *', 'int64', 'int64']);
  const detach = libc.func('pthread_detach', 'int', ['int64']);
  const sigmask = libc.func('pthread_sigmask', 'int', ['int', 'void *', 'void *']);
  return {
    system: 'linux',
    pageBytes: 4096,
    allocate(bytes) {
      const address = Number(mmap(0, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0));
      if (address === -1) throw new InternalError(`internal: no memory: mmap of ${bytes} bytes failed`);
      this.preferLargePages(address, bytes);
      return address;
    },
    preferLargePages(address, bytes) {
      if (bytes < HUGE) return;
      const from = Math.ceil(address / 4096) * 4096;
      const to = Math.floor((address + bytes) / 4096) * 4096;
      madvise(from, to - from, MADV_HUGEPAGE);
    },
    makeExecutable(address, bytes) {
      if (mprotect(address, bytes, READ_EXECUTE) !== 0) {
        throw new InternalError('internal: the system does not let emitted code be executed (mprotect failed)');
      }
    },
    free(address, bytes) {
      munmap(address, bytes);
    },
    startThread(entry, argument) {
      // A new thread inherits the signal mask: block everything for it, then restore our own.
      const all = new Uint8Array(128).fill(255);
      const before = new Uint8Array(128);
      sigmask(SIG_SETMASK, all, before);
      try {
        const thread = new BigInt64Array(1);
        const failure = create(thread, null, entry, argument);
        if (failure !== 0) throw new InternalError(`internal: pthread_create failed with error ${failure}`);
        detach(thread[0]);
      } finally {
        sigmask(SIG_SETMASK, before, null);
      }
    },
    functions: { wait: 0, wake: 0, yield: 0 },
  };
}
