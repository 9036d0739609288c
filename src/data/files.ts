/**
 * Reads dataset files from a folder: a path in Node, a URL in browsers. Tries the names that people's copies have.
 * Knows nothing of what is in them.
 */
import { UserError } from '../base/errors.ts';

declare const __TENSORLOOM_ASSETS__: string;

export const inNode = typeof process !== 'undefined' && typeof process.versions?.node === 'string';

/** The folder of data that comes with the package. From the source it lies one folder further up than from dist/. */
export function bundledFolder(name: string): string {
  const assets = typeof __TENSORLOOM_ASSETS__ === 'string' ? __TENSORLOOM_ASSETS__ : '../../assets/';
  return new URL(`${assets}${name}/`, import.meta.url).href;
}

/** The files of these official names that lie in `folder`; undefined for each that does not. */
export async function findFiles(folder: string, names: readonly string[]): Promise<(FoundFile | undefined)[]> {
  return Promise.all(names.map((name) => findFile(folder, name)));
}

export interface FoundFile {
  /** Path or URL, for errors. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

async function findFile(folder: string, name: string): Promise<FoundFile | undefined> {
  const dotted = name.replace('-idx', '.idx');
  for (const candidate of [`${name}.gz`, name, `${dotted}.gz`, dotted]) {
    const found = inNode ? await readLocal(folder, candidate) : await readRemote(folder, candidate);
    if (found) return found;
  }
  return undefined;
}

async function readLocal(folder: string, file: string): Promise<FoundFile | undefined> {
  const [{ readFile }, path, { fileURLToPath }] = await Promise.all([
    import('node:fs/promises'),
    import('node:path'),
    import('node:url'),
  ]);
  const name = path.join(folder.startsWith('file:') ? fileURLToPath(folder) : folder, file);
  try {
    return { name, bytes: await readFile(name) };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    throw new UserError(
      `[data] ${name} must be a readable file; reading it failed with ${code}; check its permissions`,
      {
        cause,
      },
    );
  }
}

async function readRemote(folder: string, file: string): Promise<FoundFile | undefined> {
  const name = `${folder.replace(/\/$/, '')}/${file}`;
  const response = await fetch(name);
  // A single-page server answers a missing file with its index page.
  const isPage = response.headers.get('content-type')?.startsWith('text/html');
  return response.ok && !isPage ? { name, bytes: new Uint8Array(await response.arrayBuffer()) } : undefined;
}
