// The page: how its state changes, and what is shown of it.

import { compareView } from "./compare.js";
import { act, config, content, made, refusalText, say, state, texts } from "./context.js";
import { byId, download, h } from "./dom.js";
import { loadModel } from "./model.js";
import { done, queueHead, showEntries } from "./queue.js";
import { Refusal } from "./refusal.js";
import { reportOf } from "./report.js";
import { resultView } from "./result.js";
import { discover } from "./server.js";
import { asJson, checkPrevalence, judge } from "./verdict.js";
import { exampleFile, failView, headerView, shownShare, startView, workView } from "./views.js";
import { classifyOne, work } from "./work.js";

const PATIENCE = 180; // ms before a state of its own says that something is going on: shorter ones would only flicker

const WARMINGS = 5, WARMING = 1500; // times, ms

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
  if (added.length && state.graph && !state.work) start();
  else render();
}

async function start() {
  const control = new AbortController();
  state.work = { control, key: "work.title", share: 0, item: null };
  // Nothing is shown anew before that, or a verdict would wait for a frame that nobody sees.
  const timer = setTimeout(() => { state.slow = true; render(); }, PATIENCE);
  document.body.toggleAttribute("data-busy", true);
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
  bar.value = +shownShare();
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
    for (const item of state.items) if (item.verdict && (item.verdict.gradable || !item.served)) item.verdict = judge(item.photo, item.outputs, model, shares);
  }
  render();
  byId(`prevalence-${kind}`)?.focus();
}

// --- What is shown

function open(id) {
  state.current = id;
  state.comparing = false;
  render();
  byId("result-title")?.focus();
}

function compare(on) {
  state.comparing = on;
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
    show("result", ready && !working && !!item, [item?.id, item?.status, state.served, comparing && [...state.selected], state.kind, state.prevalence, state.prevalenceWrong], () =>
      comparing ? compareView() : item.status === "failed" ? [failView(item)] : resultView(item, state, state.graph.model, texts, actionsFor(item)));
    byId("result").className = comparing || item?.status !== "done" ? "card" : "card columns";
    document.body.dataset.state = state.fatal ? "fatal" : !ready ? "loading" : working ? "work" : comparing ? "compare" : (item?.status ?? "start");
  }
  byId("queue").hidden = !(ready && many);
  show("queue-head", ready && many, [busy, state.selected.size === 2, state.served], queueHead);
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

// For programs that drive the page: what it finds in a file, without showing it.
async function classify(file) {
  const item = { file, name: file.name ?? "image" };
  try {
    await classifyOne(item, state.graph, null, new AbortController().signal, () => {});
  } catch (error) {
    throw error instanceof Refusal ? new Error(refusalText(error)) : error;
  }
  URL.revokeObjectURL(item.url);
  return { verdict: asJson(item.name, item.verdict, state.graph.model, texts.english), outputs: item.outputs };
}

// What a verdict needs is run on an example while nothing else happens, so that the first image finds it compiled.
async function warm() {
  const [data] = config.examples, until = performance.now() + WARMING;
  const idle = () => new Promise((resolve) => (globalThis.requestIdleCallback ? requestIdleCallback(resolve, { timeout: 100 }) : setTimeout(resolve, 20)));
  for (let times = 0; data && times < WARMINGS && performance.now() < until && !state.items.length; times++) {
    await idle();
    const item = { file: exampleFile(data, 0), name: "" };
    await classifyOne(item, state.graph, null, new AbortController().signal, () => {});
    resultView(item, state, state.graph.model, texts, actionsFor(item));
    setTimeout(() => URL.revokeObjectURL(item.url), 10_000);
  }
}

async function main() {
  Object.assign(act, { add, clear, compare, open, render });
  globalThis.lentigo = Object.freeze({ classify, get model() { return state.graph?.model; }, get engine() { return state.graph?.engine; } });
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
  if (state.graph) {
    warm().catch(() => {}); // whatever fails here fails again, and is said, when an image is chosen
    await discover();
  }
}

main();
