// Two images side by side.

import { act, say, state, texts } from "./context.js";
import { h } from "./dom.js";
import { badge } from "./result.js";
import { imageBox } from "./viewer.js";

export function compareView() {
  const items = state.items.filter((i) => state.selected.has(i.id)), { model } = state.graph;
  return [h("div", { class: "compare" }, h("h2", { id: "result-title", tabindex: "-1" }, say("compare.title")), h("p", { class: "faint" }, say("compare.note")),
    h("div", { class: "pair" }, items.map((item) => h("article", {}, h("p", { class: "file" }, item.name), imageBox(item, texts).box, h("p", {}, badge(item.verdict.decision, texts)),
      item.verdict.gradable
        ? [h("h3", {}, say("result.risks")), h("dl", {}, Object.entries(item.verdict.risks).flatMap(([t, r]) => [h("dt", {}, say(`target.${t}`)), h("dd", {}, texts.percent(r.at ?? r.balanced), r.threshold !== null && h("span", { class: "faint small" }, say("result.threshold", { threshold: texts.percent(r.threshold), view: say(`view.${r.view}`) })))])),
            h("h3", {}, `${say("result.diagnoses")}, ${say(`view.${item.verdict.prevalence ? "stated prevalence" : "balanced prior"}`)}`),
            h("dl", {}, item.verdict.ranked.slice(0, 3).flatMap(([i, p]) => [h("dt", {}, texts.name(model.labels[i])), h("dd", {}, texts.percent(p))]))]
        : h("p", {}, item.verdict.reasons.map(([key, values]) => say(key, values)).join("; "))))),
    h("button", { type: "button", onclick: () => act.compare(false) }, say("compare.back")))];
}
