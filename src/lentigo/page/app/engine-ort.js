// onnxruntime-web, which the page holds whole: what `engine.js` is in a page that is written with it.

class Session {
  constructor(session, header) {
    Object.assign(this, { session, model: header.model, image: header.image, outputs: header.outputs });
    this.engine = `onnxruntime-web ${ort.env.versions.web}`;
    this.feeds = Object.fromEntries(header.feeds.map(([name, kind, value]) =>
      [name, new ort.Tensor(kind, kind === "int64" ? BigInt64Array.of(BigInt(value)) : Float32Array.of(value), [1])]));
  }

  // As Graph.run; a calculation that has begun can't be stopped, so `pause` is awaited before it alone.
  async run(square, pause) {
    if (pause) await pause(0);
    // One calculation at a time is all that onnxruntime-web allows.
    const mine = (this.last ?? Promise.resolve()).then(() =>
      this.session.run({ [this.image]: new ort.Tensor("float32", square.data, square.dims), ...this.feeds }, Object.values(this.outputs)));
    this.last = mine.catch(() => {});
    const found = await mine;
    return Object.fromEntries(Object.entries(this.outputs).map(([name, of]) => [name, { data: found[of].data, dims: [...found[of].dims] }]));
  }
}

export async function openEngine(parts) {
  const length = new DataView(parts.model.buffer, parts.model.byteOffset).getUint32(0, true), start = 4 + length;
  const header = JSON.parse(new TextDecoder().decode(parts.model.subarray(4, start)));
  const module = URL.createObjectURL(new Blob([parts.module], { type: "text/javascript" }));
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: { mjs: module }, wasmBinary: parts.wasm });
  const session = await ort.InferenceSession.create(parts.model.slice(start), { executionProviders: ["wasm"], logSeverityLevel: 3 });
  URL.revokeObjectURL(module);
  return new Session(session, header);
}
