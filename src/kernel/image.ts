/** Machine code as a code generator hands it to a device: neither knows the other, both know this. */

export interface X64Image {
  /** Position independent; its constants lie behind it. */
  readonly code: Uint8Array;
  /** Byte offset of each kernel's regions: entries[kernel][region]. */
  readonly entries: readonly (readonly number[])[];
  /** Assembly, where DEBUG or the caller asked for it. */
  readonly listing?: string;
}
