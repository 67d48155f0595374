// What a file is, by its first bytes, and what speaks against reading it: the rules of lentigo.runtime.codecs, as far as
// they can be checked without decoding the pixels.

import { Refusal } from "./refusal.js";

export const MAX_PIXELS = 64_000_000;
export const MAX_BYTES = 8 * MAX_PIXELS;
const HEATMAP = "lentigo heat map";

const latin = (bytes, from, to) => String.fromCharCode(...bytes.subarray(from, to));

// Formats that browsers can't be relied on to read, by what they start with.
const FOREIGN = [
  ["TIFF", (b) => /^(II[*+]\0|MM\0[*+])/.test(latin(b, 0, 4))],
  ["HEIC", (b) => latin(b, 4, 8) === "ftyp" && /^(hei[cxms]|hev[cxms]|mif1|msf1)/.test(latin(b, 8, 12)) && !/avif/.test(latin(b, 8, 40))],
  ["AVIF", (b) => latin(b, 4, 8) === "ftyp" && /avif|avis/.test(latin(b, 8, 40))],
  ["DICOM", (b) => latin(b, 128, 132) === "DICM" || (/^[\x02\x08]\0/.test(latin(b, 0, 2)) && /^(UL|OB|CS|UI|DA|LO)$/.test(latin(b, 4, 6)))],
  ["JPEG XL", (b) => /^\xff\x0a/.test(latin(b, 0, 2)) || latin(b, 4, 8) === "JXL "],
  ["JPEG 2000", (b) => latin(b, 4, 8) === "jP  " || /^\xff\x4f\xff\x51/.test(latin(b, 0, 4))],
  ["JPEG-LS", (b) => /^\xff\xd8\xff\xf7/.test(latin(b, 0, 4))],
  ["Photoshop", (b) => latin(b, 0, 4) === "8BPS"],
  ["PostScript", (b) => latin(b, 0, 4) === "%!PS"],
  ["PDF", (b) => latin(b, 0, 5) === "%PDF-"],
  ["SVG", (b) => /^[\xef\xbb\xbf\s]*</.test(latin(b, 0, 16)) && /<svg/i.test(latin(b, 0, 512))],
];

const KNOWN = [
  ["JPEG", (b) => /^\xff\xd8\xff/.test(latin(b, 0, 3))],
  ["PNG", (b) => /^\x89PNG/.test(latin(b, 0, 4))],
  ["GIF", (b) => /^GIF8[79]a/.test(latin(b, 0, 6))],
  ["WebP", (b) => latin(b, 0, 4) === "RIFF" && latin(b, 8, 12) === "WEBP"],
  ["BMP", (b) => latin(b, 0, 2) === "BM" && b[6] + b[7] + b[8] + b[9] === 0],
];

const damaged = () => new Refusal("fail.damaged");

function refuseSize(width, height) {
  if (width < 1 || height < 1) throw damaged();
  if (width * height > MAX_PIXELS) throw new Refusal("fail.large", { width, height, limit: MAX_PIXELS });
}

// Segments up to the end of the picture; without an end the file was cut.
function checkJpeg(b) {
  const view = new DataView(b.buffer, b.byteOffset, b.length), pieces = new Set();
  let place = 2, frame = false, scans = 0, profile = 0;
  for (;;) {
    do place = b.indexOf(0xff, place) + 1; while (place && (!b[place] || b[place] === 0xff || (b[place] >= 0xd0 && b[place] <= 0xd7)));
    if (!place || place >= b.length) throw damaged();
    place--;
    const code = b[place + 1], body = place + 4;
    place += 2;
    if (code === 0xd9) break;
    if (code === 0x01 || code === 0xd8) continue;
    if (place + 2 > b.length) throw damaged();
    const end = place + view.getUint16(place);
    if (end > b.length) throw damaged();
    if (code >= 0xc0 && code <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(code)) {
      refuseSize(view.getUint16(body + 3), view.getUint16(body + 1));
      if (b[body + 5] === 4) throw new Refusal("fail.cmyk", {}, "fail.colours.step");
      frame = true;
    }
    if (code === 0xda) scans++;
    if (code === 0xfe && latin(b, body, body + HEATMAP.length) === HEATMAP) throw new Refusal("fail.heatmap");
    if (code === 0xe2 && latin(b, body, body + 12) === "ICC_PROFILE\0") {
      pieces.add(b[body + 12]);
      profile = b[body + 13];
    }
    place = end;
  }
  if (!frame || !scans) throw damaged();
  if (pieces.size !== profile) throw new Refusal("fail.colours");
}

const CRC = Int32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

export function crc32(bytes) {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

// All chunks with their checksums.
function checkPng(b) {
  const view = new DataView(b.buffer, b.byteOffset, b.length);
  for (let place = 8; place + 12 <= b.length; ) {
    const length = view.getUint32(place), end = place + 8 + length;
    if (end + 4 > b.length || crc32(b.subarray(place + 4, end)) !== view.getUint32(end)) throw damaged();
    const name = latin(b, place + 4, place + 8), body = place + 8;
    if ((name === "IHDR") !== (place === 8)) throw damaged();
    if (name === "IHDR") refuseSize(view.getUint32(body), view.getUint32(body + 4));
    if (name === "acTL" && view.getUint32(body) > 1) throw new Refusal("fail.several");
    if (name === "cICP" && !(b[body] === 1 && b[body + 1] === 13)) throw new Refusal("fail.colours");
    if (name === "tEXt" && latin(b, body, Math.min(end, body + 64)) === `Software\0${HEATMAP}`) throw new Refusal("fail.heatmap");
    if (name === "IEND") return;
    place = end + 4;
  }
  throw damaged();
}

// Blocks up to the trailer; a second picture makes it an animation.
function checkGif(b) {
  const view = new DataView(b.buffer, b.byteOffset, b.length), colours = (flags) => (flags & 128 ? 3 << ((flags & 7) + 1) : 0);
  if (b.length < 14) throw damaged();
  refuseSize(view.getUint16(6, true), view.getUint16(8, true));
  let place = 13 + colours(b[10]), pictures = 0;
  while (place < b.length && b[place] !== 0x3b) {
    if (b[place] === 0x2c) {
      if (++pictures > 1) throw new Refusal("fail.several");
      place += 11 + colours(b[place + 9]);
    } else if (b[place] === 0x21) {
      place += 2;
    } else {
      throw damaged();
    }
    while (place < b.length && b[place]) place += b[place] + 1;
    place++;
  }
  if (place >= b.length || !pictures) throw damaged();
}

function checkWebp(b) {
  const view = new DataView(b.buffer, b.byteOffset, b.length);
  if (b.length < 30 || view.getUint32(4, true) + 8 > b.length) throw damaged();
  const kind = latin(b, 12, 16), three = (at) => b[at] | (b[at + 1] << 8) | (b[at + 2] << 16);
  if (kind === "VP8X") {
    refuseSize(three(24) + 1, three(27) + 1);
    if (b[20] & 2) throw new Refusal("fail.several");
  }
}

function checkBmp(b) {
  const view = new DataView(b.buffer, b.byteOffset, b.length);
  if (b.length < 26) throw damaged();
  const old = view.getUint32(14, true) === 12;
  const width = old ? view.getUint16(18, true) : view.getInt32(18, true), height = old ? view.getUint16(20, true) : Math.abs(view.getInt32(22, true));
  refuseSize(width, height);
  const bits = view.getUint16(old ? 24 : 28, true), packed = !old && b.length > 34 && [1, 2].includes(view.getUint32(30, true));
  if (!packed && view.getUint32(10, true) + ((width * bits + 31) >> 5) * 4 * height > b.length) throw damaged();
}

const CHECKS = { JPEG: checkJpeg, PNG: checkPng, GIF: checkGif, WebP: checkWebp, BMP: checkBmp };

// The format of a file that may be decoded. Throws a Refusal for any other.
export function checkFile(bytes) {
  if (!bytes.length) throw new Refusal("fail.empty");
  if (bytes.length > MAX_BYTES) throw new Refusal("fail.bytes", { limit: MAX_BYTES / 1e6 }, "fail.large.step");
  const start = bytes.subarray(0, 512), is = ([, test]) => test(start);
  const foreign = FOREIGN.find(is);
  if (foreign) throw new Refusal("fail.format", { format: foreign[0] });
  const known = KNOWN.find(is);
  if (!known) throw new Refusal("fail.unknown");
  try {
    CHECKS[known[0]](bytes);
  } catch (error) {
    throw error instanceof RangeError ? damaged() : error;
  }
  return known[0];
}
