// What kernel.js assembles, in plain JavaScript.

const ROUNDER = 1.5 * 2 ** 23, FAR = 2 ** 20;

// A float as the nearest whole number, halves to the even neighbour, as ONNX has it.
export function rounded(value) {
  const near = Math.fround(value < -FAR ? -FAR : value > FAR ? FAR : value);
  return Math.fround(near + ROUNDER) - ROUNDER;
}

// Floats from one place on within limits [low, high, scale, lowest level, highest level], as kernel.js has it.
export function limit(values, from, count, [low, high, scale, bottom, top], levels) {
  const end = from + count;
  for (let i = from; i < end; i++) values[i] = values[i] < low ? low : values[i] > high ? high : values[i];
  if (!levels) return;
  for (let i = from; i < end; i++) {
    const level = rounded(values[i] / scale) * scale;
    values[i] = level < bottom ? bottom : level > top ? top : level;
  }
}

export function plainKernel(memory) {
  const limitAll = (out, rows, step, count, limits, levels) => {
    const bounds = Array.from({ length: 5 }, (_, i) => memory.floats[(limits >> 2) + 4 * i]);
    for (let row = 0; row < rows; row++) limit(memory.floats, (out + row * step) >> 2, count, bounds, levels);
  };

  function product(x, w, out, bias, blocks, fours, k, runs, table, xStep, outStep, limits, levels) {
    const f = memory.floats, t = memory.numbers, next = xStep >> 2, below = outStep >> 2;
    for (let quarter = 0; quarter < 2 * blocks; quarter++) {
      const from = (w >> 2) + (quarter >> 1) * runs * k * 8 + 4 * (quarter & 1), b = (bias >> 2) + 4 * quarter;
      for (let row = 0; row < 4 * fours; row += 2) {
        let s0 = f[b], s1 = f[b + 1], s2 = f[b + 2], s3 = f[b + 3], z0 = s0, z1 = s1, z2 = s2, z3 = s3, pw = from;
        for (let run = 0; run < runs; run++) {
          let px = ((x + t[(table >> 2) + run]) >> 2) + row * next;
          for (let i = 0; i < k; i++, px++, pw += 8) {
            const a = f[px], c = f[px + next], w0 = f[pw], w1 = f[pw + 1], w2 = f[pw + 2], w3 = f[pw + 3];
            s0 += a * w0; s1 += a * w1; s2 += a * w2; s3 += a * w3;
            z0 += c * w0; z1 += c * w1; z2 += c * w2; z3 += c * w3;
          }
        }
        const to = (out >> 2) + row * below + 4 * quarter, down = to + below;
        f[to] = s0; f[to + 1] = s1; f[to + 2] = s2; f[to + 3] = s3;
        f[down] = z0; f[down + 1] = z1; f[down + 2] = z2; f[down + 3] = z3;
      }
    }
    limitAll(out, 4 * fours, outStep, 8 * blocks, limits, levels);
  }

  function depthwise(x, w, out, bias, blocks, fours, taps, table, xStep, outStep, limits, levels) {
    const f = memory.floats, t = memory.numbers, next = xStep >> 2;
    for (let pixel = 0; pixel < 4 * fours; pixel++) {
      for (let channel = 0; channel < 4 * blocks; channel += 4) {
        const b = (bias >> 2) + channel, from = (x >> 2) + pixel * next + channel, to = ((out + pixel * outStep) >> 2) + channel;
        let s0 = f[b], s1 = f[b + 1], s2 = f[b + 2], s3 = f[b + 3];
        for (let tap = table >> 2, end = tap + taps, pw = (w >> 2) + channel * taps; tap < end; tap++, pw += 4) {
          const px = from + (t[tap] >> 2);
          s0 += f[px] * f[pw]; s1 += f[px + 1] * f[pw + 1]; s2 += f[px + 2] * f[pw + 2]; s3 += f[px + 3] * f[pw + 3];
        }
        f[to] = s0; f[to + 1] = s1; f[to + 2] = s2; f[to + 3] = s3;
      }
    }
    limitAll(out, 4 * fours, outStep, 4 * blocks, limits, levels);
  }

  function sum(a, b, out, fours, limits, levels) {
    const f = memory.floats;
    for (let i = 0; i < 4 * fours; i++) f[(out >> 2) + i] = f[(a >> 2) + i] + f[(b >> 2) + i];
    limitAll(out, 1, 0, 4 * fours, limits, levels);
  }

  return { product, depthwise, sum, memory, name: "javascript" };
}
