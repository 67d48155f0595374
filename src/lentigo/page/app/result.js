// What is reported for one image: decision and next step, risks, diagnoses, prevalence, details.

import { h } from "./dom.js";
import { forResult } from "./server.js";
import { BALANCED, NEGATIVE, nextStep, NO_THRESHOLD, NOT_GRADABLE, SUSPICIOUS } from "./verdict.js";
import { viewer } from "./viewer.js";

const MARKS = { [SUSPICIOUS]: "▲", [NEGATIVE]: "○", [NO_THRESHOLD]: "–", [NOT_GRADABLE]: "✕" };
const TONES = { [SUSPICIOUS]: "warn", [NEGATIVE]: "plain", [NO_THRESHOLD]: "plain", [NOT_GRADABLE]: "off" };

export const badge = (decision, texts) =>
  h("span", { class: `badge ${TONES[decision]}` }, h("span", { "aria-hidden": "true" }, MARKS[decision]), texts.say(`decision.${decision}`));

export function headline(item, model, texts) {
  const { verdict } = item, say = texts.say;
  const step = nextStep(verdict, model, say, texts.four).replace(` ${say("notice")}`, "");
  return h("div", { class: `headline ${TONES[verdict.decision]}` },
    h("h2", { id: "result-title", tabindex: "-1" }, badge(verdict.decision, texts)),
    h("p", { class: "step" }, h("strong", {}, `${say("result.next")}: `), step));
}

// What an operating point means, in natural frequencies.
function pointWords(target, risk, model, texts) {
  const say = texts.say, caught = Math.round(100 * risk.sensitivity);
  const words = [say("result.point", { n: texts.whole(risk.images), target: say(`target.${target}`), caught, missed: 100 - caught })];
  const specificity = model.specificity?.[target];
  if (specificity && specificity.sensitivity === risk.sensitivity && specificity.view === risk.view) {
    words.push(say("result.flagged", { caught, flagged: Math.round(100 * (1 - specificity.value)) }));
  }
  return words.join(" ");
}

function thousandWords(target, risk, verdict, model, texts) {
  const specificity = model.specificity?.[target];
  if (!verdict.prevalence || !specificity || specificity.sensitivity !== risk.sensitivity || specificity.view !== risk.view) return "";
  const share = verdict.prevalence[model.labels.findIndex((l) => l.id === model.melanoma)];
  const positives = Math.round(1000 * share), found = Math.round(1000 * share * risk.sensitivity), others = 1000 - positives;
  const flagged = Math.round(others * (1 - specificity.value));
  const whole = texts.whole;
  return texts.say("result.thousand", { positives: whole(positives), found: whole(found), missed: whole(positives - found), others: whole(others), flagged: whole(flagged) });
}

export function risks(verdict, model, texts) {
  const say = texts.say;
  return h("section", { class: "risks", "aria-labelledby": "risks-title" }, h("h3", { id: "risks-title" }, say("result.risks")),
    Object.entries(verdict.risks).map(([target, risk]) => {
      const value = risk.at ?? risk.balanced, name = say(`target.${target}`);
      const threshold = risk.threshold === null ? say("result.no_threshold") : say("result.threshold", { threshold: texts.percent(risk.threshold), view: say(`view.${risk.view}`) });
      const reached = risk.suspicious === null ? "" : say(risk.suspicious ? "result.reached" : "result.not_reached");
      const stated = risk.stated === null ? "" : say("result.stated", { risk: texts.percent(risk.stated) });
      const thousand = risk.threshold === null ? "" : thousandWords(target, risk, verdict, model, texts);
      return h("div", { class: `risk ${risk.suspicious ? "warn" : "plain"}`, "--value": value, "--threshold": risk.threshold ?? 2 },
        h("div", { class: "row" }, h("span", { class: "name" }, name), h("span", { class: "number" }, texts.percent(value))),
        h("div", { class: "track", "aria-hidden": "true" }, h("div", { class: "fill" }), risk.threshold !== null && h("div", { class: "tick" })),
        h("p", { class: "small" }, [reached, threshold, stated].filter(Boolean).join(" · ")),
        risk.threshold !== null && h("p", { class: "faint small" }, pointWords(target, risk, model, texts)),
        thousand && h("p", { class: "faint small" }, thousand));
    }));
}

export function diagnoses(verdict, model, texts) {
  const say = texts.say, view = say(`view.${verdict.prevalence ? "stated prevalence" : BALANCED}`);
  return h("section", { class: "diagnoses", "aria-labelledby": "diagnoses-title" },
    h("h3", { id: "diagnoses-title" }, say("result.diagnoses"), h("span", { class: "faint" }, ` ${view}`)),
    h("ol", {}, verdict.ranked.map(([i, p]) => {
      const label = model.labels[i], plain = texts.plain(label);
      return h("li", { class: `kind-${label.malignant}`, "--value": p },
        h("div", { class: "row" }, h("span", { class: "name" }, texts.name(label)), h("span", { class: "number" }, texts.percent(p))),
        h("div", { class: "track", "aria-hidden": "true" }, h("div", { class: "fill" })),
        h("p", { class: "faint small" }, [say(`kind.${label.malignant}`), plain].filter(Boolean).join(" · ")));
    })),
    !verdict.prevalence && h("p", { class: "faint small" }, say("result.balanced_note", { n: model.labels.length })));
}

// The prevalence chooser; `use` is called with shares, percentages or counts in the order of the labels, or null.
function prevalenceChooser(state, model, texts, use) {
  const say = texts.say, kinds = ["balanced", "training", "own"];
  const wrong = h("p", { class: "error", role: "alert", hidden: !state.prevalenceWrong }, say("result.prevalence.wrong"));
  const fields = model.labels.map((label, i) => h("label", {}, h("span", {}, texts.name(label)),
    h("input", { type: "number", inputmode: "decimal", min: "0", step: "any", value: String(state.own[i]), onchange: (e) => { state.own[i] = e.target.valueAsNumber; use("own"); } })));
  return h("details", { class: "prevalence", open: state.prevalenceOpen, ontoggle: (e) => { state.prevalenceOpen = e.target.open; } },
    h("summary", {}, say("result.prevalence")),
    h("div", { class: "choices", role: "radiogroup", "aria-label": say("result.prevalence") }, kinds.map((kind) => h("label", { class: "check" },
      h("input", { type: "radio", name: "prevalence", id: `prevalence-${kind}`, checked: state.kind === kind, onchange: () => use(kind) }), say(`result.prevalence.${kind}`)))),
    state.kind === "own" && h("div", { class: "own" }, fields), wrong,
    h("p", { class: "faint small" }, say("result.prevalence.note")));
}

export function details(item, model, texts) {
  const { verdict, photo, times } = item, say = texts.say, whole = texts.whole;
  const read = item.served ? say("service.computed") : say("result.timing", { width: photo.width, height: photo.height, read: whole(times.read), run: whole(times.run) });
  const ood = model.ood_score && Number.isFinite(verdict.score) ? say("result.ood", { score: verdict.score, threshold: model.ood_score.threshold }) : "";
  return h("p", { class: "faint small details" },
    [read, ood].filter(Boolean).join(" "));
}

export function resultView(item, state, model, texts, actions) {
  const { verdict } = item, say = texts.say;
  const button = (key, action) => h("button", { type: "button", onclick: action }, say(key));
  return [
    viewer(item, model, texts),
    h("div", { class: "said" },
      h("p", { class: "file" }, item.name),
      headline(item, model, texts),
      Object.keys(verdict.risks).length > 0 && risks(verdict, model, texts),
      verdict.gradable && diagnoses(verdict, model, texts),
      verdict.gradable && prevalenceChooser(state, model, texts, actions.prevalence),
      h("div", { class: "actions", role: "group", "aria-label": say("result.download") },
        button("result.report", actions.report), button("result.print", actions.print), button("result.json", actions.json)),
      forResult(item),
      details(item, model, texts)),
  ];
}
