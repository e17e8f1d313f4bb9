// A text and its marks: choose words, give them a label, walk through the marks, change and remove them.

import { offsetsOf } from "../code-points.js";
import { LabelButtons } from "../label-buttons.js";
import { element, showNotice, showRecord } from "../label-view.js";
import { Drawing } from "./drawing.js";
import { Selecting } from "./selecting.js";
import { toneAt } from "./tones.js";

const at = (id) => document.getElementById(id);
const inOrder = (a, b) => a.start - b.start || b.end - a.end || (a.label < b.label ? -1 : 1);
const isSame = (a, b) => a !== b && a.start === b.start && a.end === b.end && a.label === b.label;

export class Marker {
  /** In the text's order: [{start, end, label, suggested}], offsets in UTF-16 code units. `suggested`: nobody but a
   * model has looked at it yet. */
  marks = [];
  selected = null;
  linked = [];
  #text = "";
  #labels;
  #selecting;
  #drawing;
  #buttons;
  #hooks;

  /**
   * `labels` are those that marks have. `onChange()` after each change; `onPick(mark)` is true where a mark that
   * was pointed at is wanted for something else; `onRemove(mark, instead)` when a mark goes, or becomes another;
   * `links()` are the arrows between marks: [{from, to, name}].
   */
  constructor(labels, hooks) {
    this.#labels = labels;
    this.#hooks = { onPick: () => false, onRemove: () => {}, links: () => [], ...hooks };
    this.#buttons = new LabelButtons((label) => this.label(label));
    this.#drawing = new Drawing(at("record"), at("marks"));
    this.#selecting = new Selecting(at("text"), { onChange: () => this.#onSelection(), onTap: (unit) => this.#pickAt(unit) });
    for (const button of this.#buttons.all) button.classList.add(...this.toneOf(button.dataset.label).split(" "));
    // The text keeps the keyboard when a button is pressed with the mouse.
    at("answers").addEventListener("mousedown", (event) => event.target.closest("button") && event.preventDefault());
    at("mark-list").addEventListener("focusin", ({ target }) => target.dataset.mark && this.point(this.marks[target.dataset.mark]));
    new ResizeObserver(() => this.draw()).observe(at("record"));
    document.fonts.ready.then(() => this.draw());
  }

  show(task, spans) {
    showRecord(task);
    this.#text = task.text;
    this.#drawing.show(this.#selecting.show(task.text));
    this.marks = this.#marksOf(spans);
    this.selected = null;
    this.linked = [];
    this.#buttons.clearFilter();
    this.refresh();
    if (matchMedia("(pointer: fine)").matches) at("text").focus({ preventScroll: true });
  }

  #marksOf(spans) {
    const { units } = offsetsOf(this.#text);
    return spans.map((span) => ({ ...span, start: units(span.start), end: units(span.end) })).sort(inOrder);
  }

  /** As an answer has them: in the text's order, offsets in code points. */
  spans() {
    return this.draft().map(({ start, end, label }) => ({ start, end, label }));
  }

  /** The same, and of each whether it is but suggested. */
  draft() {
    const { points } = offsetsOf(this.#text);
    return this.marks.map((mark) => ({ ...mark, start: points(mark.start), end: points(mark.end) }));
  }

  textOf({ start, end }) {
    return this.#text.slice(start, end).replace(/\s+/g, " ");
  }

  nameOf(label) {
    return this.#labels.find((one) => one.key === label)?.name ?? label;
  }

  toneOf(label) {
    return toneAt(this.#labels.findIndex((one) => one.key === label));
  }

  // ---- Marks

  /** Labels what is chosen, or the selected mark anew. */
  label(label) {
    const chosen = this.#selecting.chosen;
    if (chosen) this.#mark({ ...chosen, label });
    else if (this.selected) this.#relabel(this.selected, label);
    else showNotice("First choose words in the text, then their label.");
    return true;
  }

  #mark(made) {
    const there = this.marks.find((mark) => isSame(mark, made));
    if (there) there.suggested = false;
    else this.marks = [...this.marks, made].sort(inOrder);
    this.selected = there ?? made;
    this.#selecting.clear(made.end);
    this.say(`${this.textOf(made)}: ${this.nameOf(made.label)}.`);
    this.#changed();
  }

  #relabel(mark, label) {
    mark.label = label;
    mark.suggested = false;
    const there = this.marks.find((other) => isSame(other, mark));
    if (there) {
      there.suggested = false;
      this.#drop(mark, there);
    }
    this.selected = there ?? mark;
    this.marks.sort(inOrder);
    this.say(`${this.textOf(mark)} is now ${this.nameOf(label)}.`);
    this.#changed();
  }

  remove(mark) {
    const next = this.marks[this.marks.indexOf(mark) + 1] ?? null;
    const hadFocus = at("mark-list").contains(document.activeElement);
    this.#drop(mark, null);
    this.selected = hadFocus ? next : null;
    this.say(`${this.textOf(mark)} is no longer marked.`);
    this.#changed();
    return true;
  }

  /** Takes out what is but suggested. */
  clearSuggested() {
    const cleared = this.marks.filter((mark) => mark.suggested);
    this.marks = this.marks.filter((mark) => !mark.suggested);
    if (cleared.includes(this.selected)) this.selected = null;
    this.say("What was suggested is taken out.");
    this.#changed();
  }

  /** Marks these as suggested, where they are not marked. */
  suggest(spans) {
    const missing = this.#marksOf(spans).filter((made) => !this.marks.some((mark) => isSame(mark, made)));
    this.marks = [...this.marks, ...missing].sort(inOrder);
    this.#changed();
  }

  #drop(mark, instead) {
    this.marks = this.marks.filter((other) => other !== mark);
    this.#hooks.onRemove(mark, instead);
  }

  #changed() {
    this.refresh();
    this.#hooks.onChange();
  }

  /** A mark is pointed at, in the text or in the list. */
  point(mark) {
    if (this.#hooks.onPick(mark)) return;
    this.selected = mark;
    if (this.#selecting.chosen) this.#selecting.clear(mark.end);
    this.draw();
  }

  /** The innermost mark under a tap; what is selected already gives way to its words. */
  #pickAt(unit) {
    const under = this.marks.filter((mark) => mark.start <= unit.start && unit.end <= mark.end);
    const mark = under.sort((a, b) => a.end - a.start - (b.end - b.start))[0];
    if (!mark || mark === this.selected) return false;
    this.point(mark);
    return true;
  }

  #onSelection() {
    const { chosen } = this.#selecting;
    this.selected = null;
    if (chosen) this.say(this.textOf(chosen));
    this.draw();
  }

  // ---- Hands

  key(event, digit) {
    const isElsewhere = event.target.closest?.("button, a, summary, input");
    const label = this.#buttons.labelAt(digit);
    if (label !== undefined) return this.label(label);
    if (event.key === "Delete" || event.key === "Backspace") return Boolean(this.selected) && this.remove(this.selected);
    if (event.key === "Escape" && (this.#selecting.chosen || this.selected)) return this.#letGo();
    return (!isElsewhere && this.#selecting.key(event)) || this.#buttons.openFilter(event);
  }

  chord(event) {
    return event.ctrlKey && !event.altKey && !event.target.closest?.("button, input") && this.#selecting.key(event);
  }

  typing(event) {
    this.#buttons.typing(event);
  }

  click(button) {
    const { label, mark, unmark } = button.dataset;
    if (label !== undefined) this.label(label);
    else if (mark !== undefined) this.point(this.marks[mark]);
    else if (unmark === "selected") this.#removeSelected();
    else if (unmark !== undefined) this.remove(this.marks[unmark]);
  }

  #removeSelected() {
    if (this.selected) this.remove(this.selected);
  }

  #letGo() {
    this.#selecting.clear();
    this.selected = null;
    this.draw();
    return true;
  }

  // ---- What is seen and said

  say(words) {
    at("said").textContent = words;
  }

  refresh() {
    const hadFocus = at("mark-list").contains(document.activeElement);
    at("mark-count").textContent = this.#count();
    at("mark-list").replaceChildren(...this.marks.map((mark, place) => this.#item(mark, place)));
    this.draw();
    if (hadFocus) (this.#chipOf(this.selected) ?? at("text")).focus({ preventScroll: true });
  }

  #count() {
    if (!this.marks.length) return "Nothing is marked yet";
    const nSuggested = this.marks.filter((mark) => mark.suggested).length;
    return `${this.marks.length} marked${nSuggested ? `, ${nSuggested} of them suggested by the model` : ""}`;
  }

  #item(mark, place) {
    const words = this.textOf(mark);
    const chip = element("button", `mark-chip ${this.toneOf(mark.label)}`);
    chip.type = "button";
    chip.dataset.mark = place;
    chip.append(element("span", "mark-words", words), element("span", "mark-label", this.nameOf(mark.label)));
    if (mark.suggested) chip.append(element("span", "visually-hidden", "suggested by the model"));
    if (place < 10) {
      const key = element("kbd", "", String((place + 1) % 10));
      key.setAttribute("aria-hidden", "true");
      chip.prepend(key);
    }
    const remove = element("button", "icon-button", "✕");
    remove.type = "button";
    remove.dataset.unmark = place;
    remove.setAttribute("aria-label", `Remove the mark ${words}: ${this.nameOf(mark.label)}`);
    const item = element("li", mark.suggested ? "suggested" : "");
    item.append(chip, remove);
    return item;
  }

  #chipOf(mark) {
    return mark && at("mark-list").querySelector(`[data-mark="${this.marks.indexOf(mark)}"]`);
  }

  draw() {
    const drawn = this.marks.map((mark) => ({
      ...mark, name: this.nameOf(mark.label), tone: this.toneOf(mark.label), isSelected: mark === this.selected, isLinked: this.linked.includes(mark),
    }));
    const links = this.#hooks.links().map(({ from, to, name }) => ({
      from: this.marks.indexOf(from), to: this.marks.indexOf(to), name, isLinked: this.linked[0] === from && this.linked[1] === to,
    }));
    this.#drawing.draw(drawn, this.#selecting.chosen, links);
    for (const chip of at("mark-list").querySelectorAll("[data-mark]")) {
      chip.setAttribute("aria-pressed", String(this.marks[chip.dataset.mark] === this.selected));
    }
    this.#buttons.press(this.selected ? [this.selected.label] : []);
    at("unmark").classList.toggle("out", !this.selected);
  }
}

/** Spans of an answer in words: with their text where it is at hand. */
export function spansInWords(spans, text, nameOf) {
  if (!spans.length) return "nothing to mark";
  if (text === undefined) return spans.length === 1 ? "1 mark" : `${spans.length} marks`;
  const { units } = offsetsOf(text);
  return spans.map(({ start, end, label }) => `${text.slice(units(start), units(end))}: ${nameOf(label)}`).join("; ");
}
