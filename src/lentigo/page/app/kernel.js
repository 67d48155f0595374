// The engine's inner loops: WebAssembly with SIMD, assembled here, or plain JavaScript where there is none.
//
// All operands are floats in one memory, addressed in bytes, channels last. Each sum is held within `limits`, vectors of
// four equal floats: it is clamped between the first two and, where `levels` isn't 0, divided by the third one, rounded,
// multiplied by it again, and clamped between the last two.

import { add, assembled, divide, get, least, load, loadNumber, loop, method, most, multiply, nearest, number, plus, set, shiftLeft, splat, step, store, when } from "./assembler.js";
import { Memory } from "./memory.js";
import { plainKernel } from "./plain.js";

const PLACES = [0, 1, 2, 3];
const quadruple = (local) => [...get(local), ...number(2), ...shiftLeft];
const within = (sum, limits, low, high) => [...get(sum), ...get(limits), ...load(low), ...most, ...get(limits), ...load(high), ...least, ...set(sum)];
const round = (sum, limits) => [...get(sum), ...get(limits), ...load(32), ...divide, ...nearest, ...get(limits), ...load(32), ...multiply, ...set(sum)];
const limited = (sums, { limits, levels }) => [
  ...sums.flatMap((sum) => within(sum, limits, 0, 16)),
  ...when(levels, sums.flatMap((sum) => [...round(sum, limits), ...within(sum, limits, 48, 64)])),
];

// Rows of `x`, four at a time, times weights: 8 outputs of each are in `out`, whose next 8 are the next block's. A row is
// made of `runs` of `k` floats, each from an offset in `table` on; `w` holds [blocks][runs][k][8], `bias` [blocks][8].
const product = method(
  "product",
  ["x", "w", "out", "bias", "blocks", "fours", "k", "runs", "table", "xStep", "outStep", "limits", "levels"],
  ["px", "pw", "po", "pt", "m", "n", "r", "i", "a0", "a1", "a2", "a3"],
  ["w0", "w1", "s00", "s01", "s10", "s11", "s20", "s21", "s30", "s31"],
  (l) => {
    const halves = [0, 1], sums = PLACES.flatMap((row) => halves.map((half) => l[`s${row}${half}`])), rows = PLACES.map((row) => l[`a${row}`]);
    const products = PLACES.flatMap((row) => halves.flatMap((half) => [
      ...get(l[`s${row}${half}`]), ...get(rows[row]), ...splat(0), ...get(l[`w${half}`]), ...multiply, ...add, ...set(l[`s${row}${half}`]),
    ]));
    const overK = [
      ...get(l.pw), ...load(0), ...set(l.w0), ...get(l.pw), ...load(16), ...set(l.w1), ...products,
      ...rows.flatMap((row) => step(row, number(4))), ...step(l.pw, number(32)),
    ];
    const overRuns = [
      ...get(l.px), ...get(l.pt), ...loadNumber, ...plus, ...set(rows[0]),
      ...[1, 2, 3].flatMap((row) => [...get(rows[row - 1]), ...get(l.xStep), ...plus, ...set(rows[row])]),
      ...get(l.k), ...set(l.i), ...loop(l.i, overK), ...step(l.pt, number(4)),
    ];
    const overRows = [
      ...PLACES.flatMap((row) => halves.flatMap((half) => [...get(l.bias), ...load(16 * half), ...set(l[`s${row}${half}`])])),
      ...get(l.w), ...set(l.pw), ...get(l.table), ...set(l.pt), ...get(l.runs), ...set(l.r), ...loop(l.r, overRuns),
      ...limited(sums, l),
      ...PLACES.flatMap((row) => [...halves.flatMap((half) => [...get(l.po), ...get(l[`s${row}${half}`]), ...store(16 * half)]), ...step(l.po, get(l.outStep))]),
      ...step(l.px, quadruple(l.xStep)),
    ];
    const overBlocks = [
      ...get(l.x), ...set(l.px), ...get(l.out), ...set(l.po), ...get(l.fours), ...set(l.n), ...loop(l.n, overRows),
      ...get(l.pw), ...set(l.w), ...step(l.bias, number(32)), ...step(l.out, number(32)),
    ];
    return [...get(l.blocks), ...set(l.m), ...loop(l.m, overBlocks)];
  },
);

// Four channels at a time of a row of pixels, four at a time, each with a filter of its own: `w` holds [blocks][taps][4],
// `bias` [blocks][4], and `table` the offset of each tap.
const depthwise = method(
  "depthwise",
  ["x", "w", "out", "bias", "blocks", "fours", "taps", "table", "xStep", "outStep", "limits", "levels"],
  ["px", "pw", "po", "pt", "m", "n", "i", "a"],
  ["weight", "s0", "s1", "s2", "s3"],
  (l) => {
    const sums = PLACES.map((pixel) => l[`s${pixel}`]);
    const overTaps = [
      ...get(l.px), ...get(l.pt), ...loadNumber, ...plus, ...set(l.a), ...get(l.pw), ...load(0), ...set(l.weight),
      ...sums.flatMap((sum, pixel) => [
        ...get(sum), ...get(l.a), ...load(0), ...get(l.weight), ...multiply, ...add, ...set(sum), ...(pixel < 3 ? step(l.a, get(l.xStep)) : []),
      ]),
      ...step(l.pt, number(4)), ...step(l.pw, number(16)),
    ];
    const overPixels = [
      ...sums.flatMap((sum) => [...get(l.bias), ...load(0), ...set(sum)]),
      ...get(l.w), ...set(l.pw), ...get(l.table), ...set(l.pt), ...get(l.taps), ...set(l.i), ...loop(l.i, overTaps),
      ...limited(sums, l),
      ...sums.flatMap((sum) => [...get(l.po), ...get(sum), ...store(0), ...step(l.po, get(l.outStep))]),
      ...step(l.px, quadruple(l.xStep)),
    ];
    const overBlocks = [
      ...get(l.x), ...set(l.px), ...get(l.out), ...set(l.po), ...get(l.fours), ...set(l.n), ...loop(l.n, overPixels),
      ...get(l.pw), ...set(l.w), ...step(l.bias, number(16)), ...step(l.x, number(16)), ...step(l.out, number(16)),
    ];
    return [...get(l.blocks), ...set(l.m), ...loop(l.m, overBlocks)];
  },
);

// Two tensors of `fours` times four floats.
const sum = method("sum", ["a", "b", "out", "fours", "limits", "levels"], [], ["s"], (l) =>
  loop(l.fours, [
    ...get(l.a), ...load(0), ...get(l.b), ...load(0), ...add, ...set(l.s), ...limited([l.s], l), ...get(l.out), ...get(l.s), ...store(0),
    ...[l.a, l.b, l.out].flatMap((place) => step(place, number(16))),
  ]));

export function makeKernel(useWasm = true) {
  if (useWasm) {
    try {
      const native = new WebAssembly.Memory({ initial: 1 });
      const instance = new WebAssembly.Instance(new WebAssembly.Module(assembled([product, depthwise, sum])), { js: { memory: native } });
      return { ...instance.exports, memory: new Memory(native), name: "wasm-simd" };
    } catch {
      // No WebAssembly, no SIMD, or a policy against it.
    }
  }
  return plainKernel(new Memory(null));
}
