// Heat maps as lentigo.runtime.heatmaps draws them: the positive part of a map, its maximum 1, in viridis over grey.

import { centralSquare } from "./square.js";

const ANCHORS = ("440154 481769 472a7a 433d84 3d4e8a 355e8d 2e6d8e 297b8e 23898e 1f978b 21a585 2eb37c 46c06f 65cb5e 89d548 b0dd2f d8e219 fde725")
  .split(" ").map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
const CONTOUR = 0.5, MARGIN = 3;

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
  const places = Float32Array.from({ length: side }, (_, i) => (i + 0.5) / side);
  const between = (n, at) => Math.min(Math.max(at * n - 0.5, 0), n - 1);
  const rows = new Float32Array(height * side), values = new Float32Array(side * side); // first along the rows, then across them
  for (let x = 0; x < side; x++) {
    const at = between(width, places[x]), low = Math.floor(at), high = Math.min(low + 1, width - 1), rest = at - low;
    for (let y = 0; y < height; y++) rows[y * side + x] = positive[y * width + low] * (1 - rest) + positive[y * width + high] * rest;
  }
  for (let y = 0, i = 0; y < side; y++) {
    const at = between(height, places[y]), low = Math.floor(at), rest = at - low, upper = low * side, lower = Math.min(low + 1, height - 1) * side;
    for (let x = 0; x < side; x++) values[i++] = (rows[upper + x] * (1 - rest) + rows[lower + x] * rest) / top;
  }
  return values;
}

// `fill` writes each pixel as one number, red in the lowest byte.
function paint(canvas, side, fill) {
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d"), picture = context.createImageData(side, side);
  fill(new Uint32Array(picture.data.buffer));
  context.putImageData(picture, 0, 0);
}

const OPAQUE = 0xff000000, STEPS = 1023;
const COLOURS = Uint32Array.from({ length: STEPS + 1 }, (_, i) => {
  const [r, g, b] = colour(i / STEPS);
  return OPAQUE | (b << 16) | (g << 8) | r;
});

export const paintHeat = (canvas, values, side) => paint(canvas, side, (pixels) => {
  for (let i = 0; i < pixels.length; i++) pixels[i] = COLOURS[Math.round(STEPS * values[i])];
});

// The line where the map passes half of its maximum: white on both sides of black, to be seen on any skin.
export function paintContour(canvas, values, side) {
  const wide = side + 2 * MARGIN, inside = new Uint8Array(wide * wide); // nothing is inside beyond the border
  for (let y = 0, i = 0; y < side; y++) for (let x = 0; x < side; x++, i++) inside[(y + MARGIN) * wide + x + MARGIN] = +(values[i] >= CONTOUR);
  const edge = (at, d) => inside[at] !== inside[at + d] || inside[at] !== inside[at - d] || inside[at] !== inside[at + d * wide] || inside[at] !== inside[at - d * wide];
  paint(canvas, side, (pixels) => {
    for (let y = 0, i = 0; y < side; y++) {
      for (let x = 0, at = (y + MARGIN) * wide + MARGIN; x < side; x++, i++, at++) pixels[i] = edge(at, 1) ? OPAQUE : edge(at, MARGIN) ? 0xffffffff : 0;
    }
  });
}

// The picture with the overlay at `opacity`, for reports: on grey, since skin colours could be mistaken for evidence.
export async function overlaid(picture, values, side, opacity, contour, outlined) {
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
  if (!outlined) return canvas;
  context.lineWidth = 4;
  context.strokeStyle = "black";
  context.strokeRect(place.left + 2, place.top + 2, place.side - 4, place.side - 4);
  context.lineWidth = 2;
  context.strokeStyle = "white";
  context.strokeRect(place.left + 2, place.top + 2, place.side - 4, place.side - 4);
  return canvas;
}
