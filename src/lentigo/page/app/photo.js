// A photograph: checked, decoded by the browser, and read strip by strip, so that 48 megapixels fit on a phone.
//
// The browser turns it upright and converts its colour profile to sRGB; transparency is laid on white.

import { checkFile, MAX_BYTES } from "./formats.js";
import { Refusal } from "./refusal.js";
import { centralSquare, Square } from "./square.js";

const STRIP = 2_000_000;
const SHOWN = 960;
const BLANK_STD = 2, LOOKED_AT = 512;

function canvasOf(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  if (!context) throw new Refusal("fail.memory");
  return { canvas, context };
}

let strip = null;

// One canvas for the strips of all photos.
function stripOf(width, height) {
  strip ??= canvasOf(width, height);
  if (strip.canvas.width !== width || strip.canvas.height !== height) Object.assign(strip.canvas, { width, height });
  Object.assign(strip.context, { imageSmoothingEnabled: false, fillStyle: "white" });
  return strip.context;
}

// Standard deviations over a grid of pixels that suffices to detect a blank square.
class Spread {
  constructor(side) {
    this.step = Math.max(1, Math.floor(side / LOOKED_AT));
    this.sums = [0, 0, 0];
    this.squares = [0, 0, 0];
    this.count = 0;
  }

  add(rgba, y, side) {
    for (let at = 0; at < rgba.length; at += 4 * side, y++) {
      if (y % this.step) continue;
      for (let x = 0, p = at; x < side; x += this.step, p += 4 * this.step, this.count++) {
        for (let c = 0; c < 3; c++) {
          this.sums[c] += rgba[p + c];
          this.squares[c] += rgba[p + c] ** 2;
        }
      }
    }
  }

  get blank() {
    const std = (c) => Math.sqrt(Math.max(0, this.squares[c] / this.count - (this.sums[c] / this.count) ** 2));
    return Math.max(std(0), std(1), std(2)) < BLANK_STD;
  }
}

async function decode(file) {
  if (file.size > MAX_BYTES) throw new Refusal("fail.bytes", { limit: MAX_BYTES / 1e6 }, "fail.large.step");
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Refusal("fail.memory");
  }
  checkFile(bytes);
  try {
    return await createImageBitmap(new Blob([bytes]), { imageOrientation: "from-image", premultiplyAlpha: "default", colorSpaceConversion: "default" });
  } catch {
    throw new Refusal("fail.memory");
  }
}

function shown(bitmap) {
  const scale = Math.min(1, SHOWN / Math.max(bitmap.width, bitmap.height));
  const { canvas, context } = canvasOf(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
}

// What the model and the checks see of a file: {width, height, tensor, blank, picture}. `pause` may throw to stop.
export async function readPhoto(file, size, pause) {
  const bitmap = await decode(file);
  try {
    const { width, height } = bitmap, { left, top, side } = centralSquare(width, height);
    const square = new Square(side, size), spread = new Spread(side), rows = Math.max(1, Math.min(side, Math.floor(STRIP / side)));
    for (let y = 0; y < side; y += rows) {
      const n = Math.min(rows, side - y);
      const context = stripOf(side, rows);
      context.fillRect(0, 0, side, n);
      context.drawImage(bitmap, left, top + y, side, n, 0, 0, side, n);
      const rgba = context.getImageData(0, 0, side, n).data;
      square.add(rgba, y);
      spread.add(rgba, y, side);
      await pause(y / side);
    }
    return { width, height, tensor: square.tensor, blank: spread.blank, picture: Math.max(width, height) > SHOWN ? await shown(bitmap) : file };
  } finally {
    bitmap.close();
  }
}
