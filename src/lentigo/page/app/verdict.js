// From a model's outputs to a result: the rules of lentigo.runtime's gradability, prevalence, decisions and verdict.

export const BALANCED = "balanced prior";
export const TRAINING = "training prevalence";
export const STATED = "stated prevalence";
export const SUSPICIOUS = "suspicious";
export const NEGATIVE = "negative at threshold";
export const NO_THRESHOLD = "no threshold";
export const NOT_GRADABLE = "not gradable";
const TARGETS = ["melanoma", "malignancy"];
const TINY = 2.2250738585072014e-308;

// Why an image is not gradable, as keys of the catalogue with values; empty if it is.
function rejections(photo, probabilities, score, model) {
  const { width, height, blank } = photo, { size, ood_score: ood } = model, found = [];
  if (Math.min(width, height) < size) found.push(["reason.small", { width, height, size }]);
  if (blank) found.push(["reason.blank", {}]);
  if (!probabilities.every(Number.isFinite)) found.push(["reason.no_probabilities", {}]);
  if (ood && score !== null && !(score <= ood.threshold)) found.push(["reason.ood", { score: +score, threshold: ood.threshold }]);
  return found;
}

// Bayes' rule in log space: probabilities at balanced prior, converted to a population's prevalence.
export function restate(balanced, prevalence) {
  const logs = balanced.map((p, i) => Math.log(Math.max(p, TINY)) + Math.log(Math.max(prevalence[i], TINY)));
  const top = Math.max(...logs), weighted = logs.map((log) => Math.exp(log - top)), total = weighted.reduce((s, w) => s + w, 0);
  return weighted.map((w) => w / total);
}

// Shares that sum to 1, or null where a value isn't a number above 0.
export function checkPrevalence(values) {
  if (!values.every((v) => Number.isFinite(v) && v > 0)) return null;
  const largest = Math.max(...values), total = values.reduce((s, v) => s + v / largest, 0);
  return values.map((v) => v / largest / total);
}

function members(target, model) {
  if (target === "melanoma") return model.labels.flatMap((l, i) => (l.id === model.melanoma ? [i] : []));
  return model.knows_malignancy ? model.labels.flatMap((l, i) => (l.malignant ? [i] : [])) : [];
}

const viewOf = (point) => (point.view === "training_prevalence" ? TRAINING : BALANCED);

function sum(probabilities, target, model) {
  const ids = members(target, model);
  return probabilities && ids.length ? Math.min(ids.reduce((s, i) => s + probabilities[i], 0), 1) : null;
}

// The risk of each target that the model knows, with its threshold.
function risksOf(balanced, stated, model) {
  const views = { [BALANCED]: balanced, [TRAINING]: restate(balanced, model.training_prevalence) }, found = {};
  for (const target of TARGETS) {
    if (!members(target, model).length) continue;
    const plain = { balanced: sum(balanced, target, model), stated: sum(stated, target, model), threshold: null, view: null, at: null, sensitivity: null, images: null };
    const all = model.operating_points.filter((p) => p.target === target).map((p) => ({
      ...plain, threshold: p.threshold, view: viewOf(p), at: sum(views[viewOf(p)], target, model), sensitivity: p.target_sensitivity, images: p.validation_images,
    }));
    const excess = (r) => r.at - r.threshold;
    found[target] = all.reduce((best, r) => (best.threshold === null || excess(r) > excess(best) ? r : best), plain);
  }
  for (const risk of Object.values(found)) risk.suspicious = risk.threshold === null ? null : risk.at >= risk.threshold;
  return found;
}

function decide(risks) {
  const reached = Object.values(risks).filter((r) => r.threshold !== null).map((r) => r.suspicious);
  if (!reached.length) return NO_THRESHOLD;
  return reached.some(Boolean) ? SUSPICIOUS : NEGATIVE;
}

// The result for a photo. `prevalence` has shares in the order of the labels, or is null.
export function judge(photo, outputs, model, prevalence) {
  const balanced = Array.from(outputs.probabilities.data), score = outputs.ood_score ? outputs.ood_score.data[0] : null;
  const reasons = rejections(photo, balanced, score, model), gradable = !reasons.length;
  const stated = gradable && prevalence ? restate(balanced, prevalence) : null;
  const risks = gradable ? risksOf(balanced, stated, model) : {};
  const probabilities = gradable ? (stated ?? balanced) : null;
  const ranked = probabilities ? probabilities.map((p, i) => [i, p]).sort((a, b) => b[1] - a[1]) : [];
  return { gradable, reasons, balanced, score, risks, probabilities, ranked, prevalence, decision: gradable ? decide(risks) : NOT_GRADABLE };
}

// A probability as text, never 0 or 1: no model is that certain.
export function printed(p, digits = 4, number = (v) => v.toFixed(digits)) {
  if (p === null) return "-";
  const least = 10 ** -digits;
  if (p < least / 2) return `<${number(least)}`;
  return p >= 1 - least / 2 ? `>${number(1 - least)}` : number(p);
}

// The next step; never that nothing needs to be done. `say` gives a text of the catalogue, `number` prints four decimals.
export function nextStep(verdict, model, say, number) {
  if (!verdict.gradable) {
    const reasons = verdict.reasons.map(([key, values]) => say(key, values)).join("; ");
    return [say("step.not_gradable", { reasons }), say("notice")].join(" ");
  }
  const step = say({ [SUSPICIOUS]: "step.suspicious", [NO_THRESHOLD]: "step.no_threshold" }[verdict.decision] ?? "step.negative");
  return [step, viewsDiffer(verdict, say, number), model.ood_score ? "" : say("no_ood"), say("notice")].filter(Boolean).join(" ");
}

function viewsDiffer(verdict, say, number) {
  const which = Object.entries(verdict.risks)
    .filter(([, r]) => r.threshold !== null && r.stated !== null && (r.stated >= r.threshold) !== r.suspicious)
    .map(([target, r]) => say("step.views_differ.one", {
      target: say(`target.${target}`), stated: printed(r.stated, 4, number), decided: printed(r.at, 4, number),
      view: say(`view.${r.view}`), threshold: (number ?? ((v) => v.toFixed(4)))(r.threshold),
    }));
  return which.length ? say("step.views_differ", { which: which.join("; ") }) : "";
}

function thresholdWords(model) {
  const points = model.operating_points, lacks = model.no_operating_point;
  if (!points.length) return `this model has no threshold, so it makes no decision${Object.entries(lacks).map(([t, why]) => `; ${t}: ${why}`).join("")}`;
  const lacking = TARGETS.filter((t) => members(t, model).length && !points.some((p) => p.target === t));
  return [
    ...points.map((p) => `${p.target} risk of at least ${p.threshold.toFixed(4)} at ${viewOf(p)} (sensitivity ${p.target_sensitivity.toFixed(2)} on validation)`),
    ...lacking.map((t) => `no threshold for ${t}${t in lacks ? ` (${lacks[t]})` : ""}`),
  ].join("; ");
}

const rounded = (v) => (v === null || !Number.isFinite(v) ? null : Math.round(v * 1e6) / 1e6);

// As `lentigo classify --format json` writes it; `english` gives texts in English.
export function asJson(name, verdict, model, english) {
  const { labels } = model, byId = (values) => Object.fromEntries(values.map((p, i) => [labels[i].id, rounded(p)]));
  const finite = verdict.balanced.every(Number.isFinite), most = verdict.balanced.indexOf(Math.max(...verdict.balanced));
  const risk = (r) => ({ balanced_prior: rounded(r.balanced), stated_prevalence: rounded(r.stated), threshold: r.threshold, threshold_view: r.view, target_sensitivity: r.sensitivity, suspicious: r.suspicious });
  return {
    format: 1,
    source: name,
    error: null,
    gradable: verdict.gradable,
    rejection_reasons: verdict.reasons.map(([key, values]) => english(key, values)),
    decision: verdict.decision,
    operating_point: thresholdWords(model),
    diagnosis: verdict.gradable ? labels[verdict.ranked[0][0]].id : null,
    diagnoses: verdict.gradable ? verdict.ranked.map(([i, p]) => ({ ...labels[i], probability: rounded(p) })) : null,
    probabilities: verdict.probabilities && byId(verdict.probabilities),
    melanoma: rounded(sum(verdict.probabilities, "melanoma", model)),
    malignancy: rounded(sum(verdict.probabilities, "malignancy", model)),
    view: verdict.gradable ? (verdict.prevalence ? STATED : BALANCED) : null,
    prevalence: verdict.prevalence && byId(verdict.prevalence),
    risks: verdict.gradable ? Object.fromEntries(Object.entries(verdict.risks).map(([t, r]) => [t, risk(r)])) : null,
    raw: { probabilities: byId(verdict.balanced), diagnosis: finite ? labels[most].id : null, melanoma: rounded(sum(verdict.balanced, "melanoma", model)), malignancy: rounded(sum(verdict.balanced, "malignancy", model)) },
    ood_score: rounded(verdict.score),
    ood_threshold: model.ood_score ? rounded(model.ood_score.threshold) : null,
    next_step: nextStep(verdict, model, english),
    model: model.name,
    model_sha256: model.sha256,
  };
}
