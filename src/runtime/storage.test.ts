import { describe, expect, it } from 'vitest';
import { UserError } from '../base/errors.ts';
import { StoragePool } from './storage.ts';

describe('StoragePool', () => {
  it('says what is the matter when there is no memory, and goes on', () => {
    const pool = new StoragePool();
    pool.release(pool.allocate(1024));
    expect(() => pool.allocate(2 ** 50)).toThrow(UserError);
    expect(() => pool.allocate(2 ** 50)).toThrow(
      /^\[memory\] a tensor must fit into memory; 1073741824\.0 MiB were asked for/,
    );
    expect(pool.pooledBytes).toBe(0);
    expect(pool.allocate(1024).byteLength).toBe(1024);
  });
});
