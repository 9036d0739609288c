/** A model as a picture: its layers as boxes, an arrow for each tensor between them. Plain SVG text; knows no files. */
import { fail } from '../../base/errors.ts';
import type { Layer } from '../layers/layer.ts';
import { showShapes } from '../layers/shapes.ts';
import type { LayerGraph } from './layer_graph.ts';
import type { LayersModel } from './layers_model.ts';

export interface PlotModelArgs {
  /** Shows the shape of each layer's output; default true. */
  showShapes?: boolean;
  /** Shows the names of layers; default true. */
  showLayerNames?: boolean;
}

const [boxWidth, boxHeight, gapX, gapY, margin] = [220, 48, 30, 36, 20];

const escapes: { readonly [char: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => escapes[char]);

/** The row of each layer: the longest way from an input. */
function rowsOf(graph: LayerGraph): Map<Layer, number> {
  const rows = new Map<Layer, number>();
  for (const { layer, inputs } of graph.nodes) {
    const above = inputs.map(({ sourceLayer }) => (sourceLayer === layer ? -1 : (rows.get(sourceLayer) ?? -1)));
    rows.set(layer, Math.max(rows.get(layer) ?? 0, ...above.map((row) => row + 1)));
  }
  return rows;
}

/** The graph of a functional or sequential model as SVG. Source: keras.utils.plot_model. */
export function plotModel(model: LayersModel, args: PlotModelArgs = {}): string {
  const { graph } = model as { graph?: LayerGraph };
  if (!graph) fail('plotModel', 'the model must have a graph', `${model.name} is a class`, 'build it with tf.model');
  const rows = rowsOf(graph);
  const inRow: Layer[][] = [];
  for (const [layer, row] of rows) (inRow[row] ??= []).push(layer);
  const widest = Math.max(...inRow.map((row) => row?.length ?? 0));
  const width = 2 * margin + widest * boxWidth + (widest - 1) * gapX;
  const height = 2 * margin + inRow.length * (boxHeight + gapY) - gapY;
  const place = new Map<Layer, { x: number; y: number }>();
  inRow.forEach((row, i) => {
    const left = (width - row.length * boxWidth - (row.length - 1) * gapX) / 2;
    row.forEach((layer, k) => {
      place.set(layer, { x: left + k * (boxWidth + gapX), y: margin + i * (boxHeight + gapY) });
    });
  });
  const parts: string[] = [];
  for (const { layer, inputs } of graph.nodes) {
    const to = place.get(layer)!;
    for (const { sourceLayer } of inputs) {
      const from = place.get(sourceLayer)!;
      const [x1, y1, x2, y2] = [from.x + boxWidth / 2, from.y + boxHeight, to.x + boxWidth / 2, to.y];
      parts.push(`<path d="M${x1} ${y1} C${x1} ${y1 + gapY / 2} ${x2} ${y2 - gapY / 2} ${x2} ${y2}" class="edge"/>`);
    }
  }
  for (const [layer, { x, y }] of place) {
    const title = args.showLayerNames === false ? layer.getClassName() : `${layer.name} (${layer.getClassName()})`;
    const shape = args.showShapes === false || !layer.outputShape ? '' : showShapes(layer.outputShape);
    parts.push(`<rect x="${x}" y="${y}" width="${boxWidth}" height="${boxHeight}" rx="6"/>`);
    parts.push(`<text x="${x + boxWidth / 2}" y="${y + 20}">${escaped(title)}</text>`);
    if (shape) parts.push(`<text x="${x + boxWidth / 2}" y="${y + 37}" class="shape">${escaped(shape)}</text>`);
  }
  const style =
    'rect{fill:#eef3fb;stroke:#4a6fa5}.edge{fill:none;stroke:#555;marker-end:url(#end)}' +
    'text{font:12px sans-serif;text-anchor:middle}.shape{fill:#555}';
  const marker =
    '<marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>';
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`;
  return `${head}<defs><style>${style}</style>${marker}</defs>${parts.join('')}</svg>\n`;
}
