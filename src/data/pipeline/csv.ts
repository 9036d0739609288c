/**
 * tf.data.CSVDataset: rows of a table in text (RFC 4180) as objects of numbers and strings by column. Source: tf.data.CSVDataset of
 * TensorFlow.js, but for three things: "" inside of quotes is ", a quoted field may hold line ends, and empty lines are no rows.
 */
import { fail } from '../../base/errors.ts';
import { failUnknownName } from '../../nn/naming.ts';
import type { TensorContainerObject } from '../../tensor/index.ts';
import { Dataset, DatasetIterator } from './dataset.ts';
import { type DataSource, URLDataSource } from './sources.ts';
import { fromIterator } from './streams.ts';
import { TextLineDataset } from './text.ts';

export interface ColumnConfig {
  /** An empty field is an error; default false. */
  required?: boolean;
  /** What fields become; default: numbers where they look so, else strings. */
  dtype?: 'float32' | 'int32' | 'bool' | 'string';
  /** The value of an empty field; default undefined. */
  default?: number | string | boolean;
  /** Whether the column goes into ys; elements are {xs, ys} then. Default false. */
  isLabel?: boolean;
}

export interface CSVConfig {
  /** Whether the first row names the columns; default true. */
  hasHeader?: boolean;
  /** Names of the columns, needed without a header. */
  columnNames?: string[];
  columnConfigs?: { [column: string]: ColumnConfig };
  /** Whether columns without a config are left out; default false. */
  configuredColumnsOnly?: boolean;
  /** Default ','. */
  delimiter?: string;
  /** Whether any run of spaces and tabs separates fields; default false. */
  delimWhitespace?: boolean;
}

/** The fields of a row; null where it goes on in the next line, inside of quotes. */
export function fieldsOf(line: string, delimiter: string, whitespace: boolean): string[] | null {
  const fields: string[] = [];
  const separates = (at: number) => (whitespace ? line[at] === ' ' || line[at] === '\t' : line[at] === delimiter);
  const skipSpace = (at: number) => {
    while (whitespace && at < line.length && separates(at)) at++;
    return at;
  };
  let at = skipSpace(0);
  if (whitespace && at === line.length) return [''];
  for (;;) {
    let field = '';
    if (line[at] === '"') {
      for (at++; ; ) {
        const end = line.indexOf('"', at);
        if (end < 0) return null;
        field += line.slice(at, end);
        at = end + 1;
        if (line[at] !== '"') break;
        field += '"';
        at++;
      }
    }
    // What stands behind a closing quote belongs to the field.
    const start = at;
    while (at < line.length && !separates(at)) at++;
    fields.push(field + line.slice(start, at));
    if (at >= line.length) return fields;
    at = skipSpace(at + 1);
    if (whitespace && at >= line.length) return fields;
  }
}

const truths = new Set(['1', 'true']);

/** A field that is not empty, as a value. */
function valueOf(text: string, dtype: ColumnConfig['dtype']): number | string {
  if (dtype === 'string') return text;
  if (dtype === 'bool') return truths.has(text.trim().toLowerCase()) ? 1 : 0;
  const number = Number(text);
  if (Number.isNaN(number)) return text;
  return dtype === 'int32' ? Math.floor(number) : number;
}

export class CSVDataset extends Dataset<TensorContainerObject> {
  readonly input: DataSource;
  readonly #lines: TextLineDataset;
  readonly #config: CSVConfig;
  readonly #delimiter: string;
  #names: readonly string[] | null = null;

  constructor(input: DataSource, csvConfig: CSVConfig = {}) {
    super();
    this.input = input;
    this.#lines = new TextLineDataset(input);
    this.#config = csvConfig ?? {};
    const { delimiter, delimWhitespace, hasHeader = true, columnNames } = this.#config;
    if (delimWhitespace && delimiter != null) {
      fail('data.csv', 'delimiter must not be given where delimWhitespace is true', `got ${JSON.stringify(delimiter)}`);
    }
    this.#delimiter = delimiter || ',';
    if (this.#delimiter.length !== 1 || this.#delimiter === '"') {
      fail('data.csv', 'delimiter must be one character, and no quote', `got ${JSON.stringify(delimiter)}`);
    }
    if (!hasHeader && !columnNames) {
      fail('data.csv', 'columns must have names', 'there is no header', 'pass columnNames: [...]');
    }
  }

  /** Names of the columns that elements have. */
  async columnNames(): Promise<string[]> {
    const names = await this.#allNames();
    const { columnConfigs, configuredColumnsOnly } = this.#config;
    return configuredColumnsOnly ? Object.keys(columnConfigs ?? {}) : [...names];
  }

  async #allNames(): Promise<readonly string[]> {
    this.#names ??= this.#checkedNames(await this.#header());
    return this.#names;
  }

  #checkedNames(header: readonly string[] | null): readonly string[] {
    const { columnNames, columnConfigs } = this.#config;
    const names = columnNames ?? header!;
    if (header && header.length !== names.length) {
      fail('data.csv', `columnNames must name the ${header.length} columns of the header`, `got ${names.length}`);
    }
    const twice = names.filter((name, i) => names.indexOf(name) !== i);
    if (twice.length > 0) {
      fail('data.csv', 'columns must have different names', `${twice.join(', ')} twice`, 'pass columnNames: [...]');
    }
    for (const key of Object.keys(columnConfigs ?? {})) {
      if (!names.includes(key)) failUnknownName('data.csv', 'a key of columnConfigs', key, names);
    }
    return names;
  }

  /** The first row, where it names the columns. */
  async #header(): Promise<string[] | null> {
    if (this.#config.hasHeader === false) return null;
    const rows = this.#rows();
    try {
      const first = await rows.next();
      return first.done ? fail('data.csv', 'the file must have a header', 'it is empty') : first.value.fields;
    } finally {
      await rows.return(undefined);
    }
  }

  async *#rows(): AsyncGenerator<{ fields: string[]; line: number }> {
    const iterator = await this.#lines.iterator();
    let [open, number] = ['', 0];
    for await (const line of iterator) {
      number++;
      const text = open === '' ? line : `${open}\n${line}`;
      if (text === '') continue;
      const fields = fieldsOf(text, this.#delimiter, this.#config.delimWhitespace ?? false);
      open = fields ? '' : text;
      if (fields) yield { fields, line: number };
    }
    if (open !== '')
      fail('data.csv', 'a quote must be closed', `the one in ${JSON.stringify(open.slice(0, 60))} is not`);
  }

  async *#elements(): AsyncGenerator<TensorContainerObject> {
    const names = await this.#allNames();
    let skip = this.#config.hasHeader !== false;
    for await (const { fields, line } of this.#rows()) {
      if (!skip) yield this.#element(names, fields, line);
      skip = false;
    }
  }

  #element(names: readonly string[], fields: readonly string[], line: number): TensorContainerObject {
    if (fields.length !== names.length) {
      const came = `line ${line} has ${fields.length}: ${JSON.stringify(fields.join(this.#delimiter).slice(0, 80))}`;
      fail('data.csv', `a row must have ${names.length} fields`, came);
    }
    const { columnConfigs = {}, configuredColumnsOnly } = this.#config;
    const xs: { [column: string]: number | string | boolean | undefined } = {};
    const ys: typeof xs = {};
    names.forEach((name, i) => {
      const config = Object.hasOwn(columnConfigs, name) ? columnConfigs[name] : undefined;
      if (configuredColumnsOnly && !config) return;
      const value = fields[i] === '' ? this.#missing(name, config, line) : valueOf(fields[i], config?.dtype);
      (config?.isLabel ? ys : xs)[name] = value;
    });
    return Object.keys(ys).length === 0 ? xs : { xs, ys };
  }

  #missing(name: string, config: ColumnConfig | undefined, line: number): ColumnConfig['default'] {
    if (config?.default !== undefined) return config.default;
    if (config?.required || config?.isLabel) {
      fail(
        'data.csv',
        `column ${name} must not be empty`,
        `line ${line} has nothing there`,
        'give the column a default',
      );
    }
    return undefined;
  }

  override async iterator(): Promise<DatasetIterator<TensorContainerObject>> {
    // Mistakes in the header are told before the first row.
    await this.#allNames();
    return new DatasetIterator(fromIterator(this.#elements()));
  }
}

/**
 * The rows of a file of comma-separated values: {column: value}, or {xs, ys} where columns are labels.
 *
 * @param source a URL, or in Node `file://` or a path
 */
export function csv(source: string | Request, csvConfig: CSVConfig = {}): CSVDataset {
  return new CSVDataset(new URLDataSource(source), csvConfig);
}
