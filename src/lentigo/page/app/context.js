// What all of the page's views share: its texts, its state, and what can be done from any of them.

import { byId } from "./dom.js";
import { Texts } from "./texts.js";

export const content = (id) => byId(id).textContent;
export const config = JSON.parse(content("config"));
export const texts = new Texts(JSON.parse(content("texts")), (navigator.language ?? "en").slice(0, 2));
export const say = texts.say;
export const state = {
  graph: null, fatal: null, items: [], current: null, selected: new Set(), order: "added", comparing: false, theme: "auto",
  kind: "balanced", own: [], prevalence: null, prevalenceOpen: false, prevalenceWrong: false, work: null, slow: false, message: null,
};

// add(files), open(id), clear(), compare(on), render(): filled in by main.js.
export const act = {};

export const refusalText = (refusal) => `${say(refusal.key, refusal.values)} ${say(refusal.step)}`;

// Which model, and what computes it.
export function made() {
  const { model, engine } = state.graph;
  return say("page.made", { model: model.name, parameters: texts.whole(model.parameters), sha: model.sha256.slice(0, 12), version: model.lentigo, engine });
}
