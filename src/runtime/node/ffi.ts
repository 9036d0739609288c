/** The foreign function interface, loaded only when a native device is asked for: koffi is an optional dependency. */
import { createRequire } from 'node:module';

export interface NativeFunction {
  (...args: unknown[]): unknown;
  /** Runs on a thread of libuv's pool; the last argument is called with the error, if any, afterwards. */
  readonly async: (...args: unknown[]) => void;
}

export interface NativeLibrary {
  func(name: string, result: string, args: readonly string[]): NativeFunction;
}

/** The part of koffi that is used. */
export interface Ffi {
  load(path: string | null): NativeLibrary;
  view(address: bigint, length: number): ArrayBuffer;
  address(memory: ArrayBufferLike | ArrayBufferView): bigint;
  decode(address: bigint, type: unknown): unknown;
  proto(result: string, args: readonly string[]): unknown;
}

/** koffi, or the reason why it cannot be had. */
export function loadFfi(): Ffi | string {
  try {
    return createRequire(import.meta.url)('koffi') as Ffi;
  } catch (error) {
    return `the optional package koffi cannot be loaded (${error instanceof Error ? error.message.split('\n')[0] : error})`;
  }
}

/** A function at an address, taking one pointer as a number. */
export function functionAt(ffi: Ffi, address: number): NativeFunction {
  return ffi.decode(BigInt(address), ffi.proto('void', ['int64'])) as NativeFunction;
}

export function bytesAt(ffi: Ffi, address: number, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(ffi.view(BigInt(address), length));
}

export function addressOf(ffi: Ffi, memory: ArrayBufferLike | ArrayBufferView): number {
  return Number(ffi.address(memory));
}
