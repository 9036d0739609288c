/**
 * macOS on Intel: mmap and pthreads; sleeping through the same __ulock calls that libc++ uses. Written from the documentation
 * and never tried: no such machine was at hand.
 */
import { InternalError } from '../../base/errors.ts';
import type { Ffi } from './ffi.ts';
import type { Platform } from './platform.ts';

const READ_WRITE = 3;
const READ_EXECUTE = 5;
const PRIVATE_ANONYMOUS = 0x1002;
const SIG_SETMASK = 3;
const RTLD_DEFAULT = -2;

export function darwinPlatform(ffi: Ffi): Platform | string {
  const libc = ffi.load(null);
  const mmap = libc.func('mmap', 'int64', ['int64', 'size_t', 'int', 'int', 'int', 'int64']);
  const mprotect = libc.func('mprotect', 'int', ['int64', 'size_t', 'int']);
  const munmap = libc.func('munmap', 'int', ['int64', 'size_t']);
  const create = libc.func('pthread_create', 'int', ['void *', 'void *', 'int64', 'int64']);
  const detach = libc.func('pthread_detach', 'int', ['int64']);
  const sigmask = libc.func('pthread_sigmask', 'int', ['int', 'void *', 'void *']);
  const dlsym = libc.func('dlsym', 'int64', ['int64', 'str']);
  const functions = {
    wait: Number(dlsym(RTLD_DEFAULT, '__ulock_wait')),
    wake: Number(dlsym(RTLD_DEFAULT, '__ulock_wake')),
    yield: Number(dlsym(RTLD_DEFAULT, 'sched_yield')),
  };
  if (functions.wait === 0 || functions.wake === 0 || functions.yield === 0) {
    return 'this macOS has no __ulock_wait, __ulock_wake or sched_yield';
  }
  return {
    system: 'darwin',
    pageBytes: 4096,
    allocate(bytes) {
      const address = Number(mmap(0, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0));
      if (address === -1) throw new InternalError(`internal: no memory: mmap of ${bytes} bytes failed`);
      return address;
    },
    preferLargePages() {},
    makeExecutable(address, bytes) {
      if (mprotect(address, bytes, READ_EXECUTE) !== 0) {
        throw new InternalError('internal: the system does not let emitted code be executed (mprotect failed)');
      }
    },
    free(address, bytes) {
      munmap(address, bytes);
    },
    startThread(entry, argument) {
      // A new thread inherits the signal mask (32 bits here): block everything for it, then restore our own.
      const all = new Uint32Array(1).fill(0xffffffff);
      const before = new Uint32Array(1);
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
    functions,
  };
}
