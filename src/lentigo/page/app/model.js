// The parts inside the page, the model and what computes it: unpacked, and refused unless their checksums are those that
// the page states.

import { openEngine } from "./engine.js";
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

// `texts` gives the text of a part by its name, `sums` its SHA-256.
export async function loadModel(texts, sums) {
  const parts = {};
  for (const [name, expected] of Object.entries(sums)) {
    parts[name] = await unpacked(texts(name));
    if (sha256(parts[name]) !== expected) throw new Refusal("fatal.damaged");
  }
  return openEngine(parts);
}
