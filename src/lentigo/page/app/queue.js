// The queue of images: its order, its rows, and which two are to be compared.

import { act, say, state, texts } from "./context.js";
import { byId, h } from "./dom.js";
import { badge } from "./result.js";
import { forQueue } from "./server.js";
import { stopButton } from "./views.js";

// Those that need a human most come first: what could not be judged, then the highest excess over a threshold.
function byRisk(item) {
  if (item.status !== "done" || !item.verdict.gradable) return Infinity;
  return Math.max(...Object.values(item.verdict.risks).map((r) => (r.threshold === null ? r.balanced : r.at - r.threshold)), -1);
}

function ordered() {
  const items = [...state.items];
  return state.order === "risk" ? items.sort((a, b) => byRisk(b) - byRisk(a)) : items;
}

export const done = () => state.items.filter((i) => ["done", "failed"].includes(i.status)).length;


export function queueHead() {
  const order = h("select", { id: "order", onchange: (e) => { state.order = e.target.value; act.render(); } },
    ["added", "risk"].map((id) => h("option", { value: id, selected: state.order === id }, say(`queue.order.${id}`))));
  return [
    h("h2", {}, say("queue.title"), " ", h("span", { class: "faint count" })),
    h("label", { for: "order" }, say("queue.order")), order,
    h("button", { type: "button", id: "compare-button", disabled: state.selected.size !== 2, title: say("queue.compare_hint"), onclick: () => act.compare(true) }, say("queue.compare")),
    state.work ? stopButton() : h("button", { type: "button", onclick: act.clear }, say("queue.remove")),
    ...forQueue(),
  ];
}

function queueRow(item) {
  const { verdict } = item;
  const risk = verdict?.gradable ? Object.keys(verdict.risks).map((t) => `${say(`target.${t}`)} ${texts.percent(verdict.risks[t].balanced)}`).join(", ") : "";
  const what = item.status === "done" ? badge(verdict.decision, texts) : h("span", { class: "badge off" }, say(item.status === "failed" ? "queue.failed" : "queue.waiting"));
  const pick = h("input", { type: "checkbox", "aria-label": say("queue.select", { name: item.name }), checked: state.selected.has(item.id), disabled: item.status !== "done",
    onchange: (e) => { select(item.id, e.target.checked); act.render(); } });
  return h("li", {}, pick,
    h("button", { type: "button", class: "entry", onclick: () => act.open(item.id) },
      item.url ? h("img", { src: item.url, alt: "", width: 44, height: 44 }) : h("span", { class: "blank", "aria-hidden": "true" }),
      h("span", { class: "entry-name" }, item.name, h("span", { class: "faint small" }, risk)), what));
}

// Two at most: a third one takes the place of the first.
function select(id, wanted) {
  if (wanted && state.selected.size === 2) state.selected.delete([...state.selected][0]);
  state.selected[wanted ? "add" : "delete"](id);
}

// Rows are made anew only when their image changes.
export function showEntries() {
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
