/** Lays images beside each other into one picture, and draws tables of numbers as shades. Knows nothing of files. */

/** @typedef {import('./png.js').Picture} Picture */

/**
 * Grey images in rows: `values` holds them one after another, `range` is what becomes black and white.
 * @param {ArrayLike<number>} values
 * @param {{ height?: number, width?: number, columns: number, range?: [number, number], zoom?: number, gap?: number }} look
 * @returns {Picture}
 */
export function imageGrid(values, { height = 28, width = 28, columns, range = [0, 1], zoom = 2, gap = 2 }) {
  const size = height * width;
  const count = Math.floor(values.length / size);
  const rows = Math.ceil(count / columns);
  const [tall, wide] = [height * zoom + gap, width * zoom + gap];
  const [pictureHeight, pictureWidth] = [rows * tall + gap, columns * wide + gap];
  const pixels = new Uint8Array(pictureHeight * pictureWidth).fill(64);
  const [low, high] = range;
  for (let i = 0; i < count; i++) {
    const [top, left] = [Math.floor(i / columns) * tall + gap, (i % columns) * wide + gap];
    for (let y = 0; y < height * zoom; y++) {
      for (let x = 0; x < width * zoom; x++) {
        const value = values[i * size + Math.floor(y / zoom) * width + Math.floor(x / zoom)];
        pixels[(top + y) * pictureWidth + left + x] = Math.round(
          255 * Math.min(1, Math.max(0, (value - low) / (high - low))),
        );
      }
    }
  }
  return { width: pictureWidth, height: pictureHeight, channels: 1, pixels };
}
