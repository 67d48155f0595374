// The kernel's memory: pieces are taken and given back, and it grows.

const PAGE = 65536, ALIGNED = 16;

export class Memory {
  // `native` is a WebAssembly.Memory, or null.
  constructor(native) {
    this.native = native;
    this.end = ALIGNED;
    this.free = new Map();
    this.look(native ? native.buffer : new ArrayBuffer(PAGE));
  }

  // Views of the whole; older ones are void once the memory has grown.
  look(buffer) {
    this.floats = new Float32Array(buffer);
    this.numbers = new Int32Array(buffer);
  }

  // The address of a piece with room for `count` floats, whatever was in it before.
  take(count) {
    const bytes = Memory.sized(count), found = this.free.get(bytes)?.pop();
    if (found !== undefined) return found;
    const place = this.end;
    this.grow(place + bytes - this.floats.byteLength); // which may fail: then nothing is taken
    this.end += bytes;
    return place;
  }

  give(place, count) {
    const bytes = Memory.sized(count);
    if (!this.free.has(bytes)) this.free.set(bytes, []);
    this.free.get(bytes).push(place);
  }

  keep(values) {
    const place = this.take(values.length);
    (values instanceof Int32Array ? this.numbers : this.floats).set(values, place >> 2);
    return place;
  }

  grow(missing) {
    if (missing <= 0) return;
    const pages = Math.ceil(missing / PAGE);
    if (this.native) {
      this.native.grow(pages);
      this.look(this.native.buffer);
    } else {
      const before = this.floats;
      this.look(new ArrayBuffer(before.byteLength + Math.max(pages * PAGE, (before.byteLength >> 1) & -ALIGNED)));
      this.floats.set(before);
    }
  }

  static sized(count) {
    return (4 * count + ALIGNED - 1) & -ALIGNED;
  }
}

// A tensor in the memory, channels last, `stride` floats from pixel to pixel and three pixels of room behind the last. Others see it
// as any tensor: `data` is a copy in the usual order.
export class Resident {
  constructor(memory, dims, stride) {
    this.memory = memory;
    this.dims = dims;
    this.stride = stride;
    this.pixels = dims[0] * dims[2] * dims[3];
    this.room = (this.pixels + 3) * stride;
    this.place = memory.take(this.room);
  }

  get data() {
    return (this.copy ??= this.copied());
  }

  copied() {
    const { dims: [n, c, h, w], stride, memory: { floats } } = this, plane = h * w, out = new Float32Array(n * c * plane);
    for (let image = 0, to = 0; image < n; image++) {
      for (let channel = 0; channel < c; channel++) {
        for (let p = 0, at = (this.place >> 2) + image * plane * stride + channel; p < plane; p++, at += stride) out[to++] = floats[at];
      }
    }
    return out;
  }

  release() {
    if (this.place === null) return;
    this.memory.give(this.place, this.room);
    this.place = null;
  }
}
