// What the service that the page came from adds: its own map, FHIR, files that a browser can't read, all results in
// one file. Nothing is sent before a button says so.

import { act, say, state, texts } from "./context.js";
import { byId, download, h } from "./dom.js";
import { Refusal } from "./refusal.js";
import { judge } from "./verdict.js";

const CHUNK = 8; // images a request
const service = { paths: null, key: "" };

// Which of its addresses the service has, from its own description; and the page is kept for the time without it.
export async function discover() {
  navigator.serviceWorker?.register("service-worker.js").catch(() => {});
  try {
    const answer = await fetch("openapi.json");
    service.paths = answer.ok ? (await answer.json()).paths : null;
  } catch {
    service.paths = null; // it can't be reached: the page works without it
  }
  state.served = !!service.paths;
  act.render();
}

const has = (path) => !!service.paths?.[path]?.post;
const parameter = (path, name) => service.paths?.[path]?.post.parameters?.find((p) => p.name === name);
const choices = (path, name) => {
  const schema = parameter(path, name)?.schema;
  return schema?.enum ?? schema?.anyOf?.find((s) => s.enum)?.enum ?? [];
};

async function ask(path, values, body, read = (answer) => answer.json()) {
  const query = new URLSearchParams(values);
  for (;;) {
    let answer;
    try {
      answer = await fetch(`${path.slice(1)}?${query}`, { method: "POST", body, headers: service.key ? { Authorization: `Bearer ${service.key}` } : {} });
    } catch {
      throw new Refusal("service.gone");
    }
    if (answer.ok) return read(answer);
    if (answer.status === 401 && (service.key = prompt(say("service.key")) ?? "")) continue;
    const problem = await answer.json().catch(() => ({}));
    throw new Refusal("service.refused", { detail: problem.detail ?? answer.status, step: problem.next_step ?? "" });
  }
}

// Runs what a button starts: it can't be pressed twice, and a refusal is said beside it.
async function during(button, run) {
  const said = button.parentElement.querySelector(".service-said");
  button.disabled = true;
  said.textContent = say("service.asking");
  try {
    await run();
    said.textContent = "";
  } catch (error) {
    const { key, values, step } = error instanceof Refusal ? error : new Refusal("fail.unexpected", { error: error.message });
    said.textContent = `${say(key, values)} ${values.step ?? say(step)}`;
  } finally {
    button.disabled = false;
  }
}

const button = (key, run) => h("button", { type: "button", onclick: (e) => during(e.currentTarget, run) }, say(key));
const said = () => h("p", { class: "service-said error", role: "status" });
const named = (item) => new File([item.file], item.name);
const form = (items) => {
  const data = new FormData();
  for (const item of items) data.append("images", named(item));
  return data;
};

export function forResult(item) {
  const parts = [...explaining(item), ...documents(item)];
  return parts.length ? [h("details", { class: "service" }, h("summary", {}, say("service.title")), h("p", { class: "faint small" }, say("service.note")), ...parts)] : [];
}

function explaining(item) {
  if (!has("/v1/explain") || !item.verdict.gradable || item.served) return [];
  const { labels } = state.graph.model;
  const diagnosis = h("select", { id: "service-diagnosis" }, item.verdict.ranked.map(([i]) => h("option", { value: labels[i].id }, texts.name(labels[i]))));
  const method = h("select", { id: "service-method" }, choices("/v1/explain", "method").map((name) => h("option", { value: name }, say(`method.${name}`))));
  const picture = h("div", { class: "service-picture" });
  const explain = async () => {
    const found = await ask("/v1/explain", { format: "json", diagnosis: diagnosis.value, method: method.value || "cam" }, form([item]));
    picture.replaceChildren(h("img", { src: `data:image/png;base64,${found.picture}`, alt: say("service.picture", { name: item.name }) }));
  };
  return [h("div", { class: "asked" }, h("div", { class: "map-controls" }, h("label", { for: "service-diagnosis" }, say("result.map_for")), diagnosis, h("label", { for: "service-method" }, say("service.method")), method), button("service.explain", explain), said(), picture)];
}

// The prevalence that is chosen here, as the service takes it.
const stated = () => (state.prevalence ? { prevalence: state.graph.model.labels.map(({ id }, i) => `${id}=${state.prevalence[i]}`).join() } : {});

function documents(item) {
  const stem = item.name.replace(/\.[^.]*$/, "") || "image", { model } = state.graph;
  const report = async () => {
    const choice = item.view ? { diagnosis: model.labels[item.view.label].id } : {};
    const file = await ask("/v1/report", { language: texts.language, model: model.name, ...choice, ...stated() }, form([item]), (answer) => answer.blob());
    download(`${stem}.service-report.html`, file);
  };
  const fhir = async () => {
    const found = await ask("/v1/classify", { format: "fhir", ...stated() }, form([item]));
    download(`${stem}.fhir.json`, new Blob([JSON.stringify(found, null, 1) + "\n"], { type: "application/fhir+json" }));
  };
  const buttons = [has("/v1/report") && button("service.report", report), choices("/v1/classify", "format").includes("fhir") && button("service.fhir", fhir)];
  return buttons.some(Boolean) ? [h("div", { class: "asked" }, ...buttons, said())] : [];
}

// The service's answer as if the page had computed it; its reasons are said as they come.
async function adopt(item, found, picture) {
  const { model } = state.graph, raw = model.labels.map((label) => found.raw.probabilities[label.id] ?? NaN);
  const outputs = { probabilities: { data: raw }, ...(found.ood_score === null ? {} : { ood_score: { data: [found.ood_score] } }) };
  const verdict = judge({ width: Infinity, height: Infinity, blank: !found.gradable }, outputs, model, state.prevalence);
  if (!found.gradable) verdict.reasons = found.rejection_reasons.map((text) => ["reason.said", { text }]);
  const { width, height } = await createImageBitmap(picture);
  const photo = { width: Math.max(width, model.size), height: Math.max(height, model.size), blank: false };
  Object.assign(item, { status: "done", verdict, photo, outputs, served: true, picture, url: URL.createObjectURL(picture), refusal: null });
}

export function forFailure(item) {
  if (!has("/v1/explain")) return [];
  const read = async () => {
    const { model } = state.graph, { result, picture } = await ask("/v1/explain", { format: "json", model: model.name }, form([item]));
    if (result.model_sha256 !== model.sha256) throw new Refusal("service.other_model");
    await adopt(item, result, new Blob([Uint8Array.from(atob(picture), (c) => c.charCodeAt(0))], { type: "image/png" }));
    act.render();
    byId("result-title")?.focus();
  };
  return [h("div", { class: "service" }, h("p", { class: "faint" }, say("service.read_note")), button("service.read", read), said())];
}

export function forQueue() {
  if (!has("/v1/classify")) return [];
  const all = async () => {
    const results = [];
    for (let i = 0; i < state.items.length; i += CHUNK) {
      const part = state.items.slice(i, i + CHUNK);
      try {
        results.push(...(await ask("/v1/classify", stated(), form(part))).results);
      } catch (error) {
        // None of these could be read: the others are asked for all the same.
        if (error.key !== "service.refused" || i + CHUNK >= state.items.length && !results.length) throw error;
        results.push(...part.map((item) => ({ source: item.name, error: error.values.detail })));
      }
    }
    download("results.json", new Blob([JSON.stringify({ results }, null, 1) + "\n"], { type: "application/json" }));
  };
  return [h("span", { class: "service" }, button("service.all", all), said())];
}
