// SHA-256 (FIPS 180-4): crypto.subtle is missing where a page is served without https.

const PRIMES = (() => {
  const found = [];
  for (let n = 2; found.length < 64; n++) if (found.every((p) => n % p)) found.push(n);
  return found;
})();
const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
const START = PRIMES.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
const ROUNDS = Int32Array.from(PRIMES, (p) => fraction(Math.cbrt(p)));

export function sha256(bytes) {
  const length = bytes.length, blocks = (length + 72) >> 6;
  const tail = new Uint8Array((blocks << 6) - (length & ~63));
  tail.set(bytes.subarray(length & ~63));
  tail[length & 63] = 128;
  new DataView(tail.buffer).setUint32(tail.length - 4, length << 3);
  new DataView(tail.buffer).setUint32(tail.length - 8, Math.floor(length / 2 ** 29));
  const state = Int32Array.from(START), w = new Int32Array(64), whole = length >> 6;
  for (let block = 0; block < blocks; block++) {
    const from = block < whole ? bytes : tail, at = block < whole ? block << 6 : (block - whole) << 6;
    for (let i = 0, p = at; i < 16; i++, p += 4) w[i] = (from[p] << 24) | (from[p + 1] << 16) | (from[p + 2] << 8) | from[p + 3];
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((v, i) => (state[i] += v));
  }
  return Array.from(state, (v) => (v >>> 0).toString(16).padStart(8, "0")).join("");
}
