/** What differs between operating systems: pages and threads. Knows nothing of programs. */
import type { X64System } from '../../kernel/image.ts';
import type { Ffi } from './ffi.ts';
import { darwinPlatform } from './platform-darwin.ts';
import { linuxPlatform } from './platform-linux.ts';
import { windowsPlatform } from './platform-windows.ts';

export interface Platform {
  readonly system: X64System;
  readonly pageBytes: number;
  /** Fresh zeroed pages that can be read and written. */
  allocate(bytes: number): number;
  /** Makes pages executable and no longer writable. */
  makeExecutable(address: number, bytes: number): void;
  free(address: number, bytes: number): void;
  /** Asks for large pages under memory that somebody else allocated and nobody has touched yet; a hint, at most. */
  preferLargePages(address: number, bytes: number): void;
  /** Starts a thread, which takes no signals and never keeps the process alive. */
  startThread(entry: number, argument: number): void;
  /** Addresses of functions that the driver calls to sleep, wake and yield; 0 where it makes system calls itself. */
  readonly functions: { readonly wait: number; readonly wake: number; readonly yield: number };
}

export function currentPlatform(ffi: Ffi): Platform | string {
  switch (process.platform) {
    case 'linux':
      return linuxPlatform(ffi);
    case 'darwin':
      return darwinPlatform(ffi);
    case 'win32':
      return windowsPlatform(ffi);
    default:
      return `the operating system ${process.platform} is not known`;
  }
}

export function systemOf(platform: string): X64System {
  return platform === 'win32' ? 'windows' : platform === 'darwin' ? 'darwin' : 'linux';
}
