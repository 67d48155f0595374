// Why something can't be done, as a key of the catalogue with its values, so that it is said in the user's language.

export class Refusal extends Error {
  constructor(key, values = {}, step = `${key}.step`) {
    super(key);
    this.key = key;
    this.values = values;
    this.step = step;
  }
}
