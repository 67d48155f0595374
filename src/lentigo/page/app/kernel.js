// Matrix products on packed operands: WebAssembly with SIMD, assembled here, or plain JavaScript where there is none.
//
// c[4 mBlocks, 8 nBlocks] = max(low, a * b + bias), where a is packed as [mBlocks][k][4] and b as [nBlocks][k][8]. All
// operands are in one memory, addressed in bytes.

const PAGE = 65536;
const I32 = 0x7f, F32 = 0x7d, V128 = 0x7b;
const get = (i) => [0x20, ...leb(i)];
const set = (i) => [0x21, ...leb(i)];
const i32 = (n) => [0x41, ...sleb(n)];
const simd = (...op) => [0xfd, ...op];
const load = (offset) => simd(0x00, 2, ...leb(offset));
const splat = (offset) => simd(0x09, 2, ...leb(offset));
const store = (offset) => simd(0x0b, 2, ...leb(offset));
const addInt = [0x6a], multiplyInt = [0x6c];
const add = simd(0xe4, 1), multiply = simd(0xe6, 1), maximum = simd(0xe9, 1), splatted = simd(0x13);

function leb(n) {
  const bytes = [];
  do { bytes.push((n & 127) | (n > 127 ? 128 : 0)); n >>>= 7; } while (n);
  return bytes;
}

function sleb(n) {
  const bytes = [];
  for (;;) {
    const byte = n & 127;
    n >>= 7;
    if ((n === 0 && !(byte & 64)) || (n === -1 && byte & 64)) return [...bytes, byte];
    bytes.push(byte | 128);
  }
}

const step = (local, bytes) => [...get(local), ...i32(bytes), ...addInt, ...set(local)];
const section = (id, content) => [id, ...leb(content.length), ...content];
const text = (s) => [...leb(s.length), ...[...s].map((c) => c.charCodeAt(0))];

// while (count) { body; count -= 1 }, for a count of at least one.
const loop = (count, body) => [0x03, 0x40, ...body, ...step(count, -1), ...get(count), 0x0d, 0, 0x0b];

function assembled() {
  // Parameters, then locals: 4 x 2 vectors of sums, two of b, places and counters.
  const [a, b, c, bias, mBlocks, nBlocks, k, low] = [0, 1, 2, 3, 4, 5, 6, 7];
  const sum = (row, half) => 8 + 2 * row + half;
  const [b0, b1] = [16, 17];
  const [pa, pb, pc, pbias, m, n, kk, wide] = [18, 19, 20, 21, 22, 23, 24, 25];
  const rows = [0, 1, 2, 3];
  const start = rows.flatMap((r) => [...get(pbias), ...splat(4 * r), ...set(sum(r, 0)), ...get(sum(r, 0)), ...set(sum(r, 1))]);
  const product = rows.flatMap((r) => [0, 1].flatMap((h) => [
    ...get(sum(r, h)), ...get(pa), ...splat(4 * r), ...get(h ? b1 : b0), ...multiply, ...add, ...set(sum(r, h)),
  ]));
  const overK = [
    ...get(pb), ...load(0), ...set(b0), ...get(pb), ...load(16), ...set(b1), ...product, ...step(pa, 16), ...step(pb, 32),
  ];
  const finish = rows.flatMap((r) => [
    ...[0, 1].flatMap((h) => [
      ...get(pc), ...get(sum(r, h)), ...get(low), ...splatted, ...maximum, ...store(16 * h),
    ]),
    ...get(pc), ...get(wide), ...addInt, ...set(pc),
  ]);
  const overM = [
    ...start, ...get(b), ...set(pb), ...get(k), ...set(kk), ...loop(kk, overK), ...finish, ...step(pbias, 16),
  ];
  const overN = [
    ...get(a), ...set(pa), ...get(bias), ...set(pbias), ...get(c), ...set(pc), ...get(mBlocks), ...set(m),
    ...loop(m, overM), ...get(pb), ...set(b), ...step(c, 32),
  ];
  const body = [
    ...leb(2), ...leb(10), V128, ...leb(8), I32,
    ...get(nBlocks), ...i32(32), ...multiplyInt, ...set(wide), ...get(nBlocks), ...set(n), ...loop(n, overN), 0x0b,
  ];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 8, I32, I32, I32, I32, I32, I32, I32, F32, 0]),
    ...section(2, [1, ...text("js"), ...text("memory"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text("gemm"), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}

// The same in plain JavaScript, on the memory as floats.
function plain(memory) {
  return (a, b, c, bias, mBlocks, nBlocks, k, low) => {
    const f = memory.floats, wide = 8 * nBlocks;
    for (let n = 0; n < nBlocks; n++) {
      for (let m = 0; m < mBlocks; m++) {
        for (let half = 0; half < 8; half += 2) {
          let pa = (a >> 2) + m * k * 4, pb = (b >> 2) + n * k * 8 + half;
          const o = (bias >> 2) + 4 * m;
          let s00 = f[o], s01 = s00, s10 = f[o + 1], s11 = s10, s20 = f[o + 2], s21 = s20, s30 = f[o + 3], s31 = s30;
          for (let i = 0; i < k; i++, pa += 4, pb += 8) {
            const x = f[pb], y = f[pb + 1], w0 = f[pa], w1 = f[pa + 1], w2 = f[pa + 2], w3 = f[pa + 3];
            s00 += w0 * x; s01 += w0 * y; s10 += w1 * x; s11 += w1 * y;
            s20 += w2 * x; s21 += w2 * y; s30 += w3 * x; s31 += w3 * y;
          }
          const pc = (c >> 2) + 4 * m * wide + 8 * n + half;
          f[pc] = Math.max(s00, low); f[pc + 1] = Math.max(s01, low);
          f[pc + wide] = Math.max(s10, low); f[pc + wide + 1] = Math.max(s11, low);
          f[pc + 2 * wide] = Math.max(s20, low); f[pc + 2 * wide + 1] = Math.max(s21, low);
          f[pc + 3 * wide] = Math.max(s30, low); f[pc + 3 * wide + 1] = Math.max(s31, low);
        }
      }
    }
  };
}

// Memory that grows: what is kept lies first, what one operation needs comes after it.
class Memory {
  constructor(native) {
    this.native = native;
    this.buffer = native ? native.buffer : new ArrayBuffer(PAGE);
    this.floats = new Float32Array(this.buffer);
    this.kept = 0;
  }

  // Room for `count` floats behind `place`; old views are void afterwards.
  reserve(place, count) {
    const missing = place + 4 * count - this.buffer.byteLength;
    if (missing > 0) {
      if (this.native) {
        this.native.grow(Math.ceil(missing / PAGE));
        this.buffer = this.native.buffer;
        this.floats = new Float32Array(this.buffer);
      } else {
        const larger = new Float32Array((this.buffer.byteLength + Math.max(missing, PAGE)) >> 2);
        larger.set(this.floats);
        this.floats = larger;
        this.buffer = larger.buffer;
      }
    }
    return place;
  }

  keep(values) {
    const place = this.reserve(this.kept, values.length);
    this.floats.set(values, place >> 2);
    this.kept = (place + 4 * values.length + 15) & ~15;
    return place;
  }
}

export function makeKernel(useWasm = true) {
  if (useWasm) {
    try {
      const native = new WebAssembly.Memory({ initial: 1 });
      const instance = new WebAssembly.Instance(new WebAssembly.Module(assembled()), { js: { memory: native } });
      return { memory: new Memory(native), gemm: instance.exports.gemm, name: "wasm-simd" };
    } catch {
      // No WebAssembly, no SIMD, or a policy against it.
    }
  }
  const memory = new Memory(null);
  return { memory, gemm: plain(memory), name: "javascript" };
}
