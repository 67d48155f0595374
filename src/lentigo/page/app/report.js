// A report as one HTML file that needs nothing else: the result's own elements with a style of their own.

import { asDataUrl, h } from "./dom.js";
import { crc32 } from "./formats.js";
import { overlaid } from "./heat.js";
import { details, diagnoses, headline, risks } from "./result.js";
import { mapValues } from "./viewer.js";

const STYLE = "body{font:15px/1.5 system-ui,sans-serif;color:#1c1a18;max-width:46rem;margin:2rem auto;padding:0 1rem}" +
  "h1{font-size:1.3rem}h2{font-size:1.2rem;margin:1rem 0 .3rem}h3{font-size:1rem;margin:1.4rem 0 .3rem}img{width:100%;max-width:34rem;display:block;margin:.8rem 0 .3rem}.badge>span{margin-right:.4em}.risk{margin-bottom:.8rem}" +
  ".name::first-letter{text-transform:uppercase}.row{display:flex;justify-content:space-between;gap:1rem}.number{font-variant-numeric:tabular-nums}p{margin:.3rem 0}.small{font-size:.87em}" +
  ".faint{color:#5d5853;font-weight:400}.track{display:none}ol{padding:0;list-style:none}li{border-top:1px solid #ddd;padding:.35rem 0}.notice{border:1px solid #999;padding:.5rem .8rem}";

// The picture as PNG with the mark by which lentigo knows its own heat maps and never classifies one.
async function markedPng(canvas) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const body = new TextEncoder().encode("tEXtSoftware\0lentigo heat map"), chunk = new Uint8Array(body.length + 8), view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(body.length + 4, crc32(body));
  const header = 33; // signature and IHDR
  return new Blob([bytes.subarray(0, header), chunk, bytes.subarray(header)], { type: "image/png" });
}

export async function reportOf(item, model, texts, made) {
  const { verdict, view } = item, say = texts.say, title = say("result.report_title", { name: item.name });
  const values = view && mapValues(item);
  const canvas = await overlaid(item.picture, values, view?.side, view?.opacity ?? 0, view?.contour, !item.served);
  const map = values ? `${say("result.map_for")}: ${texts.name(model.labels[view.label])}. ` : "";
  const body = h("body", {},
    h("h1", {}, title), h("p", { class: "notice" }, say("notice")),
    headline(item, model, texts),
    h("img", { src: await asDataUrl(await markedPng(canvas)), alt: say("result.image", { name: item.name }) }),
    h("p", { class: "faint small" }, item.served ? say("service.picture", { name: item.name }) : `${map}${say("result.square")}`),
    Object.keys(verdict.risks).length > 0 && risks(verdict, model, texts),
    verdict.gradable && diagnoses(verdict, model, texts),
    h("h3", {}, say("result.details")),
    details(item, model, texts),
    h("p", { class: "faint small" }, `${made} ${say("result.created", { when: new Date().toLocaleString(texts.language) })}`));
  const head = h("head", {}, h("meta", { charset: "utf-8" }),
    h("meta", { "http-equiv": "Content-Security-Policy", content: "default-src 'none'; style-src 'unsafe-inline'; img-src data:" }),
    h("meta", { name: "viewport", content: "width=device-width" }), h("title", {}, title), h("style", {}, STYLE));
  const page = h("html", { lang: texts.language }, head, body);
  return new Blob([`<!doctype html>\n${page.outerHTML}\n`], { type: "text/html" });
}
