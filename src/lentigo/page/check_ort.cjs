// Opens a model in onnxruntime-web and computes once; on standard input {"feeds": [[name, type, value], ...]}.
// node check_ort.cjs SCRIPT MODULE WASM MODEL INPUT SIZE

const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");
const { pathToFileURL } = require("node:url");

const [script, module_, wasm, model, input, size] = process.argv.slice(2);
const ort = require(resolve(script)), n = Number(size), { feeds } = JSON.parse(readFileSync(0, "utf8"));
const one = ([name, type, value]) => [name, new ort.Tensor(type, type === "int64" ? BigInt64Array.of(BigInt(value)) : Float32Array.of(value), [1])];

async function check() {
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: { mjs: pathToFileURL(module_).href }, wasmBinary: readFileSync(wasm) });
  const session = await ort.InferenceSession.create(readFileSync(model), { logSeverityLevel: 3 });
  const square = new ort.Tensor("float32", new Float32Array(3 * n * n), [1, 3, n, n]);
  await session.run({ [input]: square, ...Object.fromEntries(feeds.map(one)) });
}

check().catch((error) => {
  console.error(error.message);
  process.exit(3);
});
