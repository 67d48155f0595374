// The operators of the engine by their ONNX names. What isn't registered, or in a form that isn't supported, is refused when
// the page is written.

export const OPERATORS = new Map();

// `compute` takes a node's inputs, its attributes, and what else the graph gives: the node and the kernel.
export const operator = (name, compute) => OPERATORS.set(name, compute);

export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
