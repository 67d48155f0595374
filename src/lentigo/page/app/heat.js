// Heat maps as lentigo.runtime.heatmaps draws them: the positive part of a map, its maximum 1, in viridis over grey.

import { centralSquare } from "./square.js";

const ANCHORS = ("440154 481769 472a7a 433d84 3d4e8a 355e8d 2e6d8e 297b8e 23898e 1f978b 21a585 2eb37c 46c06f 65cb5e 89d548 b0dd2f d8e219 fde725")
  .split(" ").map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
const CONTOUR = 0.5;

// Colour of a value of 0 to 1.
export function colour(value) {
  const at = Math.min(1, Math.max(0, value)) * (ANCHORS.length - 1), low = Math.min(Math.floor(at), ANCHORS.length - 2), rest = at - low;
  return ANCHORS[low].map((c, i) => Math.round(c + (ANCHORS[low + 1][i] - c) * rest));
}

// Values of 0 to 1 over a square of `side` pixels, from the map [h, w] of a class; null where nothing is positive.
export function heat(cam, index, side) {
  const [, , height, width] = cam.dims, plane = height * width;
  const positive = Array.from(cam.data.subarray(index * plane, (index + 1) * plane), (v) => (v > 0 && v < Infinity ? v : 0));
  const top = Math.max(...positive);
  if (!(top > 0)) return null;
  const weights = (n) => Array.from({ length: side }, (_, i) => {
    const at = Math.min(Math.max(((i + 0.5) * n) / side - 0.5, 0), n - 1), low = Math.min(Math.floor(at), Math.max(n - 2, 0));
    return [low, Math.min(low + 1, n - 1), at - low];
  });
  const rows = weights(height), columns = weights(width), values = new Float32Array(side * side);
  for (let y = 0, i = 0; y < side; y++) {
    const [y0, y1, fy] = rows[y];
    for (let x = 0; x < side; x++, i++) {
      const [x0, x1, fx] = columns[x];
      const upper = positive[y0 * width + x0] * (1 - fx) + positive[y0 * width + x1] * fx;
      const lower = positive[y1 * width + x0] * (1 - fx) + positive[y1 * width + x1] * fx;
      values[i] = (upper * (1 - fy) + lower * fy) / top;
    }
  }
  return values;
}

function paint(canvas, side, of) {
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d"), picture = context.createImageData(side, side);
  for (let i = 0; i < side * side; i++) picture.data.set(of(i), 4 * i);
  context.putImageData(picture, 0, 0);
}

export const paintHeat = (canvas, values, side) => paint(canvas, side, (i) => [...colour(values[i]), 255]);

// The line where the map passes half of its maximum: white on both sides of black, to be seen on any skin.
export function paintContour(canvas, values, side) {
  const inside = (x, y) => x >= 0 && y >= 0 && x < side && y < side && values[y * side + x] >= CONTOUR;
  const edge = (x, y, d) => inside(x, y) !== inside(x + d, y) || inside(x, y) !== inside(x, y + d) || inside(x, y) !== inside(x - d, y) || inside(x, y) !== inside(x, y - d);
  paint(canvas, side, (i) => {
    const x = i % side, y = (i - x) / side;
    if (edge(x, y, 1)) return [0, 0, 0, 255];
    return edge(x, y, 3) ? [255, 255, 255, 255] : [0, 0, 0, 0];
  });
}

// The picture with the overlay at `opacity`, for reports: on grey, since skin colours could be mistaken for evidence.
export async function overlaid(picture, values, side, opacity, contour) {
  const bitmap = await createImageBitmap(picture), { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height }), context = canvas.getContext("2d");
  if (values && opacity > 0) context.filter = "grayscale(1)";
  context.drawImage(bitmap, 0, 0);
  context.filter = "none";
  bitmap.close();
  const place = centralSquare(width, height), layer = document.createElement("canvas");
  const lay = (alpha) => {
    context.globalAlpha = alpha;
    context.drawImage(layer, place.left, place.top, place.side, place.side);
    context.globalAlpha = 1;
  };
  if (values) {
    paintHeat(layer, values, side);
    lay(opacity);
    if (contour) {
      paintContour(layer, values, side);
      lay(1);
    }
  }
  context.lineWidth = 4;
  context.strokeStyle = "black";
  context.strokeRect(place.left + 2, place.top + 2, place.side - 4, place.side - 4);
  context.lineWidth = 2;
  context.strokeStyle = "white";
  context.strokeRect(place.left + 2, place.top + 2, place.side - 4, place.side - 4);
  return canvas;
}
