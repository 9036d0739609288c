/** Curves over epochs or steps as SVG text, with axes, a legend and gaps where a number is not finite. Knows nothing of training. */

/**
 * @typedef {object} CurveLook
 * @property {string} [title]
 * @property {string} [x] What the horizontal axis counts, default 'epoch'.
 * @property {number} [first] What the first point's place is called, default 1.
 * @property {number} [every] How much further the next point is, default 1.
 */

const [width, height] = [640, 400];
const [left, right, top, bottom] = [64, 16, 40, 48];
const colours = ['#1f6feb', '#d9480f', '#2b8a3e', '#862e9c', '#c2255c', '#0b7285', '#846358', '#495057'];

/** @param {{ [name: string]: ArrayLike<number> }} series @param {CurveLook} [look] */
export function curvesSvg(series, { title = '', x = 'epoch', first = 1, every = 1 } = {}) {
  const lines = Object.entries(series).map(([name, values]) => ({ name, values: Array.from(values) }));
  const all = lines.flatMap(({ values }) => values).filter(Number.isFinite);
  const [low, high] = widened(least(all), most(all));
  const count = Math.max(2, ...lines.map(({ values }) => values.length));
  const across = (/** @type {number} */ i) => left + (i / (count - 1)) * (width - left - right);
  const up = (/** @type {number} */ value) => top + ((high - value) / (high - low)) * (height - top - bottom);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${left}" y="20" font-size="14" font-weight="bold">${escaped(title)}</text>`,
  ];
  for (const tick of ticks(low, high)) {
    const y = up(tick).toFixed(1);
    parts.push(`<line x1="${left}" x2="${width - right}" y1="${y}" y2="${y}" stroke="#dee2e6"/>`);
    parts.push(`<text x="${left - 6}" y="${y}" dy="4" text-anchor="end">${Number(tick.toPrecision(4))}</text>`);
  }
  for (const tick of ticks(0, count - 1).filter(Number.isInteger)) {
    const at = across(tick).toFixed(1);
    const label = Number((first + tick * every).toPrecision(6));
    parts.push(`<text x="${at}" y="${height - bottom + 18}" text-anchor="middle">${label}</text>`);
  }
  parts.push(`<text x="${(left + width - right) / 2}" y="${height - 10}" text-anchor="middle">${escaped(x)}</text>`);
  lines.forEach(({ name, values }, i) => {
    const colour = colours[i % colours.length];
    parts.push(`<path d="${outline(values, across, up)}" fill="none" stroke="${colour}" stroke-width="1.8"/>`);
    const at = left + 120 + 110 * i;
    parts.push(`<rect x="${at}" y="10" width="12" height="12" fill="${colour}"/>`);
    parts.push(`<text x="${at + 16}" y="20">${escaped(name)}</text>`);
  });
  return `${[...parts, '</svg>'].join('\n')}\n`;
}

/** @param {number[]} values @param {(i: number) => number} across @param {(value: number) => number} up */
function outline(values, across, up) {
  let text = '';
  let drawing = false;
  values.forEach((value, i) => {
    if (Number.isFinite(value)) text += `${drawing ? 'L' : 'M'}${across(i).toFixed(1)} ${up(value).toFixed(1)}`;
    drawing = Number.isFinite(value);
  });
  return text;
}

/** Round numbers from low to high, about six of them. @param {number} low @param {number} high */
function ticks(low, high) {
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  const start = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - start + 1 }, (_, i) => (start + i) * step);
}

/** A little room above and below; some room where there is a single number or none. @param {number} low @param {number} high */
function widened(low, high) {
  if (!(low <= high)) return [0, 1];
  const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

// Not Math.min(...): a series may have more values than a call may have arguments.
const least = (/** @type {number[]} */ values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (/** @type {number[]} */ values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
