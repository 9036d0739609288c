/**
 * Weights as TensorFlow.js stores them: specs (name, shape, dtype) and one run of bytes in the specs' order, little-endian,
 * without gaps. Knows bytes and plain arrays, no tensors and no models. Every size is checked before it is trusted.
 */
import { fail } from '../../base/errors.ts';
import { type DType, dtypes, isDType, newArray, packed, type TypedArray, unpack } from '../../types/dtype.ts';
import { float16Number } from '../../types/half.ts';

/** Of complex64 real and imaginary parts alternate, as float32. */
export type WeightDType = DType | 'complex64';

export function isWeightDType(dtype: unknown): dtype is WeightDType {
  return dtype === 'complex64' || isDType(dtype);
}

export interface Quantization {
  readonly dtype: 'uint8' | 'uint16' | 'float16';
  readonly scale?: number;
  readonly min?: number;
}

/** One weight, as model.json lists it. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: number[];
  readonly dtype: WeightDType;
  /** 'optimizer' for the optimizer's state. */
  readonly group?: string;
  readonly quantization?: Quantization;
}

export interface NamedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: WeightDType;
  readonly values: TypedArray;
  readonly group?: string;
}

const quantizedBytes = { uint8: 1, uint16: 2, float16: 2 } as const;
/** A tensor may hold so many elements. */
const largest = 2 ** 31 - 1;

/** Checks what a file says of its weights. */
export function checkWeightSpecs(op: string, value: unknown): WeightSpec[] {
  if (!Array.isArray(value)) fail(op, 'the weights must be a list', `got ${typeof value}`, 'is model.json damaged?');
  const names = new Set<string>();
  return value.map((item: unknown, i) => {
    const spec = checkWeightSpec(op, item, i);
    const key = `${spec.group ?? ''}:${spec.name}`;
    if (names.has(key)) fail(op, 'each weight must have its own name', `got ${spec.name} twice`);
    names.add(key);
    return spec;
  });
}

function checkWeightSpec(op: string, item: unknown, index: number): WeightSpec {
  const { name, shape, dtype, group, quantization } = (item ?? {}) as { [key: string]: unknown };
  if (typeof name !== 'string' || name === '') {
    fail(op, 'each weight must have a name', `weight ${index} has ${JSON.stringify(name) ?? 'none'}`);
  }
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    fail(op, `the shape of ${name} must be a list of non-negative integers`, `got ${JSON.stringify(shape) ?? 'none'}`);
  }
  let size = 1;
  for (const extent of shape as number[]) {
    size *= extent;
    if (size > largest) fail(op, `${name} must have fewer than 2^31 values`, `its shape is [${shape.join(',')}]`);
  }
  if (!isWeightDType(dtype)) {
    fail(
      op,
      `the dtype of ${name} must be one of ${Object.keys(dtypes).join(', ')} or complex64`,
      `got ${JSON.stringify(dtype) ?? 'none'}`,
    );
  }
  return {
    name,
    shape: [...(shape as number[])],
    dtype,
    ...(typeof group === 'string' ? { group } : {}),
    ...(quantization ? { quantization: checkQuantization(op, name, quantization) } : {}),
  };
}

function checkQuantization(op: string, name: string, value: unknown): Quantization {
  const { dtype, scale, min } = value as { [key: string]: unknown };
  if (dtype === 'float16') return { dtype };
  if (dtype !== 'uint8' && dtype !== 'uint16') {
    fail(op, `${name} must be quantized to uint8, uint16 or float16`, `got ${JSON.stringify(dtype) ?? 'none'}`);
  }
  if (typeof scale !== 'number' || typeof min !== 'number' || !Number.isFinite(scale) || !Number.isFinite(min)) {
    fail(op, `the quantization of ${name} must have numbers scale and min`, `got ${JSON.stringify({ scale, min })}`);
  }
  return { dtype, scale, min };
}

function elements(spec: WeightSpec): number {
  return spec.shape.reduce((a, b) => a * b, 1);
}

/** Bytes that a weight takes in the file. */
export function bytesOf(spec: WeightSpec): number {
  if (spec.quantization) return elements(spec) * quantizedBytes[spec.quantization.dtype];
  return elements(spec) * (spec.dtype === 'complex64' ? 8 : dtypes[spec.dtype].bytes);
}

export function totalBytes(specs: readonly WeightSpec[]): number {
  return specs.reduce((total, spec) => total + bytesOf(spec), 0);
}

/** Bytes -> arrays. `bytes` must be as long as the specs say. */
export function decodeArrays(op: string, bytes: Uint8Array, specs: readonly WeightSpec[]): NamedArray[] {
  const expected = totalBytes(specs);
  if (bytes.byteLength !== expected) {
    const hint = bytes.byteLength < expected ? 'is the file truncated?' : 'does it belong to another model.json?';
    fail(op, `the weights must be ${expected} bytes, as model.json says`, `there are ${bytes.byteLength}`, hint);
  }
  let offset = 0;
  return specs.map((spec) => {
    const length = bytesOf(spec);
    // A copy (slice of Node's Buffer makes none): weights of odd sizes leave the next ones unaligned.
    const own = new Uint8Array(bytes.subarray(offset, offset + length));
    offset += length;
    return { name: spec.name, shape: spec.shape, dtype: spec.dtype, group: spec.group, values: decode(op, own, spec) };
  });
}

function decode(op: string, bytes: Uint8Array, spec: WeightSpec): TypedArray {
  const { quantization } = spec;
  const count = elements(spec);
  if (spec.dtype === 'complex64') {
    if (quantization) fail(op, `${spec.name} must be float32 or int32 to be quantized`, 'it is complex64');
    return new Float32Array(bytes.buffer, bytes.byteOffset, 2 * count);
  }
  if (!quantization) return unpack(spec.dtype, new dtypes[spec.dtype].store(bytes.buffer, bytes.byteOffset, count));
  if (spec.dtype !== 'float32' && spec.dtype !== 'int32')
    fail(op, `${spec.name} must be float32 or int32 to be quantized`, `it is ${spec.dtype}`);
  const out = newArray(spec.dtype, count);
  if (quantization.dtype === 'float16') {
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
    for (let i = 0; i < count; i++) out[i] = float16Number(halves[i]);
    return out;
  }
  const { scale, min } = quantization as { scale: number; min: number };
  const codes = quantization.dtype === 'uint8' ? bytes : new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  const round = spec.dtype === 'int32' ? Math.round : (x: number) => x;
  for (let i = 0; i < count; i++) out[i] = round(codes[i] * scale + min);
  return out;
}

/** Elements in the bytes that they take in the file. */
function storedBytes(dtype: WeightDType, values: TypedArray): Uint8Array {
  const stored = dtype === 'complex64' ? values : packed(dtype, values);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** Arrays -> specs and bytes. */
export function encodeArrays(arrays: readonly NamedArray[]): { specs: WeightSpec[]; bytes: Uint8Array<ArrayBuffer> } {
  const specs = arrays.map(({ name, shape, dtype, group }) => ({
    name,
    shape: [...shape],
    dtype,
    ...(group ? { group } : {}),
  }));
  const bytes = new Uint8Array(totalBytes(specs));
  let offset = 0;
  for (const { dtype, values } of arrays) {
    const stored = storedBytes(dtype, values);
    bytes.set(stored, offset);
    offset += stored.byteLength;
  }
  return { specs, bytes };
}
