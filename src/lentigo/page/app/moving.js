// Operators that move numbers, and leave them as they are.

import { clamp, operator } from "./registry.js";
import { axisOf, broadcast, broadcastDims, empty, integers, size, stridesOf, tensor, walk } from "./tensors.js";

export const transpose = (x, perm) => {
  const strides = stridesOf(x.dims);
  return walk(x, perm.map((i) => x.dims[i]), perm.map((i) => strides[i]));
};
operator("Transpose", ([x], { perm }) => transpose(x, perm ?? x.dims.map((_, i) => x.dims.length - 1 - i)));

operator("Concat", (inputs, { axis }) => {
  const at = axisOf(axis, inputs[0].dims.length);
  const dims = inputs[0].dims.map((d, i) => (i === at ? inputs.reduce((s, t) => s + t.dims[at], 0) : d));
  const out = empty(inputs[0], dims), outer = size(dims.slice(0, at));
  for (let o = 0, place = 0; o < outer; o++) {
    for (const t of inputs) {
      const run = t.data.length / outer;
      out.data.set(t.data.subarray(o * run, (o + 1) * run), place);
      place += run;
    }
  }
  return out;
});

operator("Slice", ([x, starts, ends, axes, steps]) => {
  const dims = [...x.dims], strides = stridesOf(x.dims);
  let offset = 0;
  starts.data.forEach((from, i) => {
    const axis = axisOf(axes ? axes.data[i] : i, dims.length), step = steps ? steps.data[i] : 1, d = x.dims[axis];
    const place = (v, low, high) => clamp(v < 0 ? v + d : v, low, high);
    const start = step > 0 ? place(from, 0, d) : place(from, 0, d - 1);
    const end = step > 0 ? place(ends.data[i], 0, d) : ends.data[i] <= -d - 1 ? -1 : place(ends.data[i], -1, d - 1);
    dims[axis] = Math.max(0, Math.ceil((end - start) / step));
    offset += start * strides[axis];
    strides[axis] *= step;
  });
  return walk(x, dims, strides, offset);
});

operator("Gather", ([x, indices], { axis = 0 }) => {
  const at = axisOf(axis, x.dims.length), d = x.dims[at], inner = size(x.dims.slice(at + 1)), outer = size(x.dims.slice(0, at));
  const out = empty(x, [...x.dims.slice(0, at), ...indices.dims, ...x.dims.slice(at + 1)]);
  let place = 0;
  for (let o = 0; o < outer; o++) {
    for (const index of indices.data) {
      const from = (o * d + axisOf(index, d)) * inner;
      out.data.set(x.data.subarray(from, from + inner), place);
      place += inner;
    }
  }
  return out;
});

operator("Pad", ([x, pads, value, axes], { mode = "constant" }) => {
  const rank = x.dims.length, before = new Array(rank).fill(0), after = new Array(rank).fill(0);
  const over = axes ? [...axes.data].map((i) => axisOf(i, rank)) : x.dims.map((_, i) => i);
  over.forEach((axis, i) => { before[axis] = pads.data[i]; after[axis] = pads.data[i + over.length]; });
  const out = empty(x, x.dims.map((d, i) => d + before[i] + after[i])), own = stridesOf(x.dims), strides = stridesOf(out.dims);
  const filler = value ? value.data[0] : 0;
  for (let i = 0; i < out.data.length; i++) {
    let from = 0, outside = false;
    for (let axis = 0, rest = i; axis < rank; axis++) {
      let at = Math.floor(rest / strides[axis]) - before[axis];
      const d = x.dims[axis];
      rest %= strides[axis];
      outside ||= at < 0 || at >= d;
      if (mode === "edge") at = clamp(at, 0, d - 1);
      if (mode === "reflect") at = at < 0 ? -at : at >= d ? 2 * (d - 1) - at : at;
      from += at * own[axis];
    }
    out.data[i] = outside && mode === "constant" ? filler : x.data[from];
  }
  return out;
});

operator("Reshape", ([x, shape]) => {
  const dims = [...shape.data].map((d, i) => (d === 0 ? x.dims[i] : d)), open = dims.indexOf(-1);
  if (open >= 0) dims[open] = x.data.length / -size(dims);
  if (size(dims) !== x.data.length) throw new Error(`[${x.dims}] doesn't become [${dims}]`);
  return tensor(x.data, dims);
});
operator("Flatten", ([x], { axis = 1 }) => tensor(x.data, [size(x.dims.slice(0, axis)), size(x.dims.slice(axis))]));
operator("Squeeze", ([x, axes], a) => {
  const stated = axes ? [...axes.data] : a.axes, gone = stated && new Set(stated.map((i) => axisOf(i, x.dims.length)));
  return tensor(x.data, x.dims.filter((d, i) => (gone ? !gone.has(i) : d !== 1)));
});
operator("Unsqueeze", ([x, axes], a) => {
  const stated = axes ? [...axes.data] : a.axes, rank = x.dims.length + stated.length;
  const added = new Set(stated.map((i) => axisOf(i, rank))), rest = [...x.dims];
  return tensor(x.data, Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : rest.shift())));
});
operator("Expand", ([x, shape]) => broadcast(x, broadcastDims(x.dims, [...shape.data])));
operator("Shape", ([x], { start = 0, end }) => integers(x.dims.slice(start, end)));
