// The queue: images are read and classified one after another, and can be stopped at any moment.

import { Refusal } from "./refusal.js";
import { judge } from "./verdict.js";
import { readPhoto } from "./photo.js";

const BREATH = 24;

class Stopped extends Error {}

let last = 0;
const breath = () => globalThis.scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));

// Gives the page a moment if it has had none for a while, and stops where that is wanted.
async function pause(signal) {
  if (signal.aborted) throw new Stopped();
  if (performance.now() - last < BREATH) return;
  await breath();
  last = performance.now();
  if (signal.aborted) throw new Stopped();
}

// Reads and classifies an item with a file; it gets photo, outputs, cam, picture, url, times, verdict and status.
export async function classifyOne(item, graph, prevalence, signal, tell) {
  const start = (last = performance.now()); // waiting for the file's bytes is a moment for the page too
  tell("work.reading", 0);
  const photo = await readPhoto(item.file, graph.model.size, (share) => { tell("work.reading", 0.8 * share); return pause(signal); });
  const read = performance.now();
  tell("work.computing", 0.8);
  const outputs = await graph.run(photo.tensor, (share) => { tell("work.computing", 0.8 + 0.2 * share); return pause(signal); });
  const end = performance.now();
  const { width, height, blank, picture } = photo;
  Object.assign(item, { photo: { width, height, blank }, outputs, cam: outputs.cam ?? null, picture, url: URL.createObjectURL(picture), times: { read: read - start, run: end - read } });
  item.verdict = judge(item.photo, outputs, graph.model, prevalence);
  item.status = "done";
}

// Classifies what waits. `tell(item, key, share)` is called as it goes; the rest waits no more once `signal` aborts.
export async function work(items, graph, prevalence, signal, tell) {
  for (const item of items.filter((i) => i.status === "waiting")) {
    if (signal.aborted) break;
    item.status = "working";
    try {
      await classifyOne(item, graph, prevalence(), signal, (key, share) => tell(item, key, share));
    } catch (error) {
      if (error instanceof Stopped) {
        item.status = "waiting";
        break;
      }
      item.status = "failed";
      item.refusal = error instanceof Refusal ? error : new Refusal("fail.unexpected", { error: error.message });
    }
    tell(item, null, 1);
  }
}
