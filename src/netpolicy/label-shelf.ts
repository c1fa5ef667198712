/**
 * Things filed under labels. Keys and values are users' text, hence nested Maps and never joined strings.
 */
export class LabelShelf<Thing> {
  readonly #shelves = new Map<string, Map<string, Set<Thing>>>();

  add(key: string, value: string, thing: Thing): void {
    let values = this.#shelves.get(key);
    if (values === undefined) this.#shelves.set(key, (values = new Map()));
    const things = values.get(value);
    if (things === undefined) values.set(value, new Set([thing]));
    else things.add(thing);
  }

  remove(key: string, value: string, thing: Thing): void {
    const values = this.#shelves.get(key);
    const things = values?.get(value);
    if (values === undefined || things === undefined) return;
    things.delete(thing);
    if (things.size === 0) values.delete(value);
    if (values.size === 0) this.#shelves.delete(key);
  }

  at(key: string, value: string): Iterable<Thing> {
    return this.#shelves.get(key)?.get(value) ?? [];
  }
}
