// A model from its bytes, and its calculation node by node.

import "./computing.js";
import "./moving.js";
import { OPERATORS } from "./registry.js";
import { tensor } from "./tensors.js";
import { levelsOf } from "./types.js";

const MAKERS = new Set(["Conv", "Add"]); // what follows them can be computed with them

function half(low, high) {
  const sign = high & 128 ? -1 : 1, exponent = (high >> 2) & 31, fraction = ((high & 3) << 8) | low;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

function read(kind, bytes, offset, count) {
  const copy = (Type) => new Type(bytes.slice(offset, offset + count * Type.BYTES_PER_ELEMENT).buffer);
  if (kind === "f16") return Float32Array.from({ length: count }, (_, i) => half(bytes[offset + i], bytes[offset + count + i]));
  return copy({ f32: Float32Array, i32: Int32Array, u8: Uint8Array, i8: Int8Array, bool: Uint8Array }[kind]);
}

// What an operation limits values to; undefined for others, and where that isn't known beforehand.
function limitsOf({ op, inputs, attributes }, constants) {
  const constant = (i) => { const found = constants.get(inputs[i])?.data; return found?.length === 1 ? found[0] : undefined; };
  const stated = (i, name, otherwise) => (inputs[i] >= 0 ? constant(i) : (attributes[name] ?? otherwise));
  const limits = {
    Relu: () => [0, Infinity],
    Clip: () => [stated(1, "min", -Infinity), stated(2, "max", Infinity)],
    Max: () => [inputs.length === 2 ? constant(1) : undefined, Infinity],
    Min: () => [-Infinity, inputs.length === 2 ? constant(1) : undefined],
  }[op]?.();
  return limits?.includes(undefined) ? undefined : limits;
}

// The nodes less those that `joins(before, node)` has made a part of the one before them, whose output nothing else uses.
function joined(nodes, outputs, joins) {
  const uses = new Map();
  for (const node of nodes) for (const i of node.inputs) uses.set(i, (uses.get(i) ?? 0) + 1);
  const made = new Map();
  return nodes.filter((node) => {
    const [input] = node.inputs, before = made.get(input), own = before && uses.get(input) === 1 && !outputs.has(input);
    const joining = own && joins(before, node);
    if (joining) before.outputs = node.outputs;
    made.set(node.outputs[0], joining ? before : node);
    return !joining;
  });
}

// A quantization that nothing follows but its reverse gives floats at once.
const reversing = (constants) => (before, node) => {
  const same = (a, b) => {
    const [one, two] = [constants.get(a), constants.get(b)];
    return a === b || (!!one && !!two && one.data.constructor === two.data.constructor && one.dims.join() === two.dims.join() && one.data.every((v, i) => v === two.data[i]));
  };
  return node.op === "DequantizeLinear" && before.op === "QuantizeLinear" && (node.attributes.axis ?? 1) === (before.attributes.axis ?? 1) &&
    node.inputs.length === before.inputs.length && node.inputs.slice(1).every((input, i) => same(input, before.inputs[i + 1])) && (before.back = true);
};

// Limits, and the levels of a quantization and its reverse, become a part of what makes the values: see kernel.js.
const limiting = (constants) => (before, node) => {
  if (!MAKERS.has(before.op)) return false;
  const { bounds } = before, limits = limitsOf(node, constants)?.map(Math.fround), at = before.levels ? 3 : 0;
  if (limits && limits[0] <= limits[1]) {
    const low = at, high = before.levels ? 4 : 1;
    if (limits[0] > bounds[high] || limits[1] < bounds[low]) return false;
    bounds[low] = Math.max(bounds[low], limits[0]);
    bounds[high] = Math.min(bounds[high], limits[1]);
    return (before.limited = true);
  }
  const [scale, zero] = node.inputs.slice(1).map((i) => constants.get(i)?.data);
  if (!node.back || before.levels || scale?.length !== 1 || (node.inputs.length > 2 && zero?.length !== 1)) return false;
  const { low, high } = levelsOf(zero), offset = zero?.[0] ?? 0;
  before.levels = before.limited = true;
  before.bounds = [bounds[0], bounds[1], scale[0], ...[low, high].map((level) => Math.fround((level - offset) * scale[0]))];
  return true;
};

export class Graph {
  constructor(bytes, kernel) {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true), start = 4 + length;
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, start)));
    this.model = header.model;
    this.outputs = header.outputs;
    this.image = header.image;
    this.kernel = kernel;
    this.engine = kernel.name;
    this.constants = new Map();
    for (const [name, kind, dims, offset] of header.tensors) {
      const count = dims.reduce((p, d) => p * d, 1);
      this.constants.set(name, tensor(read(kind, bytes, start + offset, count), dims));
    }
    const nodes = header.nodes.map(([op, inputs, outputs, attributes]) => ({ op, inputs, outputs, attributes, bounds: [-Infinity, Infinity, 1, 0, 0], levels: false, cache: {} }));
    for (const { op } of nodes) if (!OPERATORS.has(op)) throw new Error(`no operator ${op}`);
    const outputs = new Set(Object.values(this.outputs)), whole = joined(this.folded(nodes), outputs, reversing(this.constants));
    this.nodes = joined(whole, outputs, limiting(this.constants));
    this.lastUse = new Map();
    this.nodes.forEach((node, k) => node.inputs.forEach((i) => this.lastUse.set(i, k)));
    Object.values(this.outputs).forEach((i) => this.lastUse.set(i, Infinity));
  }

  // What depends on constants alone is computed once.
  folded(nodes) {
    return nodes.filter((node) => {
      if (!node.inputs.every((i) => i < 0 || this.constants.has(i))) return true;
      const { data, dims } = this.compute(node, this.constants);
      this.constants.set(node.outputs[0], tensor(data, dims));
      return false;
    });
  }

  // A result is never one of its inputs, so that each can be released after its last use.
  compute(node, values) {
    const inputs = node.inputs.map((i) => (i < 0 ? undefined : values.get(i)));
    const out = OPERATORS.get(node.op)(inputs, node.attributes, { node, kernel: this.kernel });
    return inputs.includes(out) ? tensor(out.data, out.dims) : out;
  }

  // Outputs by name for a square float32 [1, 3, S, S], values 0 to 255. `pause` is awaited now and then, so that a
  // page stays alive and may throw to stop.
  async run(square, pause) {
    const values = new Map(this.constants);
    values.set(this.image, square);
    try {
      for (let k = 0; k < this.nodes.length; k++) {
        const node = this.nodes[k];
        values.set(node.outputs[0], this.compute(node, values));
        for (const i of node.inputs) {
          if (this.lastUse.get(i) !== k || this.constants.has(i)) continue;
          values.get(i)?.release?.();
          values.delete(i);
        }
        if (pause) await pause(k / this.nodes.length);
      }
      return Object.fromEntries(Object.entries(this.outputs).map(([name, i]) => [name, tensor(values.get(i).data, values.get(i).dims)]));
    } finally {
      for (const value of values.values()) value.release?.();
    }
  }
}
