// Crop and antialiased resize, as the bundle's graph has them, row by row: no photograph is ever held as floats.
//
// A[i, j] = max(0, 1 - |(j + 1/2) - (i + 1/2) s| / max(s, 1)), rows scaled to sum 1, s = side / size.

import { floats } from "./tensors.js";

// The central square of an image: left, top and side.
export function centralSquare(width, height) {
  const side = Math.min(width, height);
  return { left: Math.floor((width - side) / 2), top: Math.floor((height - side) / 2), side };
}

function taps(side, size) {
  const scale = side / size, support = Math.max(scale, 1);
  return Array.from({ length: size }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support - 0.5)), last = Math.min(side - 1, Math.ceil(centre + support - 0.5));
    const weights = Float64Array.from({ length: last - first + 1 }, (_, j) => Math.max(0, 1 - Math.abs(first + j + 0.5 - centre) / support));
    const total = weights.reduce((s, w) => s + w, 0);
    return { first, weights: weights.map((w) => w / total) };
  });
}

export class Square {
  constructor(side, size) {
    this.side = side;
    this.size = size;
    this.taps = taps(side, size);
    this.sums = new Float64Array(size * size * 3);
    this.across = new Float64Array(size * 3);
  }

  // Rows of the square, as RGBA bytes, from row `y` on.
  add(rgba, y) {
    const { size, side, across, sums } = this, pixels = new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length >> 2);
    for (let at = 0; at < pixels.length; at += side, y++) {
      for (let i = 0; i < size; i++) {
        const { first, weights } = this.taps[i];
        let r = 0, g = 0, b = 0;
        for (let j = 0, p = at + first; j < weights.length; j++, p++) {
          const w = weights[j], pixel = pixels[p]; // low byte first, as all of today's processors have it
          r += w * (pixel & 255); g += w * ((pixel >> 8) & 255); b += w * ((pixel >> 16) & 255);
        }
        across[3 * i] = r; across[3 * i + 1] = g; across[3 * i + 2] = b;
      }
      for (let i = 0; i < size; i++) {
        const { first, weights } = this.taps[i];
        const w = weights[y - first];
        if (w) for (let k = 0, to = i * size * 3; k < across.length; k++) sums[to + k] += w * across[k];
      }
    }
  }

  // float32 [1, 3, size, size], values 0 to 255.
  get tensor() {
    const { size, sums } = this, out = floats([1, 3, size, size]), plane = size * size;
    for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) out.data[c * plane + i] = sums[3 * i + c];
    return out;
  }
}
