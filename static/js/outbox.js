// Answers that the server has not confirmed yet. They outlive a reload, a flat battery and a dead network.
// Only the assignment's id, the idempotency key and the answer are kept; never a word of the record.

export class Outbox {
  #prefix;
  #here = new Map(); // what storage may refuse to take (private mode, full disk) still lives as long as the page

  constructor(owner) {
    this.#prefix = `hc.outbox.${owner}.`; // one per person: a shared computer must not send another's answers
    for (const entry of this.#stored()) this.#here.set(entry.key, entry);
  }

  get entries() {
    return [...this.#here.values()];
  }

  /** One storage item per answer, so that two tabs never write over each other's. */
  put(entry) {
    this.#here.set(entry.key, entry);
    try { localStorage.setItem(this.#prefix + entry.key, JSON.stringify(entry)); } catch { /* kept in the page */ }
  }

  remove(key) {
    this.#here.delete(key);
    try { localStorage.removeItem(this.#prefix + key); } catch { /* nothing was stored */ }
  }

  #stored() {
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith(this.#prefix));
      return names.map((name) => JSON.parse(localStorage.getItem(name)));
    } catch {
      return [];
    }
  }
}
