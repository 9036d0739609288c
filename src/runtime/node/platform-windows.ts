/**
 * Windows: VirtualAlloc, CreateThread, WaitOnAddress. The driver keeps to the Windows convention towards the system and to
 * System V towards kernels. Written from the documentation and never tried: no such machine was at hand.
 */
import { InternalError } from '../../base/errors.ts';
import type { Ffi } from './ffi.ts';
import type { Platform } from './platform.ts';

const COMMIT_RESERVE = 0x3000;
const RELEASE = 0x8000;
const READ_WRITE = 0x04;
const EXECUTE_READ = 0x20;

export function windowsPlatform(ffi: Ffi): Platform | string {
  const kernel32 = ffi.load('kernel32.dll');
  const virtualAlloc = kernel32.func('VirtualAlloc', 'int64', ['int64', 'size_t', 'uint32', 'uint32']);
  const virtualProtect = kernel32.func('VirtualProtect', 'int', ['int64', 'size_t', 'uint32', 'void *']);
  const virtualFree = kernel32.func('VirtualFree', 'int', ['int64', 'size_t', 'uint32']);
  const flush = kernel32.func('FlushInstructionCache', 'int', ['int64', 'int64', 'size_t']);
  const currentProcess = kernel32.func('GetCurrentProcess', 'int64', []);
  const createThread = kernel32.func('CreateThread', 'int64', [
    'int64',
    'size_t',
    'int64',
    'int64',
    'uint32',
    'void *',
  ]);
  const closeHandle = kernel32.func('CloseHandle', 'int', ['int64']);
  const loadLibrary = kernel32.func('LoadLibraryA', 'int64', ['str']);
  const procAddress = kernel32.func('GetProcAddress', 'int64', ['int64', 'str']);
  const synch = loadLibrary('api-ms-win-core-synch-l1-2-0.dll');
  const functions = {
    wait: Number(procAddress(synch, 'WaitOnAddress')),
    wake: Number(procAddress(synch, 'WakeByAddressAll')),
    yield: Number(procAddress(loadLibrary('kernel32.dll'), 'SwitchToThread')),
  };
  if (functions.wait === 0 || functions.wake === 0 || functions.yield === 0) {
    return 'this Windows has no WaitOnAddress, WakeByAddressAll or SwitchToThread';
  }
  return {
    system: 'windows',
    pageBytes: 4096,
    allocate(bytes) {
      const address = Number(virtualAlloc(0, bytes, COMMIT_RESERVE, READ_WRITE));
      if (address === 0) throw new InternalError(`internal: no memory: VirtualAlloc of ${bytes} bytes failed`);
      return address;
    },
    preferLargePages() {},
    makeExecutable(address, bytes) {
      if (virtualProtect(address, bytes, EXECUTE_READ, new Uint32Array(1)) === 0) {
        throw new InternalError('internal: the system does not let emitted code be executed (VirtualProtect failed)');
      }
      flush(currentProcess(), address, bytes);
    },
    free(address) {
      virtualFree(address, 0, RELEASE);
    },
    startThread(entry, argument) {
      const thread = createThread(0, 0, entry, argument, 0, null);
      if (Number(thread) === 0) throw new InternalError('internal: CreateThread failed');
      closeHandle(thread);
    },
    functions,
  };
}
