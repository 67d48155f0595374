// The page's own engine: what `engine.js` is in a page that is written with it.

import { Graph } from "./graph.js";
import { makeKernel } from "./kernel.js";

// `parts` holds the bytes of the page's parts by name.
export const openEngine = async (parts) => new Graph(parts.model, makeKernel());
