import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { data, layers, sequential, setSeed } from '../../index.ts';
import { fieldsOf } from './csv.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const lines = (text: string, chunkSize: number) =>
  new data.TextLineDataset(new data.FileDataSource(bytes(text), { chunkSize })).toArray();
const table = (text: string, config?: data.CSVConfig) =>
  new data.CSVDataset(new data.FileDataSource(bytes(text)), config);

let folder = '';
let server: Server;
let url = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tensorloom-data-'));
  await writeFile(path.join(folder, 'a b.csv'), 'x,y\n1,2\n3,4\n');
  server = createServer((request, response) => {
    if (request.url !== '/t.csv') response.statusCode = 404;
    response.end('x,y\n5,6\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

describe('lines', () => {
  test.each([
    ['a\nb\n', ['a', 'b']],
    ['a\r\nb', ['a', 'b']],
    ['\n\na\n\n', ['', '', 'a', '']],
    ['', []],
    ['\n', ['']],
    ['\ufeffgrün\n水\r\nµ', ['grün', '水', 'µ']],
  ])('%j, in chunks of every size', async (text, want) => {
    for (let size = 1; size <= bytes(text).length + 1; size++) expect(await lines(text, size)).toEqual(want);
  });
  test('files by path and by URL, blobs, an offset', async () => {
    const file = path.join(folder, 'a b.csv');
    for (const name of [file, `file://${file.replaceAll(' ', '%20')}`]) {
      expect(await new data.TextLineDataset(new data.URLDataSource(name)).toArray()).toEqual(['x,y', '1,2', '3,4']);
    }
    const blob = new data.FileDataSource(new Blob(['ab\ncd']), { offset: 1, chunkSize: 2 });
    expect(await new data.TextLineDataset(blob).toArray()).toEqual(['b', 'cd']);
    expect(await data.csv(`${url}/t.csv`).toArray()).toEqual([{ x: 5, y: 6 }]);
    // A pass that is left closes the file: the folder can be removed on every system.
    for await (const line of new data.TextLineDataset(new data.FileDataSource(file))) {
      expect(line).toBe('x,y');
      break;
    }
  });
});

describe('csv', () => {
  test.each([
    ['a,b', ',', ['a', 'b']],
    ['a,,b,', ',', ['a', '', 'b', '']],
    ['"a,b","say ""hi""",c', ',', ['a,b', 'say "hi"', 'c']],
    ['"a"x,"",b', ',', ['ax', '', 'b']],
    ['a;b,c', ';', ['a', 'b,c']],
    ['"open', ',', null],
    ['', ',', ['']],
  ])('%j', (line, delimiter, want) => {
    expect(fieldsOf(line, delimiter, false)).toEqual(want);
  });
  test('white space', () => {
    expect(fieldsOf('  1   2\t"a b"  ', ' ', true)).toEqual(['1', '2', 'a b']);
  });

  test('types, labels, defaults, missing values, columns left out', async () => {
    const text = 'a,b,c,d,e\n1,x,,2.7,true\n"4",y,5,-2.7,0\n';
    expect(await table(text).toArray()).toEqual([
      { a: 1, b: 'x', c: undefined, d: 2.7, e: 'true' },
      { a: 4, b: 'y', c: 5, d: -2.7, e: 0 },
    ]);
    const configured = table(text, {
      columnConfigs: {
        a: { dtype: 'string' },
        c: { default: -1 },
        d: { dtype: 'int32', isLabel: true },
        e: { dtype: 'bool' },
      },
      configuredColumnsOnly: true,
    });
    expect(await configured.columnNames()).toEqual(['a', 'c', 'd', 'e']);
    expect(await configured.toArray()).toEqual([
      { xs: { a: '1', c: -1, e: 1 }, ys: { d: 2 } },
      { xs: { a: '4', c: 5, e: 0 }, ys: { d: -3 } },
    ]);
    expect(await table('1,2\n\n3,4', { hasHeader: false, columnNames: ['p', 'q'] }).toArray()).toEqual([
      { p: 1, q: 2 },
      { p: 3, q: 4 },
    ]);
    const renamed = table('a,b\n1,2', { columnNames: ['p', 'q'] });
    expect([await renamed.columnNames(), await renamed.toArray()]).toEqual([['p', 'q'], [{ p: 1, q: 2 }]]);
    expect(await table('a,b\n"1\n2",3\n').toArray()).toEqual([{ a: '1\n2', b: 3 }]);
    expect(await table('a b\n1   2', { delimWhitespace: true }).toArray()).toEqual([{ a: 1, b: 2 }]);
    expect(await table('a,b\n').toArray()).toEqual([]);
  });

  test.each<[string, data.CSVConfig, string]>([
    ['', {}, 'must have a header'],
    ['a,a\n1,2', {}, 'different names; a twice'],
    ['a,b\n1\n', {}, 'a row must have 2 fields; line 2 has 1: "1"'],
    ['a,b\n1,2\n3,4,5\n', {}, 'line 3 has 3'],
    ['a,b\n1,"2\n', {}, 'a quote must be closed'],
    ['a,b\n1,2', { columnConfigs: { B: {} } }, 'did you mean a or b?'],
    ['a,b\n1,\n', { columnConfigs: { b: { required: true } } }, 'column b must not be empty; line 2'],
    ['a,b\n1,2', { columnNames: ['x'] }, 'must name the 2 columns'],
  ])('%j %j', async (text, config, message) => {
    await expect(table(text, config).toArray()).rejects.toThrow(message);
  });
  test('mistakes in the arguments', async () => {
    expect(() => table('1', { hasHeader: false })).toThrow('pass columnNames');
    expect(() => table('1', { delimiter: ',', delimWhitespace: true })).toThrow('must not be given');
    expect(() => table('1', { delimiter: '||' })).toThrow('one character');
    await expect(data.csv(`${url}/none.csv`).toArray()).rejects.toThrow('the server answered 404');
    await expect(data.csv(path.join(folder, 'none.csv')).toArray()).rejects.toThrow('failed with ENOENT');
    expect(() => new data.TextLineDataset('x' as never)).toThrow('pass new tf.data.URLDataSource');
    expect(() => new data.FileDataSource(3 as never)).toThrow('a Blob, bytes or a path');
  });

  test('a table trains a model', async () => {
    setSeed(1);
    const rows = Array.from({ length: 32 }, (_, i) => `${i / 32},${1 - i / 32},${i / 16 - 1}`);
    const csv = table(`a,b,y\n${rows.join('\n')}\n`, { columnConfigs: { y: { isLabel: true } } });
    const flat = csv.map((row) => {
      const { xs, ys } = row as { xs: { a: number; b: number }; ys: { y: number } };
      return { xs: Object.values(xs), ys: Object.values(ys) };
    });
    const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [2] })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    model.optimizer!.learningRate = 0.3;
    const { history } = await model.fitDataset(flat.shuffle(32, 1).batch(10), { epochs: 30, verbose: 0 });
    expect(history['loss'].at(-1)).toBeLessThan(1e-3);
    model.dispose();
  });
});
