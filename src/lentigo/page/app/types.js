// Operators between types of numbers: casts, and the levels of quantized networks.

import { rounded } from "./plain.js";
import { operator } from "./registry.js";
import { axisOf, floats, size, tensor } from "./tensors.js";

// Numbers of onnx.proto; floats of 16 and 64 bits are computed in 32.
const ARRAYS = { 1: Float32Array, 2: Uint8Array, 3: Int8Array, 6: Int32Array, 7: Int32Array, 9: Uint8Array, 10: Float32Array, 11: Float32Array };
operator("Cast", ([x], { to }) => tensor(to === 9 ? Uint8Array.from(x.data, (v) => +(v !== 0)) : ARRAYS[to].from(x.data), x.dims));

// Calls `run(from, to, scale, zero)` for each stretch of a tensor that has a scale of its own.
function stretches(x, scale, zero, axis, run) {
  const n = scale.data.length, whole = x.data.length;
  const inner = n === 1 ? whole : size(x.dims.slice(axisOf(axis, x.dims.length) + 1));
  for (let at = 0, k = 0; at < whole; at += inner, k = (k + 1) % n) run(at, at + inner, scale.data[k], zero ? zero.data[k] : 0);
}
operator("DequantizeLinear", ([x, scale, zero], { axis = 1 }) => {
  const from = x.data, out = floats(x.dims), to = out.data;
  stretches(x, scale, zero, axis, (start, end, factor, offset) => { for (let i = start; i < end; i++) to[i] = (from[i] - offset) * factor; });
  return out;
});
// The least and the greatest level of a quantization, by the type of its zero.
export const levelsOf = (zero) => (zero instanceof Int8Array ? { low: -128, high: 127 } : { low: 0, high: 255 });

// Followed by nothing but its reverse (`node.back`, see graph.js), it gives floats again at once.
operator("QuantizeLinear", ([x, scale, zero], { axis = 1 }, { node }) => {
  const { low, high } = levelsOf(zero?.data), from = x.data;
  const to = new (node.back ? Float32Array : low < 0 ? Int8Array : Uint8Array)(from.length);
  stretches(x, scale, zero, axis, (start, end, factor, offset) => {
    const [gain, shift] = node.back ? [factor, offset] : [1, 0];
    for (let i = start; i < end; i++) {
      const level = rounded(from[i] / factor) + offset;
      to[i] = ((level < low ? low : level > high ? high : level) - shift) * gain;
    }
  });
  return tensor(to, x.dims);
});
