// Answers that take more than one press, while they are being made: they outlive a reload, as the outbox's do.
// Offsets and label keys are kept, and what the volunteer wrote; never a word of the record.

const KEPT_MS = 7 * 86_400_000; // no loan of a text is longer

export class Drafts {
  #prefix;
  #here = new Map(); // what storage may refuse to take still lives as long as the page

  constructor(owner) {
    this.#prefix = `hc.draft.${owner}.`;
    this.#forgetOld();
  }

  put(assignment, answer) {
    this.#here.set(assignment, answer);
    try { localStorage.setItem(this.#prefix + assignment, JSON.stringify({ answer, at: Date.now() })); } catch { /* kept in the page */ }
  }

  of(assignment) {
    if (this.#here.has(assignment)) return this.#here.get(assignment);
    try { return JSON.parse(localStorage.getItem(this.#prefix + assignment))?.answer ?? null; } catch { return null; }
  }

  remove(assignment) {
    this.#here.delete(assignment);
    try { localStorage.removeItem(this.#prefix + assignment); } catch { /* nothing was stored */ }
  }

  #forgetOld() {
    try {
      for (const name of Object.keys(localStorage).filter((one) => one.startsWith(this.#prefix))) {
        if (JSON.parse(localStorage.getItem(name)).at < Date.now() - KEPT_MS) localStorage.removeItem(name);
      }
    } catch { /* no storage, nothing to forget */ }
  }
}
