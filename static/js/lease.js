// A text is lent for a while. While somebody is at work on it the loan is prolonged; when nobody is, it runs out.

const ACTIVE_MS = 120_000;
const LOOK_EVERY_MS = 5_000;

export class Lease {
  #id = null;
  #endsAt = 0;
  #length = 0;
  #lastActiveAt = 0;
  #busy = false;
  #extend;
  #onLost;

  /** `extend(id)` resolves to the new expiry as {expiresAt, serverTime}; `onLost()` is told when it is too late. */
  constructor(extend, onLost) {
    this.#extend = extend;
    this.#onLost = onLost;
    const active = () => { this.#lastActiveAt = Date.now(); };
    for (const kind of ["keydown", "pointerdown", "pointermove", "scroll", "touchmove"]) {
      addEventListener(kind, active, { passive: true });
    }
    active();
    setInterval(() => this.#look(), LOOK_EVERY_MS);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) { active(); this.#look(); } });
  }

  /** Times are compared on the server's clock: a wrong clock on the volunteer's device must not matter. */
  hold(id, expiresAt, serverTime) {
    this.#id = id;
    this.#length = Math.max(0, Date.parse(expiresAt) - serverTime);
    this.#endsAt = Date.now() + this.#length;
  }

  drop() {
    this.#id = null;
  }

  async #look() {
    const now = Date.now();
    const left = this.#endsAt - now;
    const isActive = !document.hidden && now - this.#lastActiveAt < ACTIVE_MS;
    if (!this.#id || this.#busy || !isActive || left > Math.max(this.#length / 2, 2 * LOOK_EVERY_MS)) return;
    const id = this.#id;
    this.#busy = true;
    try {
      const { expiresAt, serverTime } = await this.#extend(id);
      if (this.#id === id) this.hold(id, expiresAt, serverTime);
    } catch (error) {
      if (this.#id === id && error.status >= 400 && error.status < 429) { this.drop(); this.#onLost(error); }
    } finally {
      this.#busy = false;
    }
  }
}
