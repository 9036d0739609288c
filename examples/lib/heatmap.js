/** Tables of numbers in [0, 1] as shades, with a label for each row and column, as SVG text. Knows nothing of what they mean. */

const [cell, gap, margin, head] = [22, 36, 40, 44];

/**
 * Several tables in rows of `across`.
 * @param {{ title: string, rows: string[], columns: string[], values: number[][] }[]} tables
 * @param {{ across?: number }} [look]
 */
export function heatmapsSvg(tables, { across = 3 } = {}) {
  const wide = Math.max(...tables.map(({ columns }) => columns.length)) * cell + margin + gap;
  const tall = Math.max(...tables.map(({ rows }) => rows.length)) * cell + head + gap;
  const [width, height] = [wide * Math.min(across, tables.length), tall * Math.ceil(tables.length / across)];
  const parts = tables.map((table, i) =>
    drawn(table, (i % across) * wide + margin, Math.floor(i / across) * tall + head),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

function drawn({ title, rows, columns, values }, left, top) {
  const text = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ words, rest = '') =>
    `<text x="${x}" y="${y}"${rest}>${escaped(words)}</text>`;
  const parts = [text(left, top - 26, title, ' font-weight="bold"')];
  columns.forEach((name, i) => {
    parts.push(text(left + (i + 0.5) * cell, top - 6, name, ' text-anchor="middle"'));
  });
  rows.forEach((name, row) => {
    parts.push(text(left - 6, top + (row + 0.7) * cell, name, ' text-anchor="end"'));
    columns.forEach((_, column) => {
      const shade = Math.round(255 * (1 - Math.min(1, Math.max(0, values[row][column]))));
      const place = `x="${left + column * cell}" y="${top + row * cell}" width="${cell - 1}" height="${cell - 1}"`;
      parts.push(`<rect ${place} fill="rgb(${shade},${Math.round(shade * 0.6 + 102)},255)"/>`);
    });
  });
  return parts.join('\n');
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
