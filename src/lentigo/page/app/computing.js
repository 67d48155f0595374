// Operators that compute, by their ONNX names. Each takes its inputs, attributes, and what the graph gives it.

import { convolve, sumOf } from "./conv.js";
import { transpose } from "./moving.js";
import { limit } from "./plain.js";
import { clamp, operator } from "./registry.js";
import { axisOf, broadcast, broadcastDims, empty, floats, size, stridesOf, tensor, walk } from "./tensors.js";

const each = (x, f) => tensor(x.data.map(f), x.dims);

// How many numbers in a row a tensor spread to `dims` gives each of its own to; 0 where that isn't so.
function stretch(t, dims) {
  const own = [...new Array(dims.length - t.dims.length).fill(1), ...t.dims];
  let axis = dims.length, run = 1;
  while (axis > 0 && own[axis - 1] === 1) run *= dims[--axis];
  return own.slice(0, axis).every((d, i) => d === dims[i]) ? run : 0;
}

// Two tensors, element by element, in stretches over which each gives either all of its numbers or one. The loops are
// written out: one that calls a function of its own for each element is several times as slow once it has met several
// functions. They go from `at` to `end`, in x from `i` on in steps of `di`, in y from `j` on in steps of `dj`.
function pairwise(loop) {
  return ([a, b]) => {
    const dims = broadcastDims(a.dims, b.dims), out = empty(a, dims), total = out.data.length;
    const operand = (t) => {
      const run = stretch(t, dims);
      return run ? { data: t.data, run, step: +(run === 1) } : { data: broadcast(t, dims).data, run: 1, step: 1 };
    };
    const x = operand(a), y = operand(b), short = Math.min(x.run, y.run), long = Math.max(x.run, y.run);
    const n = short > 1 ? short : long > 1 ? long : total;
    for (let at = 0; at < total; at += n) loop(x.data, Math.floor(at / x.run), x.step, y.data, Math.floor(at / y.run), y.step, out.data, at, at + n);
    return out;
  };
}

const many = (f) => (inputs) => inputs.reduce((a, b) => f([a, b]));

const plainSum = pairwise((x, i, di, y, j, dj, out, at, end) => { for (; at < end; at++, i += di, j += dj) out[at] = x[i] + y[j]; });
operator("Add", ([a, b], _, { node, kernel }) => {
  const resident = sumOf(a, b, node, kernel);
  if (resident) return resident;
  const out = plainSum([a, b]);
  if (node.limited) limit(out.data, 0, out.data.length, node.bounds, node.levels);
  return out;
});
operator("Sub", pairwise((x, i, di, y, j, dj, out, at, end) => { for (; at < end; at++, i += di, j += dj) out[at] = x[i] - y[j]; }));
operator("Mul", pairwise((x, i, di, y, j, dj, out, at, end) => { for (; at < end; at++, i += di, j += dj) out[at] = x[i] * y[j]; }));
operator("Div", pairwise((x, i, di, y, j, dj, out, at, end) => { for (; at < end; at++, i += di, j += dj) out[at] = x[i] / y[j]; })); // integers: cut by their array
operator("Pow", pairwise((x, i, di, y, j, dj, out, at, end) => { for (; at < end; at++, i += di, j += dj) out[at] = y[j] === 2 ? x[i] * x[i] : x[i] ** y[j]; }));
operator("Max", many(pairwise((x, i, di, y, j, dj, out, at, end) => { for (; at < end; at++, i += di, j += dj) out[at] = Math.max(x[i], y[j]); })));
operator("Min", many(pairwise((x, i, di, y, j, dj, out, at, end) => { for (; at < end; at++, i += di, j += dj) out[at] = Math.min(x[i], y[j]); })));

operator("Relu", ([x]) => {
  const out = empty(x, x.dims), from = x.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = from[i] < 0 ? 0 : from[i];
  return out;
});
operator("LeakyRelu", ([x], { alpha = 0.01 }) => each(x, (v) => (v < 0 ? alpha * v : v)));
operator("Clip", ([x, least, most], a) => {
  const low = least ? least.data[0] : (a.min ?? -Infinity), high = most ? most.data[0] : (a.max ?? Infinity);
  const out = empty(x, x.dims), from = x.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = from[i] < low ? low : from[i] > high ? high : from[i];
  return out;
});
operator("Sigmoid", ([x]) => each(x, (v) => 1 / (1 + Math.exp(-v))));
operator("HardSigmoid", ([x], { alpha = 0.2, beta = 0.5 }) => each(x, (v) => clamp(alpha * v + beta, 0, 1)));
operator("HardSwish", ([x]) => each(x, (v) => v * clamp(v / 6 + 0.5, 0, 1)));
operator("Tanh", ([x]) => each(x, Math.tanh));
operator("Exp", ([x]) => each(x, Math.exp));
operator("Log", ([x]) => each(x, Math.log));
operator("Sqrt", ([x]) => each(x, Math.sqrt));
operator("Abs", ([x]) => {
  const out = empty(x, x.dims), from = x.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = Math.abs(from[i]);
  return out;
});
operator("Neg", ([x]) => each(x, (v) => -v));
operator("Reciprocal", ([x]) => each(x, (v) => 1 / v));
operator("Identity", ([x]) => x);
operator("Dropout", ([x]) => x);

operator("Conv", ([x, w, bias], a, { node, kernel }) => convolve(x, w, bias, a, node, kernel));

operator("BatchNormalization", ([x, scale, shift, mean, variance], { epsilon = 1e-5 }) => {
  const [n, c] = x.dims, plane = x.data.length / (n * c), out = floats(x.dims);
  for (let i = 0, at = 0; i < n * c; i++) {
    const factor = scale.data[i % c] / Math.sqrt(variance.data[i % c] + epsilon);
    const offset = shift.data[i % c] - mean.data[i % c] * factor;
    for (let p = 0; p < plane; p++, at++) out.data[at] = x.data[at] * factor + offset;
  }
  return out;
});

// `window` gives the value of rows y0 to y1 and columns x0 to x1 of a plane of width w that starts at `base`.
function pool(window) {
  return ([x], a) => {
    const [n, c, h, w] = x.dims, [kh, kw] = a.kernel_shape, [sh, sw] = a.strides ?? [1, 1];
    const [top, left, bottom, right] = a.pads ?? [0, 0, 0, 0];
    const oh = Math.floor((h + top + bottom - kh) / sh) + 1, ow = Math.floor((w + left + right - kw) / sw) + 1;
    const out = floats([n, c, oh, ow]);
    let i = 0;
    for (let plane = 0; plane < n * c; plane++) {
      for (let oy = 0; oy < oh; oy++) {
        const y0 = Math.max(0, oy * sh - top), y1 = Math.min(h, oy * sh - top + kh);
        for (let ox = 0; ox < ow; ox++) {
          const x0 = Math.max(0, ox * sw - left), x1 = Math.min(w, ox * sw - left + kw);
          out.data[i++] = window(x.data, plane * h * w, w, y0, y1, x0, x1, a.count_include_pad ? kh * kw : (y1 - y0) * (x1 - x0));
        }
      }
    }
    return out;
  };
}
const averagePool = pool((data, base, w, y0, y1, x0, x1, count) => {
  let sum = 0;
  for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) sum += data[base + y * w + x];
  return sum / count;
});
const maxPool = pool((data, base, w, y0, y1, x0, x1) => {
  let top = -Infinity;
  for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) top = Math.max(top, data[base + y * w + x]);
  return top;
});
const whole = (x) => ({ kernel_shape: x.dims.slice(2) });
operator("AveragePool", averagePool);
operator("MaxPool", maxPool);
operator("GlobalAveragePool", ([x]) => averagePool([x], whole(x)));
operator("GlobalMaxPool", ([x]) => maxPool([x], whole(x)));

// `run` gives the value of `count` numbers from `at` on.
function reduce(run) {
  return ([x, axes], a) => {
    const rank = x.dims.length, stated = axes ? [...axes.data] : (a.axes ?? []);
    if (!stated.length && a.noop_with_empty_axes) return x;
    const over = new Set(stated.length ? stated.map((i) => axisOf(i, rank)) : x.dims.map((_, i) => i));
    const first = x.dims.map((_, i) => i).filter((i) => !over.has(i)), order = [...first, ...over];
    const strides = stridesOf(x.dims), outer = first.map((i) => x.dims[i]), count = size([...over].map((i) => x.dims[i]));
    const inOrder = order.every((axis, i) => axis === i);
    const values = inOrder ? x.data : walk(x, order.map((i) => x.dims[i]), order.map((i) => strides[i])).data;
    const out = empty(x, outer);
    for (let i = 0; i < out.data.length; i++) out.data[i] = run(values, i * count, count);
    return (a.keepdims ?? 1) ? tensor(out.data, x.dims.map((d, i) => (over.has(i) ? 1 : d))) : out;
  };
}
function total(values, at, count) {
  let sum = 0;
  for (let i = at; i < at + count; i++) sum += values[i];
  return sum;
}
operator("ReduceMean", reduce((values, at, count) => total(values, at, count) / count));
operator("ReduceSum", reduce(total));
operator("ReduceMax", reduce((values, at, count) => values.subarray(at, at + count).reduce((a, b) => Math.max(a, b), -Infinity)));
operator("ReduceMin", reduce((values, at, count) => values.subarray(at, at + count).reduce((a, b) => Math.min(a, b), Infinity)));
operator("ReduceL2", reduce((values, at, count) => Math.sqrt(values.subarray(at, at + count).reduce((s, v) => s + v * v, 0))));

// Two matrices at `ao` and `bo` of two arrays into `out` at `oo`.
function product(a, ao, b, bo, out, oo, m, k, n) {
  const row = new Float64Array(n);
  for (let i = 0; i < m; i++) {
    row.fill(0);
    for (let j = 0; j < k; j++) {
      const x = a[ao + i * k + j], at = bo + j * n;
      if (x !== 0) for (let c = 0; c < n; c++) row[c] += x * b[at + c];
    }
    out.set(row, oo + i * n);
  }
}

operator("MatMul", ([a, b]) => {
  const left = a.dims.length === 1 ? [1, ...a.dims] : a.dims, right = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  const [m, k] = left.slice(-2), [inner, n] = right.slice(-2);
  if (k !== inner) throw new Error(`matrices [${left}] and [${right}] don't multiply`);
  const batch = broadcastDims(left.slice(0, -2), right.slice(0, -2)), count = size(batch);
  const spread = (t, dims) => broadcast(tensor(t.data, dims), [...batch, ...dims.slice(-2)]).data;
  const x = spread(a, left), y = spread(b, right), out = floats([...batch, m, n]);
  for (let i = 0; i < count; i++) product(x, i * m * k, y, i * k * n, out.data, i * m * n, m, k, n);
  const dims = [...batch, ...(a.dims.length > 1 ? [m] : []), ...(b.dims.length > 1 ? [n] : [])];
  return tensor(out.data, dims);
});

operator("Gemm", ([a, b, c], { alpha = 1, beta = 1, transA = 0, transB = 0 }) => {
  const x = transA ? transpose(a, [1, 0]) : a, y = transB ? transpose(b, [1, 0]) : b;
  const [m, k] = x.dims, n = y.dims[1], out = floats([m, n]);
  product(x.data, 0, y.data, 0, out.data, 0, m, k, n);
  const added = c && broadcast(c, [m, n]).data;
  return each(out, (v, i) => alpha * v + (added ? beta * added[i] : 0));
});

operator("Einsum", ([a, b], { equation }) => {
  const [inputs, result] = equation.replace(/ /g, "").split("->"), [one, two] = inputs.split(",");
  const extent = {};
  [...one].forEach((letter, i) => (extent[letter] = a.dims[i]));
  [...two].forEach((letter, i) => (extent[letter] = b.dims[i]));
  const summed = Object.keys(extent).filter((letter) => !result.includes(letter)), order = [...result, ...summed];
  const along = (t, letters) => {
    const strides = stridesOf(t.dims);
    const step = (letter) => [...letters].reduce((s, l, i) => (l === letter ? s + strides[i] : s), 0);
    return walk(t, order.map((l) => extent[l]), order.map(step)).data;
  };
  const x = along(a, one), y = along(b, two), out = floats([...result].map((l) => extent[l]));
  const count = size(summed.map((l) => extent[l]));
  for (let i = 0, at = 0; i < out.data.length; i++) {
    let sum = 0;
    for (const end = at + count; at < end; at++) sum += x[at] * y[at];
    out.data[i] = sum;
  }
  return out;
});

function softmax(x, axis, log) {
  const at = axisOf(axis, x.dims.length), n = x.dims[at], inner = size(x.dims.slice(at + 1)), out = floats(x.dims);
  for (let i = 0; i < x.data.length; i += n * inner) {
    for (let j = i; j < i + inner; j++) {
      let top = -Infinity, total = 0;
      for (let k = 0; k < n; k++) top = Math.max(top, x.data[j + k * inner]);
      for (let k = 0; k < n; k++) total += Math.exp(x.data[j + k * inner] - top);
      for (let k = 0; k < n; k++) {
        const shifted = x.data[j + k * inner] - top;
        out.data[j + k * inner] = log ? shifted - Math.log(total) : Math.exp(shifted) / total;
      }
    }
  }
  return out;
}
operator("Softmax", ([x], { axis = -1 }) => softmax(x, axis, false));
operator("LogSoftmax", ([x], { axis = -1 }) => softmax(x, axis, true));
