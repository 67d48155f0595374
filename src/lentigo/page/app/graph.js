// A model from its bytes, and its calculation node by node.

import "./computing.js";
import "./moving.js";
import { OPERATORS } from "./registry.js";
import { floats, tensor } from "./tensors.js";
import "./types.js";

const MAKERS = new Set(["Conv", "Add"]); // their output is nobody else's, and may be overwritten by its only user

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

// What Relu and Clip limit a value to; null for other operations.
function limitsOf({ op, inputs, attributes }, constants) {
  const limit = (i, name, otherwise) => (inputs[i] >= 0 ? constants.get(inputs[i])?.data[0] : (attributes[name] ?? otherwise));
  if (op === "Relu") return [0, Infinity];
  const limits = op === "Clip" ? [limit(1, "min", -Infinity), limit(2, "max", Infinity)] : [undefined];
  return limits.includes(undefined) ? null : limits;
}

// Steps that follow another one and nothing else are computed with it in one go: Relu or Clip with Conv, and the reverse
// of a quantization with it.
function fused(nodes, outputs, constants) {
  const uses = new Map();
  for (const node of nodes) for (const i of node.inputs) uses.set(i, (uses.get(i) ?? 0) + 1);
  const made = new Map(nodes.map((node) => [node.outputs[0], node]));
  const same = (a, b) => {
    const [one, two] = [constants.get(a), constants.get(b)];
    return a === b || (!!one && !!two && one.data.constructor === two.data.constructor && one.dims.join() === two.dims.join() && one.data.every((v, i) => v === two.data[i]));
  };
  const reverses = (node, before) =>
    node.op === "DequantizeLinear" && before.op === "QuantizeLinear" && (node.attributes.axis ?? 1) === (before.attributes.axis ?? 1) &&
    node.inputs.length === before.inputs.length && node.inputs.slice(1).every((input, i) => same(input, before.inputs[i + 1]));
  return nodes.filter((node) => {
    const before = made.get(node.inputs[0]);
    if (!before || uses.get(node.inputs[0]) > 1 || outputs.has(node.inputs[0])) return true;
    const limits = before.op === "Conv" && limitsOf(node, constants);
    if (limits && limits[0] <= before.high) Object.assign(before, { low: Math.max(before.low, limits[0]), high: Math.min(before.high, limits[1]) });
    else if (reverses(node, before)) before.back = true;
    else {
      node.overwrites = MAKERS.has(before.op);
      return true;
    }
    before.outputs = node.outputs;
    made.set(node.outputs[0], before);
    return false;
  });
}

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
    const nodes = header.nodes.map(([op, inputs, outputs, attributes]) => ({ op, inputs, outputs, attributes, low: -Infinity, high: Infinity, cache: {} }));
    for (const { op } of nodes) if (!OPERATORS.has(op)) throw new Error(`no operator ${op}`);
    this.nodes = this.folded(fused(nodes, new Set(Object.values(this.outputs)), this.constants));
    this.lastUse = new Map();
    this.nodes.forEach((node, k) => node.inputs.forEach((i) => this.lastUse.set(i, k)));
    Object.values(this.outputs).forEach((i) => this.lastUse.set(i, Infinity));
  }

  // What depends on constants alone is computed once.
  folded(nodes) {
    return nodes.filter((node) => {
      if (!node.inputs.every((i) => i < 0 || this.constants.has(i))) return true;
      this.constants.set(node.outputs[0], this.compute(node, this.constants));
      return false;
    });
  }

  compute(node, values) {
    const inputs = node.inputs.map((i) => (i < 0 ? undefined : values.get(i)));
    return OPERATORS.get(node.op)(inputs, node.attributes, { node, kernel: this.kernel });
  }

  // Some calculations on nothing, so that the first image finds everything compiled.
  async warm() {
    const side = this.model.size, rest = () => new Promise((resolve) => setTimeout(resolve, 20));
    for (let times = 0; times < 3; times++) {
      await rest();
      await this.run(floats([1, 3, side, side]));
    }
  }

  // Outputs by name for a square float32 [1, 3, S, S], values 0 to 255. `pause` is awaited now and then, so that a
  // page stays alive and may throw to stop.
  async run(square, pause) {
    const values = new Map(this.constants);
    values.set(this.image, square);
    for (let k = 0; k < this.nodes.length; k++) {
      const node = this.nodes[k];
      values.set(node.outputs[0], this.compute(node, values));
      for (const i of node.inputs) if (this.lastUse.get(i) === k && !this.constants.has(i)) values.delete(i);
      if (pause) await pause(k / this.nodes.length);
    }
    return Object.fromEntries(Object.entries(this.outputs).map(([name, i]) => [name, values.get(i)]));
  }
}
