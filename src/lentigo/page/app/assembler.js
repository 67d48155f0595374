// As much of WebAssembly's binary form as the kernel needs: instructions are arrays of bytes, one after another.

const I32 = 0x7f, V128 = 0x7b;

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

const vector = (op, ...more) => [0xfd, ...leb(op), ...more];
export const get = (local) => [0x20, ...leb(local)];
export const set = (local) => [0x21, ...leb(local)];
export const number = (n) => [0x41, ...sleb(n)];
export const plus = [0x6a];
export const shiftLeft = [0x74];
export const loadNumber = [0x28, 2, 0];
export const load = (offset) => vector(0x00, 2, ...leb(offset));
export const splat = (offset) => vector(0x09, 2, ...leb(offset)); // one float, in all four places
export const store = (offset) => vector(0x0b, 2, ...leb(offset));
export const add = vector(0xe4);
export const multiply = vector(0xe6);
export const divide = vector(0xe7);
export const nearest = vector(0x6a);
export const least = vector(0xea); // of two: the second one only where it is less
export const most = vector(0xeb);
export const step = (local, ...by) => [...get(local), ...by.flat(), ...plus, ...set(local)];
export const when = (local, body) => [...get(local), 0x04, 0x40, ...body, 0x0b];
// do { body; count -= 1 } while (count), for a count of at least one.
export const loop = (count, body) => [0x03, 0x40, ...body, ...step(count, number(-1)), ...get(count), 0x0d, 0, 0x0b];

const section = (id, content) => [id, ...leb(content.length), ...content];
const many = (all) => [...leb(all.length), ...all.flat()];
const text = (s) => [...leb(s.length), ...[...s].map((c) => c.charCodeAt(0))];

// A function of whole numbers that returns nothing: the names of its parameters, of its further whole numbers and of its
// vectors, and what makes its body of them.
export function method(name, parameters, numbers, vectors, write) {
  const local = Object.fromEntries([...parameters, ...numbers, ...vectors].map((key, i) => [key, i]));
  const body = [2, ...leb(numbers.length), I32, ...leb(vectors.length), V128, ...write(local), 0x0b];
  return { name, type: [0x60, ...leb(parameters.length), ...parameters.map(() => I32), 0], body: [...leb(body.length), ...body] };
}

// A module of such functions over the memory that it is given as js.memory.
export function assembled(methods) {
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, many(methods.map((m) => m.type))),
    ...section(2, [1, ...text("js"), ...text("memory"), 2, 0, 1]),
    ...section(3, many(methods.map((_, i) => leb(i)))),
    ...section(7, many(methods.map((m, i) => [...text(m.name), 0, ...leb(i)]))),
    ...section(10, many(methods.map((m) => m.body))),
  ]);
}
