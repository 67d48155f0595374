// The model inside the page: unpacked, and refused unless its checksum is the one that the page's script holds.

import { Graph } from "./graph.js";
import { makeKernel } from "./kernel.js";
import { Refusal } from "./refusal.js";
import { sha256 } from "./sha256.js";

async function unpacked(base64) {
  try {
    const text = atob(base64.trim());
    const zipped = Uint8Array.from(text, (c) => c.charCodeAt(0));
    if (typeof DecompressionStream === "undefined") throw new Refusal("fatal.browser", { error: "DecompressionStream" });
    const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal("fatal.damaged");
  }
}

export async function loadModel(base64, expected, useWasm = true) {
  const bytes = await unpacked(base64);
  if (sha256(bytes) !== expected) throw new Refusal("fatal.damaged");
  return new Graph(bytes, makeKernel(useWasm));
}
