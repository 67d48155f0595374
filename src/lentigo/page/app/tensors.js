// Tensors: {data, dims}. The type is the typed array's: Float32Array for all floats, Int32Array for 32 and 64 bits.

export const size = (dims) => dims.reduce((product, d) => product * d, 1);

export const tensor = (data, dims) => ({ data, dims });

export const empty = (like, dims) => tensor(new like.data.constructor(size(dims)), dims);

export const floats = (dims) => tensor(new Float32Array(size(dims)), dims);

export const integers = (values) => tensor(Int32Array.from(values), [values.length]);

export function stridesOf(dims) {
  const strides = new Array(dims.length);
  for (let i = dims.length - 1, step = 1; i >= 0; i--) {
    strides[i] = step;
    step *= dims[i];
  }
  return strides;
}

// A copy of what `strides` walk from `offset`, as a dense tensor of `dims`.
export function walk(from, dims, strides, offset = 0) {
  const to = empty(from, dims);
  const rank = dims.length, total = to.data.length;
  if (!rank) {
    to.data[0] = from.data[offset];
    return to;
  }
  // The last axes that lie one behind the other are one run.
  let first = rank - 1, last = dims[first];
  const step = strides[first], place = new Array(rank).fill(0);
  while (first > 0 && strides[first - 1] === last * step) last *= dims[--first];
  for (let i = 0; i < total; ) {
    if (step === 1) {
      to.data.set(from.data.subarray(offset, offset + last), i);
      i += last;
    } else {
      for (let j = 0, at = offset; j < last; j++, at += step) to.data[i++] = from.data[at];
    }
    for (let axis = first - 1; axis >= 0; axis--) {
      offset += strides[axis];
      if (++place[axis] < dims[axis]) break;
      offset -= strides[axis] * dims[axis];
      place[axis] = 0;
    }
  }
  return to;
}

export function broadcastDims(a, b) {
  const rank = Math.max(a.length, b.length), dims = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1, y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new Error(`shapes [${a}] and [${b}] don't broadcast`);
    dims.push(x === 1 ? y : x);
  }
  return dims;
}

export function broadcast(t, dims) {
  if (t.dims.length === dims.length && t.dims.every((d, i) => d === dims[i])) return t;
  const own = stridesOf(t.dims), shift = dims.length - t.dims.length;
  const strides = dims.map((_, i) => (i < shift || t.dims[i - shift] === 1 ? 0 : own[i - shift]));
  return walk(t, dims, strides);
}

export const axisOf = (axis, rank) => (axis < 0 ? axis + rank : axis);
