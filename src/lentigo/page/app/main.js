// The page: its state, and what is shown of it.

import { byId, download, h } from "./dom.js";
import { loadModel } from "./model.js";
import { Refusal } from "./refusal.js";
import { reportOf } from "./report.js";
import { badge, resultView } from "./result.js";
import { Texts } from "./texts.js";
import { asJson, checkPrevalence, judge } from "./verdict.js";
import { imageBox } from "./viewer.js";
import { work } from "./work.js";

const PATIENCE = 180; // ms before a state of its own says that something is going on: shorter ones would only flicker
const LEAST = 0.04; // of the bar, so that it is seen while a file is being decoded
const THEMES = ["auto", "light", "dark"];

const content = (id) => byId(id).textContent;
const config = JSON.parse(content("config"));
const texts = new Texts(JSON.parse(content("texts")), (navigator.language ?? "en").slice(0, 2));
const say = texts.say;
const state = {
  graph: null, fatal: null, items: [], current: null, selected: new Set(), order: "added", comparing: false, theme: "auto",
  kind: "balanced", own: [], prevalence: null, prevalenceOpen: false, prevalenceWrong: false, work: null, slow: false, message: null,
};
let counter = 0;

const announce = (text) => { byId("status").textContent = text; };

// Fills a part of the page if what it depends on has changed: what is being used keeps its focus, and its click.
function show(id, shown, on, make) {
  const element = byId(id), key = shown ? JSON.stringify([texts.language, ...on]) : "";
  element.hidden = !shown;
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  element.replaceChildren(...(shown ? make().flat().filter(Boolean) : []));
}

// --- Images in

function add(files) {
  const list = [...files];
  state.message = list.length ? null : new Refusal("fail.nothing");
  const added = list.map((file) => ({ id: ++counter, file, name: file.name || `image-${counter}`, status: "waiting" }));
  state.items.push(...added);
  if (added.length) {
    state.comparing = false;
    state.current = added[0].id;
  }
  render();
  if (added.length) start();
}

async function start() {
  if (!state.graph || state.work) return;
  const control = new AbortController();
  state.work = { control, key: "work.title", share: 0, item: null };
  const timer = setTimeout(() => { state.slow = true; render(); }, PATIENCE);
  render();
  while (!control.signal.aborted && state.items.some((i) => i.status === "waiting")) {
    await work(state.items, state.graph, () => state.prevalence, control.signal, (item, key, share) => {
      Object.assign(state.work, { item, share, key: key ?? state.work.key });
      if (key === null) finished(item);
      else progress();
    });
  }
  clearTimeout(timer);
  const left = state.items.filter((i) => i.status === "waiting").length;
  state.items = state.items.filter((i) => i.status !== "waiting");
  if (!state.items.some((i) => i.id === state.current)) state.current = state.items.at(-1)?.id ?? null;
  state.work = null;
  state.slow = false;
  render();
  if (left) announce(say("work.stopped", { n: left }));
}

function finished(item) {
  const what = item.status === "failed" ? refusalText(item.refusal) : say("work.done", { name: item.name, decision: say(`decision.${item.verdict.decision}`) });
  announce(what);
  render();
}

function progress() {
  const bar = byId("progress"), label = byId("progress-text");
  if (!bar) return;
  bar.value = Math.max(LEAST, state.work.share);
  label.textContent = say(state.work.key, { name: state.work.item?.name ?? "" });
}

// --- Prevalence

function usePrevalence(kind) {
  const { model } = state.graph;
  state.kind = kind;
  const shares = kind === "balanced" ? null : checkPrevalence(kind === "training" ? model.training_prevalence : state.own);
  state.prevalenceWrong = kind === "own" && !shares;
  if (!state.prevalenceWrong) {
    state.prevalence = shares;
    for (const item of state.items) if (item.verdict) item.verdict = judge(item.photo, item.outputs, model, shares);
  }
  render();
  byId(`prevalence-${kind}`)?.focus();
}

// --- What is shown

const refusalText = (refusal) => `${say(refusal.key, refusal.values)} ${say(refusal.step)}`;
const made = () => {
  const { model } = state.graph;
  return say("page.made", { model: model.name, parameters: texts.whole(model.parameters), sha: model.sha256.slice(0, 12), version: model.lentigo, engine: state.graph.engine });
};

// Those that need a human most come first: what could not be judged, then the highest excess over a threshold.
function byRisk(item) {
  if (item.status !== "done" || !item.verdict.gradable) return Infinity;
  return Math.max(...Object.values(item.verdict.risks).map((r) => (r.threshold === null ? r.balanced : r.at - r.threshold)), -1);
}

function ordered() {
  const items = [...state.items];
  return state.order === "risk" ? items.sort((a, b) => byRisk(b) - byRisk(a)) : items;
}

function fileInputs(small) {
  const input = (key, extra) => {
    const field = h("input", { type: "file", class: "visually-hidden", accept: "image/jpeg,image/png,image/webp,image/bmp,image/gif", ...extra, onchange: (e) => { add(e.target.files); e.target.value = ""; } });
    return h("label", { class: `button ${extra.capture ? "camera" : "primary"}` }, field, say(key));
  };
  return [input(small ? "page.another" : "page.choose", { multiple: true, id: "file" }), input("page.camera", { capture: "environment", id: "camera" })];
}

function startView() {
  const { model } = state.graph, list = (key, n, values) => h("ul", {}, Array.from({ length: n }, (_, i) => h("li", {}, say(`${key}.${i + 1}`, values))));
  return [
    h("div", { class: "drop" }, h("h2", {}, say("page.lead")), h("div", { class: "buttons" }, fileInputs(false)),
      h("p", { class: "faint" }, say("page.drop")), h("p", { class: "private" }, say("page.private"))),
    h("div", { class: "about" },
      h("div", {}, h("h3", {}, say("page.does")), list("page.does", 3, { n: model.labels.length })),
      h("div", {}, h("h3", {}, say("page.cannot")), list("page.cannot", 3, { source: model.source }))),
    config.examples.length > 0 && h("div", { class: "examples" }, h("p", { class: "faint" }, say("page.examples")),
      h("div", { class: "thumbs" }, config.examples.map((data, i) => h("button", { type: "button", class: "thumb", onclick: () => add([exampleFile(data, i)]) },
        h("img", { src: `data:image/jpeg;base64,${data}`, alt: say("page.example", { n: i + 1 }), width: 96, height: 96 }))))),
  ];
}

function exampleFile(data, i) {
  return new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], `synthetic-${i + 1}.jpg`, { type: "image/jpeg" });
}

function workView() {
  return [
    h("div", { class: "waiting-box", "aria-hidden": "true" }),
    h("div", { class: "said" }, h("h2", {}, say("work.title"), " ", state.items.length > 1 && h("span", { class: "faint count" })),
      h("p", { id: "progress-text", class: "file" }, say(state.work.key, { name: state.work.item?.name ?? "" })),
      h("progress", { id: "progress", max: "1", value: String(Math.max(LEAST, state.work?.share ?? 0)), "aria-label": say("work.title") }),
      stopButton()),
  ];
}

const stopButton = () => h("button", { type: "button", id: "stop", onclick: () => state.work?.control.abort() }, say("work.stop"));

function failView(refusal, name) {
  return h("div", { class: "failure" }, h("h2", { id: "result-title", tabindex: "-1" }, say("fail.title")), name && h("p", { class: "file" }, name),
    h("p", {}, say(refusal.key, refusal.values)), h("p", {}, h("strong", {}, say(refusal.step))), h("p", { class: "faint" }, say("fail.retry")));
}

function queueHead() {
  const order = h("select", { id: "order", onchange: (e) => { state.order = e.target.value; render(); } },
    ["added", "risk"].map((id) => h("option", { value: id, selected: state.order === id }, say(`queue.order.${id}`))));
  return [
    h("h2", {}, say("queue.title"), " ", h("span", { class: "faint count" })),
    h("label", { for: "order" }, say("queue.order")), order,
    h("button", { type: "button", id: "compare-button", disabled: state.selected.size !== 2, title: say("queue.compare_hint"), onclick: () => { state.comparing = true; render(); byId("result-title")?.focus(); } }, say("queue.compare")),
    state.work ? stopButton() : h("button", { type: "button", onclick: clear }, say("queue.remove")),
  ];
}

function queueRow(item) {
  const { verdict } = item;
  const risk = verdict?.gradable ? Object.keys(verdict.risks).map((t) => `${say(`target.${t}`)} ${texts.percent(verdict.risks[t].balanced)}`).join(", ") : "";
  const what = item.status === "done" ? badge(verdict.decision, texts) : h("span", { class: "badge off" }, say(item.status === "failed" ? "queue.failed" : "queue.waiting"));
  const pick = h("input", { type: "checkbox", "aria-label": say("queue.select", { name: item.name }), checked: state.selected.has(item.id), disabled: item.status !== "done",
    onchange: (e) => { select(item.id, e.target.checked); render(); } });
  return h("li", {}, pick,
    h("button", { type: "button", class: "entry", onclick: () => open(item.id) },
      item.url ? h("img", { src: item.url, alt: "", width: 44, height: 44 }) : h("span", { class: "blank", "aria-hidden": "true" }),
      h("span", { class: "entry-name" }, item.name, h("span", { class: "faint small" }, risk)), what));
}

// Two at most: a third one takes the place of the first.
function select(id, wanted) {
  if (wanted && state.selected.size === 2) state.selected.delete([...state.selected][0]);
  state.selected[wanted ? "add" : "delete"](id);
}

// Rows are made anew only when their image changes.
function showEntries() {
  const rows = ordered().map((item) => {
    const key = [item.status, texts.language].join();
    if (item.rowKey !== key) Object.assign(item, { row: queueRow(item), rowKey: key });
    item.row.classList.toggle("current", item.id === state.current && !state.comparing);
    item.row.querySelector(".entry").setAttribute("aria-current", item.id === state.current);
    item.row.querySelector("input").checked = state.selected.has(item.id);
    return item.row;
  });
  const list = byId("entries");
  rows.forEach((row, i) => { if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null); });
  while (list.children.length > rows.length) list.lastChild.remove();
}

const done = () => state.items.filter((i) => ["done", "failed"].includes(i.status)).length;

function compareView() {
  const items = state.items.filter((i) => state.selected.has(i.id)), { model } = state.graph;
  return [h("div", { class: "compare" }, h("h2", { id: "result-title", tabindex: "-1" }, say("compare.title")), h("p", { class: "faint" }, say("compare.note")),
    h("div", { class: "pair" }, items.map((item) => h("article", {}, h("p", { class: "file" }, item.name), imageBox(item, texts).box, h("p", {}, badge(item.verdict.decision, texts)),
      item.verdict.gradable
        ? [h("h3", {}, say("result.risks")), h("dl", {}, Object.entries(item.verdict.risks).flatMap(([t, r]) => [h("dt", {}, say(`target.${t}`)), h("dd", {}, texts.percent(r.at ?? r.balanced), r.threshold !== null && h("span", { class: "faint small" }, say("result.threshold", { threshold: texts.percent(r.threshold), view: say(`view.${r.view}`) })))])),
            h("h3", {}, `${say("result.diagnoses")}, ${say(`view.${item.verdict.prevalence ? "stated prevalence" : "balanced prior"}`)}`),
            h("dl", {}, item.verdict.ranked.slice(0, 3).flatMap(([i, p]) => [h("dt", {}, texts.name(model.labels[i])), h("dd", {}, texts.percent(p))]))]
        : h("p", {}, item.verdict.reasons.map(([key, values]) => say(key, values)).join("; "))))),
    h("button", { type: "button", onclick: () => { state.comparing = false; render(); byId("result-title")?.focus(); } }, say("compare.back")))];
}

function open(id) {
  state.current = id;
  state.comparing = false;
  render();
  byId("result-title")?.focus();
}

function clear() {
  for (const item of state.items) if (item.url) URL.revokeObjectURL(item.url);
  Object.assign(state, { items: [], current: null, comparing: false, message: null });
  state.selected.clear();
  render();
}

function actionsFor(item) {
  const { model } = state.graph, stem = item.name.replace(/\.[^.]*$/, "") || "image";
  return {
    prevalence: usePrevalence,
    report: async () => download(`${stem}.report.html`, await reportOf(item, model, texts, made())),
    print: () => window.print(),
    json: () => download(`${stem}.json`, new Blob([JSON.stringify(asJson(item.name, item.verdict, model, texts.english), null, 1) + "\n"], { type: "application/json" })),
  };
}

function headerView() {
  const select = (id, key, options, value, use) => h("label", {}, h("span", { class: "visually-hidden" }, say(key)),
    h("select", { id, onchange: (e) => { use(e.target.value); render(); byId(id).focus(); } }, options.map(([v, name]) => h("option", { value: v, selected: v === value }, name))));
  return [
    h("p", { class: "brand" }, h("span", { class: "dot", "aria-hidden": "true" }), "lentigo"),
    state.items.length > 0 && h("div", { class: "buttons" }, fileInputs(true)),
    h("div", { class: "tools" },
      select("language", "page.language", texts.languages, texts.language, (v) => texts.use(v)),
      select("theme", "page.theme", THEMES.map((t) => [t, say(`page.theme.${t}`)]), state.theme, (v) => { state.theme = v; })),
  ];
}

function render() {
  document.documentElement.lang = texts.language;
  document.documentElement.dataset.theme = state.theme;
  document.title = say("page.title");
  byId("skip").textContent = say("page.skip");
  byId("notice").textContent = state.graph?.model.notice && texts.language === "en" ? state.graph.model.notice : say("notice");
  byId("title").textContent = say("page.title");
  const ready = !!state.graph && !state.fatal, item = state.items.find((i) => i.id === state.current);
  const over = ["done", "failed"].includes(item?.status), busy = !!state.work, many = state.items.length > 1;
  show("header", true, [ready, state.items.length > 0, state.theme], () => (ready ? headerView() : []));
  show("fatal", !!state.fatal, [], () => [h("h2", {}, say("fatal.title")), h("p", {}, say(state.fatal.key, state.fatal.values)), h("p", {}, h("strong", {}, say(state.fatal.step)))]);
  show("message", !!state.message, [], () => [h("p", {}, refusalText(state.message))]);
  if (!item || over || state.slow) {
    const working = !!item && !over, comparing = state.comparing && !working;
    show("start", ready && !state.items.length, [], startView);
    show("work", ready && working, [item?.id], workView);
    show("result", ready && !working && !!item, [item?.id, item?.status, comparing && [...state.selected], state.kind, state.prevalence, state.prevalenceWrong], () =>
      comparing ? compareView() : item.status === "failed" ? [failView(item.refusal, item.name)] : resultView(item, state, state.graph.model, texts, actionsFor(item)));
    byId("result").className = comparing || item?.status !== "done" ? "card" : "card columns";
    document.body.dataset.state = state.fatal ? "fatal" : !ready ? "loading" : working ? "work" : comparing ? "compare" : (item?.status ?? "start");
  }
  byId("queue").hidden = !(ready && many);
  show("queue-head", ready && many, [busy, state.selected.size === 2], queueHead);
  if (ready) showEntries();
  for (const count of document.querySelectorAll(".count")) count.textContent = say("work.of", { done: done(), all: state.items.length });
  byId("footer").textContent = ready ? `${made()} ${state.graph.model.licence}` : state.fatal ? "" : say("page.loading");
  document.body.toggleAttribute("data-busy", busy);
}

// --- Events of the whole page

function wire() {
  const over = (on) => document.body.classList.toggle("dropping", on);
  byId("drop-hint").textContent = say("page.drop_now");
  addEventListener("dragover", (e) => { e.preventDefault(); over(true); });
  addEventListener("dragleave", (e) => { if (!e.relatedTarget) over(false); });
  addEventListener("drop", (e) => { e.preventDefault(); over(false); add(e.dataTransfer.files); });
  addEventListener("paste", (e) => add(e.clipboardData.files));
}

async function main() {
  wire();
  render();
  try {
    state.graph = await loadModel(content, config.sha256);
    state.own = state.graph.model.labels.map((_, i) => +(100 * state.graph.model.training_prevalence[i]).toFixed(2));
  } catch (error) {
    state.fatal = error instanceof Refusal ? error : new Refusal("fatal.browser", { error: error.message });
  }
  for (const name of Object.keys(config.sha256)) byId(name).remove();
  render();
  document.documentElement.dataset.ready = Math.round(performance.now());
  state.graph?.warm();
}

main();
