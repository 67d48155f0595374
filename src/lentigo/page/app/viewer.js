// The image with the map over it: opacity, diagnosis, contour. Built once for a result, then changed in place.

import { h } from "./dom.js";
import { colour, heat, paintContour, paintHeat } from "./heat.js";
import { centralSquare } from "./square.js";

const SIDE = 480;

// The values of the map of a result for the diagnosis that is shown, computed when they are first needed.
export function mapValues({ cam, view }) {
  if (view.of !== view.label) Object.assign(view, { of: view.label, values: heat(cam, view.label, SIDE), side: SIDE });
  return view.values;
}

const known = (view) => view.of === view.label;

// A box that keeps its place while the image loads: `item` has name, picture and the size of the photo.
export function imageBox(item, texts) {
  const { width, height } = item.photo, { left, top, side } = centralSquare(width, height);
  const base = h("img", { src: item.url, alt: texts.say("result.image", { name: item.name }), class: "base" });
  const map = h("canvas", { class: "layer", "aria-hidden": "true" }), line = h("canvas", { class: "layer", "aria-hidden": "true" });
  const share = (v, of) => `${(100 * v) / of}%`;
  const outline = h("div", { class: "outline", hidden: !!item.served, "aria-hidden": "true" });
  for (const layer of [map, line, outline]) {
    Object.assign(layer.style, { left: share(left, width), top: share(top, height), width: share(side, width), height: share(side, height) });
  }
  const box = h("div", { class: "image-box", "--ratio": width / height }, base, map, line, outline);
  return { box, base, map, line };
}

export function viewer(item, model, texts) {
  const { verdict, cam } = item, { box, base, map, line } = imageBox(item, texts);
  if (!verdict.gradable || !cam) {
    if (item.served) return h("figure", { class: "viewer" }, box, h("figcaption", {}, h("p", { class: "faint" }, texts.say("service.picture", { name: item.name }))));
    const note = verdict.gradable ? texts.say("result.no_map") : "";
    return h("figure", { class: "viewer" }, box, h("figcaption", {}, h("p", { class: "faint" }, `${texts.say("result.square")} ${note}`.trim())));
  }
  const view = (item.view ??= { opacity: 0.6, contour: true, label: verdict.ranked[0][0] });
  const empty = h("p", { class: "faint", hidden: true }, texts.say("result.empty_map"));
  const printed = h("p", { class: "print-only" }); // where the controls, which say it on screen, are left out
  const show = () => {
    printed.textContent = view.values ? `${texts.say("result.map_for")}: ${texts.name(model.labels[view.label])}` : "";
    const drawn = known(view) && !!view.values, expected = drawn || !known(view);
    base.classList.toggle("grey", view.opacity > 0 && expected);
    map.style.opacity = view.opacity;
    line.hidden = !view.contour || !drawn;
    map.hidden = !drawn;
    empty.hidden = expected;
    scale.style.setProperty("--opacity", view.opacity);
  };
  const change = () => {
    const values = mapValues(item);
    if (values) {
      paintHeat(map, values, SIDE);
      paintContour(line, values, SIDE);
    }
    show();
  };
  const chooser = h("select", { id: "map-label", onchange: (e) => { view.label = +e.target.value; change(); } },
    verdict.ranked.map(([i]) => h("option", { value: String(i), selected: i === view.label }, texts.name(model.labels[i]))));
  const slider = h("input", { id: "map-opacity", type: "range", min: "0", max: "100", value: String(100 * view.opacity), oninput: (e) => { view.opacity = e.target.value / 100; show(); } });
  const contour = h("input", { id: "map-contour", type: "checkbox", checked: view.contour, onchange: (e) => { view.contour = e.target.checked; show(); } });
  const stops = Array.from({ length: 18 }, (_, i) => `rgb(${colour(i / 17).join(" ")})`).join(",");
  const scale = h("div", { class: "scale", "--stops": stops }, h("div", { class: "bar", "aria-hidden": "true" }),
    h("span", {}, texts.say("result.scale.low")), h("span", {}, texts.say("result.scale.high")));
  const controls = h("div", { class: "map-controls" },
    h("label", { for: "map-label" }, texts.say("result.map_for")), chooser,
    h("label", { for: "map-opacity" }, texts.say("result.opacity")), slider,
    h("label", { class: "check" }, contour, texts.say("result.contour")));
  if (known(view)) {
    change();
  } else {
    show();
    requestAnimationFrame(() => setTimeout(change)); // the words first
  }
  return h("figure", { class: "viewer" }, box, h("figcaption", {}, controls, printed, scale, empty, h("p", { class: "faint" }, texts.say("result.square"))));
}
