// Texts and numbers in the user's language, from the catalogue that lentigo.texts shares with Python.

import { printed } from "./verdict.js";

export class Texts {
  constructor(catalogues, language) {
    this.catalogues = catalogues;
    this.use(language);
  }

  use(language) {
    this.language = language in this.catalogues ? language : "en";
    const format = (options) => new Intl.NumberFormat(this.language, { useGrouping: "min2", ...options });
    const four = format({ minimumFractionDigits: 4, maximumFractionDigits: 4 });
    this.four = (v) => four.format(v);
    this.formats = { whole: format({ maximumFractionDigits: 0 }), one: format({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }) };
  }

  get languages() {
    return Object.entries(this.catalogues).map(([id, texts]) => [id, texts.language]);
  }

  say = (key, values = {}) => fill(this.catalogues[this.language][key] ?? key, values, this.language);

  english = (key, values = {}) => fill(this.catalogues.en[key] ?? key, values, "en");

  has = (key) => key in this.catalogues[this.language];

  whole = (n) => this.formats.whole.format(n);

  percent = (p) => printed(p, 3, (v) => this.formats.one.format(v));

  name(label) {
    const key = `name.${label.name.toLowerCase()}`;
    return this.has(key) ? this.say(key) : label.name;
  }

  plain(label) {
    const key = `plain.${label.name.toLowerCase()}`;
    return this.has(key) ? this.say(key) : "";
  }
}

// Whole numbers as they are, others with two decimals.
function shown(value, language) {
  if (typeof value !== "number" || Number.isInteger(value)) return value;
  return value.toLocaleString(language, { minimumFractionDigits: 2, maximumFractionDigits: 2, useGrouping: false });
}

const fill = (text, values, language) => text.replace(/\{(\w+)\}/g, (whole, name) => shown(values[name], language) ?? whole);
