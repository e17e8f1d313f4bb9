// The buttons of a campaign's labels: their number keys, and a filter where there are many.

const at = (id) => document.getElementById(id);
const nameOf = (button) => button.querySelector("span").textContent;

export class LabelButtons {
  #root;
  #pick;
  #filter = at("filter");

  /** `pick(labelKey)` is called when a label is chosen by the filter. */
  constructor(pick, root = at("labels")) {
    this.#root = root;
    this.#pick = pick;
    this.#filter?.addEventListener("input", () => this.#applyFilter());
  }

  get all() {
    return [...this.#root.querySelectorAll(".answer")];
  }

  get shown() {
    return this.all.filter((button) => !button.hidden);
  }

  /** The label that a number key stands for, or undefined. */
  labelAt(digit) {
    return this.shown[digit]?.dataset.label;
  }

  press(labelKeys) {
    for (const button of this.all) button.setAttribute("aria-pressed", String(labelKeys.includes(button.dataset.label)));
  }

  flash(labelKey) {
    const button = this.all.find((candidate) => candidate.dataset.label === labelKey);
    button.classList.remove("flash");
    void button.offsetWidth; // restarts the animation when the same label is chosen twice in a row
    button.classList.add("flash");
  }

  openFilter(event) {
    if (event.key !== "/" || !this.#filter) return false;
    this.#filter.focus();
    return true;
  }

  clearFilter() {
    if (!this.#filter?.value) return;
    this.#filter.value = "";
    this.#applyFilter();
  }

  typing(event) {
    if (event.target !== this.#filter) return;
    if (event.key === "Escape") { this.clearFilter(); this.#filter.blur(); }
    const first = this.labelAt(0);
    if (event.key === "Enter" && this.#filter.value.trim() && first !== undefined) this.#pick(first);
  }

  /** Shows only the labels that contain the words typed; number keys follow what is shown. */
  #applyFilter() {
    const words = this.#filter.value.trim().toLocaleLowerCase();
    for (const button of this.all) button.hidden = !nameOf(button).toLocaleLowerCase().includes(words);
    const shown = this.shown;
    for (const button of this.all) {
      const place = shown.indexOf(button);
      button.classList.toggle("first", Boolean(words) && place === 0);
      let key = button.querySelector("kbd");
      if (!key) {
        key = document.createElement("kbd");
        key.setAttribute("aria-hidden", "true");
        button.append(key);
      }
      key.hidden = place < 0 || place > 9;
      key.textContent = String((place + 1) % 10);
    }
    at("no-match").textContent = words ? `${shown.length} labels match` : "";
  }
}
