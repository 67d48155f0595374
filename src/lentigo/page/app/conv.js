// Convolution and the sum of two tensors, in the kernel's memory with channels last.

import { Resident } from "./memory.js";

const CACHED = 4096; // floats of rows that are multiplied in one go, to stay in the processor's nearest cache
const ceil = (n, by) => Math.ceil(n / by) * by;

function geometry(x, w, a) {
  const [kh, kw] = w.dims.slice(2), groups = a.group ?? 1;
  const [sh, sw] = a.strides ?? [1, 1], [dh, dw] = a.dilations ?? [1, 1], [top, left, bottom, right] = a.pads ?? [0, 0, 0, 0];
  const [, c, h, width] = x.dims, m = w.dims[0] / groups, depthwise = groups > 1 && groups === c && m === 1;
  const high = h + top + bottom, wide = width + left + right;
  const oh = Math.floor((high - dh * (kh - 1) - 1) / sh) + 1, ow = Math.floor((wide - dw * (kw - 1) - 1) / sw) + 1;
  const stride = x.stride ?? (depthwise ? ceil(c, 4) : c), filled = depthwise ? ceil(c, 4) : (groups - 1) * m + ceil(m, 8);
  // A row of the filter is one run of floats where its taps are neighbours.
  const joined = !depthwise && groups === 1 && dw === 1, across = joined ? 1 : kw;
  return {
    kh, kw, sh, sw, dh, dw, top, left, high, wide, oh, ow, h, width, c, m, groups, depthwise, stride, filled, outStride: ceil(filled, 4),
    padded: top + left + bottom + right > 0, whole: kh * kw * sh * sw === 1, across, k: depthwise ? 1 : joined ? (kw - 1) * stride + c : c / groups,
  };
}

// Where each run of a filter begins, in bytes from its first pixel on.
function offsets(g) {
  return Int32Array.from({ length: g.kh * g.across }, (_, i) => 4 * g.stride * (Math.floor(i / g.across) * g.dh * g.wide + (i % g.across) * g.dw));
}

// Weights as the kernel reads them, see there.
function packed(w, g) {
  const taps = g.kh * g.kw, own = g.c / g.groups;
  if (g.depthwise) {
    const out = new Float32Array(ceil(g.c, 4) * taps);
    for (let i = 0; i < g.c * taps; i++) {
      const channel = Math.floor(i / taps);
      out[(channel >> 2) * taps * 4 + (i % taps) * 4 + (channel & 3)] = w.data[i];
    }
    return out;
  }
  const runs = g.kh * g.across, group = ceil(g.m, 8) * runs * g.k, out = new Float32Array(g.groups * group);
  for (let row = 0, i = 0; row < g.groups * g.m; row++) {
    const member = row % g.m, to = Math.floor(row / g.m) * group + (member >> 3) * runs * g.k * 8 + (member & 7);
    for (let channel = 0; channel < own; channel++) {
      for (let tap = 0; tap < taps; tap++, i++) {
        const run = g.across === 1 ? Math.floor(tap / g.kw) : tap, at = g.across === 1 ? (tap % g.kw) * g.stride + channel : channel;
        out[to + (run * g.k + at) * 8] = w.data[i];
      }
    }
  }
  return out;
}

function shifts(bias, g) {
  const each = g.depthwise ? g.c : ceil(g.m, 8), out = new Float32Array(g.depthwise ? ceil(g.c, 4) : g.groups * each);
  if (bias) bias.data.forEach((v, i) => { out[g.depthwise ? i : Math.floor(i / g.m) * each + (i % g.m)] = v; });
  return out;
}

const limitsOf = ({ bounds }) => Float32Array.from({ length: 20 }, (_, i) => bounds[i >> 2]);

// What doesn't depend on the pixels, made once for images of a size.
function planned(x, w, bias, attributes, node, memory) {
  const shape = [...x.dims, x.stride].join();
  if (node.cache.shape === shape) return node.cache;
  const g = geometry(x, w, attributes);
  return (node.cache = {
    shape, g, w: memory.keep(packed(w, g)), bias: memory.keep(shifts(bias, g)), table: memory.keep(offsets(g)), limits: memory.keep(limitsOf(node)),
    room: (x.dims[0] * g.high * g.wide + 3 * g.sw + 1) * g.stride,
  });
}

// The pixels of all images, each with its border of zeros, at `place`.
function spread(x, g, place, memory) {
  const f = memory.floats, [n] = x.dims, { stride, c } = g;
  f.fill(0, place >> 2, (place >> 2) + n * g.high * g.wide * stride);
  const start = (image, y) => (place >> 2) + ((image * g.high + g.top + y) * g.wide + g.left) * stride;
  if (x.stride) {
    for (let image = 0, from = x.place >> 2; image < n; image++) {
      for (let y = 0; y < g.h; y++, from += g.width * stride) f.copyWithin(start(image, y), from, from + g.width * stride);
    }
    return;
  }
  const values = x.data;
  for (let image = 0, i = 0; image < n; image++) {
    for (let channel = 0; channel < c; channel++) {
      for (let y = 0; y < g.h; y++) {
        for (let to = start(image, y) + channel, end = to + g.width * stride; to < end; to += stride) f[to] = values[i++];
      }
    }
  }
}

// x [N, C, H, W], w [M, C / groups, kh, kw], bias [M] or nothing; `node` states what values are limited to, and its cache
// keeps what doesn't depend on the pixels.
export function convolve(x, w, bias, attributes, node, kernel) {
  const { memory } = kernel, plan = planned(x, w, bias, attributes, node, memory), { g } = plan;
  const [n] = x.dims, out = new Resident(memory, [n, w.dims[0], g.oh, g.ow], g.outStride);
  const direct = x.stride && !g.padded && g.sw === 1, place = direct ? x.place : memory.take(plan.room);
  if (!direct) spread(x, g, place, memory);
  if (g.filled < g.outStride) memory.floats.fill(0, out.place >> 2, (out.place >> 2) + out.room);
  const levels = +node.levels, steps = [4 * g.sw * g.stride, 4 * g.outStride], blocks = Math.ceil(g.m / 8);
  const run = (from, to, rows) => {
    const fours = Math.ceil(rows / 4);
    if (g.depthwise) return kernel.depthwise(from, plan.w, to, plan.bias, Math.ceil(g.c / 4), fours, g.kh * g.kw, plan.table, ...steps, plan.limits, levels);
    for (let group = 0; group < g.groups; group++) {
      const own = 4 * group * g.m, block = 8 * blocks * 4;
      kernel.product(from + 4 * group * (g.c / g.groups), plan.w + group * block * g.k * g.kh * g.across, to + own, plan.bias + group * block,
        blocks, fours, g.k, g.kh * g.across, plan.table, ...steps, plan.limits, levels);
    }
  };
  // What a run writes past its last row, the next one overwrites.
  if (g.whole && !g.padded) {
    const rows = Math.max(4, Math.floor(CACHED / g.k) & -4), all = n * g.oh * g.ow;
    for (let row = 0; row < all; row += rows) run(place + row * steps[0], out.place + row * steps[1], Math.min(rows, all - row));
  } else {
    for (let row = 0; row < n * g.oh; row++) {
      const image = Math.floor(row / g.oh), y = image * g.high + (row % g.oh) * g.sh;
      run(place + y * g.wide * g.stride * 4, out.place + row * g.ow * steps[1], g.ow);
    }
  }
  if (!direct) memory.give(place, plan.room);
  return out;
}

// The sum of two tensors of one shape, within the node's limits; undefined where they don't both lie in the memory.
export function sumOf(a, b, node, kernel) {
  if (!a.stride || a.stride !== b.stride || a.dims.join() !== b.dims.join()) return undefined;
  const { memory } = kernel, out = new Resident(memory, a.dims, a.stride);
  node.cache.limits ??= memory.keep(limitsOf(node));
  kernel.sum(a.place, b.place, out.place, (a.pixels * a.stride) >> 2, node.cache.limits, +node.levels);
  return out;
}
