// What the page shows when there is no result: the start, work that goes on, a failure; and the header of all.

import { act, config, say, state, texts } from "./context.js";
import { byId, h } from "./dom.js";
import { forFailure } from "./server.js";

const LEAST = 0.04; // of the bar, so that it is seen while a file is being decoded
const THEMES = ["auto", "light", "dark"];

export const shownShare = () => String(Math.max(LEAST, state.work?.share ?? 0));

function fileInputs(small) {
  const input = (key, extra) => {
    const field = h("input", { type: "file", class: "visually-hidden", accept: "image/jpeg,image/png,image/webp,image/bmp,image/gif", ...extra, onchange: (e) => { act.add(e.target.files); e.target.value = ""; } });
    return h("label", { class: `button ${extra.capture ? "camera" : "primary"}` }, field, say(key));
  };
  return [input(small ? "page.another" : "page.choose", { multiple: true, id: "file" }), input("page.camera", { capture: "environment", id: "camera" })];
}

export function startView() {
  const { model } = state.graph, list = (key, n, values) => h("ul", {}, Array.from({ length: n }, (_, i) => h("li", {}, say(`${key}.${i + 1}`, values))));
  return [
    h("div", { class: "drop" }, h("h2", {}, say("page.lead")), h("div", { class: "buttons" }, fileInputs(false)),
      h("p", { class: "faint by-mouse" }, say("page.drop")), h("p", { class: "private" }, say("page.private"))),
    h("div", { class: "about" },
      h("div", {}, h("h3", {}, say("page.does")), list("page.does", 3, { n: model.labels.length })),
      h("div", {}, h("h3", {}, say("page.cannot")), list("page.cannot", 3, { source: model.trained_on }))),
    config.examples.length > 0 && h("div", { class: "examples" }, h("p", { class: "faint" }, say("page.examples")),
      h("div", { class: "thumbs" }, config.examples.map((data, i) => h("button", { type: "button", class: "thumb", onclick: () => act.add([exampleFile(data, i)]) },
        h("img", { src: `data:image/webp;base64,${data}`, alt: say("page.example", { n: i + 1 }), width: 96, height: 96 }))))),
  ];
}

export function exampleFile(data, i) {
  return new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], `synthetic-${i + 1}.webp`, { type: "image/webp" });
}

export function workView() {
  return [
    h("div", { class: "waiting-box", "aria-hidden": "true" }),
    h("div", { class: "said" }, h("h2", {}, say("work.title"), " ", state.items.length > 1 && h("span", { class: "faint count" })),
      h("p", { id: "progress-text", class: "file" }, say(state.work.key, { name: state.work.item?.name ?? "" })),
      h("progress", { id: "progress", max: "1", value: shownShare(), "aria-label": say("work.title") }),
      stopButton()),
  ];
}

export const stopButton = () => h("button", { type: "button", id: "stop", onclick: () => state.work?.control.abort() }, say("work.stop"));

export function failView(item) {
  const { refusal, name } = item;
  return h("div", { class: "failure" }, h("h2", { id: "result-title", tabindex: "-1" }, say("fail.title")), name && h("p", { class: "file" }, name),
    h("p", {}, say(refusal.key, refusal.values)), h("p", {}, h("strong", {}, say(refusal.step))), h("p", { class: "faint" }, say("fail.retry")), forFailure(item));
}

export function headerView() {
  const select = (id, key, options, value, use) => h("label", {}, h("span", { class: "visually-hidden" }, say(key)),
    h("select", { id, onchange: (e) => { use(e.target.value); act.render(); byId(id).focus(); } }, options.map(([v, name]) => h("option", { value: v, selected: v === value }, name))));
  return [
    h("p", { class: "brand" }, h("span", { class: "dot", "aria-hidden": "true" }), "lentigo"),
    state.items.length > 0 && h("div", { class: "buttons" }, fileInputs(true)),
    h("div", { class: "tools" },
      select("language", "page.language", texts.languages, texts.language, (v) => texts.use(v)),
      select("theme", "page.theme", THEMES.map((t) => [t, say(`page.theme.${t}`)]), state.theme, (v) => { state.theme = v; })),
  ];
}
