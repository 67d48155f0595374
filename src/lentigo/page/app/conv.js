// Convolution: columns of pixels packed for the kernel's matrix product; depthwise ones directly.

import { floats } from "./tensors.js";

function geometry(x, w, a) {
  const [kh, kw] = w.dims.slice(2);
  const [sh, sw] = a.strides ?? [1, 1], [dh, dw] = a.dilations ?? [1, 1], [top, left, bottom, right] = a.pads ?? [0, 0, 0, 0];
  const [, , h, width] = x.dims;
  const oh = Math.floor((h + top + bottom - dh * (kh - 1) - 1) / sh) + 1;
  const ow = Math.floor((width + left + right - dw * (kw - 1) - 1) / sw) + 1;
  return { kh, kw, sh, sw, dh, dw, top, left, oh, ow, h, width };
}

// For each tap of the filter and each output pixel the place of its input pixel in a channel, or -1 in the padding.
function sources(g) {
  const table = new Int32Array(g.kh * g.kw * g.oh * g.ow);
  let i = 0;
  for (let ky = 0; ky < g.kh; ky++) {
    for (let kx = 0; kx < g.kw; kx++) {
      for (let oy = 0; oy < g.oh; oy++) {
        const y = oy * g.sh - g.top + ky * g.dh;
        for (let ox = 0; ox < g.ow; ox++) {
          const x = ox * g.sw - g.left + kx * g.dw;
          table[i++] = y < 0 || y >= g.h || x < 0 || x >= g.width ? -1 : y * g.width + x;
        }
      }
    }
  }
  return table;
}

// Weights of each group as [mBlocks][k][4], biases padded to blocks of 4; both stay in the kernel's memory.
function kept(w, bias, groups, memory) {
  const m = w.dims[0] / groups, k = w.data.length / w.dims[0], blocks = Math.ceil(m / 4);
  const places = [];
  for (let g = 0; g < groups; g++) {
    const packed = new Float32Array(blocks * k * 4), shifts = new Float32Array(blocks * 4);
    for (let row = 0; row < m; row++) {
      const from = (g * m + row) * k, to = (row >> 2) * k * 4 + (row & 3);
      for (let i = 0; i < k; i++) packed[to + 4 * i] = w.data[from + i];
      shifts[row] = bias ? bias.data[g * m + row] : 0;
    }
    places.push([memory.keep(packed), memory.keep(shifts)]);
  }
  return { places, m, k, blocks };
}

// Tap by tap, each over the rows and columns where its input pixel lies inside.
function depthwise(x, w, bias, g, low) {
  const [n, c] = x.dims, multiplier = w.dims[0] / c, out = floats([n, w.dims[0], g.oh, g.ow]), xs = x.data, sums = out.data;
  const first = (pad, at, stride) => Math.max(0, Math.ceil((pad - at) / stride));
  const end = (pad, at, stride, extent, count) => Math.min(count, Math.floor((extent - 1 + pad - at) / stride) + 1);
  for (let plane = 0; plane < n * w.dims[0]; plane++) {
    const channel = plane % w.dims[0], from = (Math.floor(plane / w.dims[0]) * c + Math.floor(channel / multiplier)) * g.h * g.width;
    const to = plane * g.oh * g.ow, last = to + g.oh * g.ow;
    if (bias) sums.fill(bias.data[channel], to, last);
    for (let ky = 0, tap = channel * g.kh * g.kw; ky < g.kh; ky++) {
      const y0 = first(g.top, ky * g.dh, g.sh), y1 = end(g.top, ky * g.dh, g.sh, g.h, g.oh);
      for (let kx = 0; kx < g.kw; kx++, tap++) {
        const weight = w.data[tap], x0 = first(g.left, kx * g.dw, g.sw), x1 = end(g.left, kx * g.dw, g.sw, g.width, g.ow);
        for (let oy = y0; oy < y1; oy++) {
          let at = from + (oy * g.sh - g.top + ky * g.dh) * g.width + x0 * g.sw - g.left + kx * g.dw;
          for (let p = to + oy * g.ow + x0, stop = to + oy * g.ow + x1; p < stop; p++, at += g.sw) sums[p] += weight * xs[at];
        }
      }
    }
    if (low > -Infinity) for (let p = to; p < last; p++) if (sums[p] < low) sums[p] = low;
  }
  return out;
}

// x [N, C, H, W], w [M, C / groups, kh, kw], bias [M] or nothing; `node` states what values are limited to, and its cache
// keeps what doesn't depend on the pixels.
export function convolve(x, w, bias, attributes, node, kernel) {
  const out = product(x, w, bias, attributes, node, kernel), { high } = node, values = out.data;
  if (high < Infinity) for (let i = 0; i < values.length; i++) if (values[i] > high) values[i] = high;
  return out;
}

function product(x, w, bias, attributes, { low, cache }, kernel) {
  const groups = attributes.group ?? 1, g = geometry(x, w, attributes);
  const [n, c] = x.dims;
  if (groups > 1 && groups === c) return depthwise(x, w, bias, g, low);
  const memory = kernel.memory;
  const { places, m, k, blocks } = (cache.kept ??= kept(w, bias, groups, memory));
  const shape = x.dims.join();
  if (cache.shape !== shape) {
    cache.shape = shape;
    cache.table = sources(g);
    const columns = n * g.oh * g.ow;
    cache.columns = Int32Array.from({ length: columns }, (_, i) => (i >> 3) * k * 8 + (i & 7));
  }
  const { table, columns } = cache;
  const pixels = g.oh * g.ow, plane = g.h * g.width, taps = g.kh * g.kw, nBlocks = Math.ceil(columns.length / 8), wide = 8 * nBlocks;
  const b = (memory.kept + 15) & ~15, result = b + 4 * nBlocks * k * 8;
  memory.reserve(b, nBlocks * k * 8 + blocks * 4 * wide);
  const out = floats([n, w.dims[0], g.oh, g.ow]), f = memory.floats, xs = x.data, perGroup = c / groups;
  for (let group = 0; group < groups; group++) {
    for (let image = 0; image < n; image++) {
      const firstColumn = image * pixels;
      for (let channel = 0; channel < perGroup; channel++) {
        const from = (image * c + group * perGroup + channel) * plane;
        for (let tap = 0; tap < taps; tap++) {
          const row = tap * pixels, to = (b >> 2) + (channel * taps + tap) * 8;
          for (let p = 0; p < pixels; p++) {
            const at = table[row + p];
            f[to + columns[firstColumn + p]] = at < 0 ? 0 : xs[from + at];
          }
        }
      }
    }
    kernel.gemm(places[group][0], b, result, places[group][1], blocks, nBlocks, k, low);
    for (let image = 0; image < n; image++) {
      for (let row = 0; row < m; row++) {
        const at = (result >> 2) + row * wide + image * pixels;
        out.data.set(f.subarray(at, at + pixels), ((image * groups + group) * m + row) * pixels);
      }
    }
  }
  return out;
}
