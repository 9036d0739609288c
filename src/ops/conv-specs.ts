/**
 * Convolutions over one to three spatial axes as contractions: which coordinates of input, filter and output meet. Knows no
 * tiles; the compiler's contraction generator does the rest.
 */
import type { Attrs } from '../graph/graph.ts';
import type { Shape } from '../types/shape.ts';
import type { ContractionAxis, ContractionSpec } from './lowering.ts';
import { along } from './matmul.ts';
import { intAttr } from './rule.ts';
import type { Residue, WindowAxis } from './window.ts';
import { residues, windowAxes } from './window.ts';

const names = [[], ['w'], ['h', 'w'], ['d', 'h', 'w']];

/** Numbers of the dims: n, one for each output place, one for each tap, input channels, output channels, groups. */
function dimNumbers(spatial: number) {
  return {
    place: (i: number) => 1 + i,
    tap: (i: number) => 1 + spatial + i,
    inner: 1 + 2 * spatial,
    outer: 2 + 2 * spatial,
    group: 3 + 2 * spatial,
  };
}

/** The input's coordinate that output `o` and tap `tap` meet: o * stride + tap * dilation - before. */
function slide(axis: WindowAxis, o: number, tap: number): ContractionAxis {
  const last = (axis.output - 1) * axis.stride + (axis.filter - 1) * axis.dilation - axis.before;
  const padded = axis.before > 0 || last >= axis.input;
  return {
    offset: -axis.before,
    terms: [
      { dim: o, coef: axis.stride },
      { dim: tap, coef: axis.dilation },
    ],
    ...(padded && { padded }),
  };
}

/** A channel axis: group * perGroup + channel, or just the channel where there is one group. */
function channels(group: number, channel: number, perGroup: number, groups: number): ContractionAxis {
  if (groups === 1) return along(channel);
  return {
    offset: 0,
    terms: [
      { dim: group, coef: perGroup },
      { dim: channel, coef: 1 },
    ],
  };
}

/** What forward and filter gradient share. */
function forwardParts(attrs: Attrs, x: Shape, filter: Shape) {
  const groups = intAttr(attrs, 'groups');
  const axes = windowAxes(attrs, x, filter);
  const at = dimNumbers(axes.length);
  const [inner, outer] = filter.slice(-2);
  const perGroup = outer / groups;
  const name = names[axes.length];
  const dims = [
    { name: 'n', extent: x[0] },
    ...axes.map((axis, i) => ({ name: `o${name[i]}`, extent: axis.output })),
    ...axes.map((axis, i) => ({ name: `k${name[i]}`, extent: axis.filter })),
    { name: 'ic', extent: inner },
    { name: 'oc', extent: perGroup },
    ...(groups > 1 ? [{ name: 'g', extent: groups }] : []),
  ];
  const outs = channels(at.group, at.outer, perGroup, groups);
  return {
    dims,
    input: [
      along(0),
      ...axes.map((axis, i) => slide(axis, at.place(i), at.tap(i))),
      channels(at.group, at.inner, inner, groups),
    ],
    filter: [...axes.map((_, i) => along(at.tap(i))), along(at.inner), outs],
    output: [along(0), ...axes.map((_, i) => along(at.place(i))), outs],
  };
}

/** Inputs x and filter. */
export function forwardSpecs(attrs: Attrs, [x, f]: readonly Shape[]): ContractionSpec[] {
  const { dims, input, filter, output } = forwardParts(attrs, x, f);
  return [{ dims, a: input, b: filter, out: output }];
}

/** Inputs x and the output's gradient; `out` is the filter's shape. */
export function filterSpecs(attrs: Attrs, [x]: readonly Shape[], out: Shape): ContractionSpec[] {
  const { dims, input, filter, output } = forwardParts(attrs, x, out);
  return [{ dims, a: input, b: output, out: filter }];
}

/** dy's coordinate for the inputs of one residue: i + firstOutput - outputStep * t. */
function seenBy(residue: Residue, axis: WindowAxis, i: number, t: number): ContractionAxis {
  const lowest = residue.firstOutput - residue.outputStep * (residue.taps - 1);
  const highest = residue.firstOutput + residue.count - 1;
  const padded = lowest < 0 || highest >= axis.output;
  return {
    offset: residue.firstOutput,
    terms: [
      { dim: i, coef: 1 },
      { dim: t, coef: -residue.outputStep },
    ],
    ...(padded && { padded }),
  };
}

/** Every way to take one residue from each axis. */
function residueTuples(axes: readonly WindowAxis[]): Residue[][] {
  return axes
    .map(residues)
    .reduce<Residue[][]>((tuples, list) => tuples.flatMap((t) => list.map((r) => [...t, r])), [[]]);
}

/** Inputs dy and filter, output x: one spec for each tuple of residues, so that all maps are affine; one without taps writes zeros. */
export function inputSpecs(attrs: Attrs, [, filter]: readonly Shape[], x: Shape): ContractionSpec[] {
  const groups = intAttr(attrs, 'groups');
  const axes = windowAxes(attrs, x, filter);
  const at = dimNumbers(axes.length);
  const [inner, outer] = filter.slice(-2);
  const perGroup = outer / groups;
  const name = names[axes.length];
  return residueTuples(axes).map((tuple): ContractionSpec => {
    const dims = [
      { name: 'n', extent: x[0] },
      ...tuple.map((r, i) => ({ name: name[i], extent: r.count })),
      ...tuple.map((r, i) => ({ name: `k${name[i]}`, extent: r.taps })),
      { name: 'ic', extent: inner },
      { name: 'oc', extent: perGroup },
      ...(groups > 1 ? [{ name: 'g', extent: groups }] : []),
    ];
    const tap = (r: Residue, dim: number) => ({
      offset: r.taps > 0 ? r.firstTap : 0,
      terms: [{ dim, coef: r.tapStep }],
    });
    const place = (r: Residue, dim: number, stride: number) => ({ offset: r.first, terms: [{ dim, coef: stride }] });
    const outs = channels(at.group, at.outer, perGroup, groups);
    return {
      dims,
      a: [along(0), ...tuple.map((r, i) => seenBy(r, axes[i], at.place(i), at.tap(i))), outs],
      b: [...tuple.map((r, i) => tap(r, at.tap(i))), along(at.inner), outs],
      out: [
        along(0),
        ...tuple.map((r, i) => place(r, at.place(i), axes[i].stride)),
        channels(at.group, at.inner, inner, groups),
      ],
    };
  });
}
