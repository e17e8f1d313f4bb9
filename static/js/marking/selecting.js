// Which words are chosen: by dragging, by tapping the first and the last one, or with the arrows.

import { stepper, unitsOf } from "./units.js";

const SETTLED_MS = 250; // a finger that moves the handles of a selection has come to rest

export class Selecting {
  #root;
  #node = null;
  #text = "";
  #units = [];
  #characters = null;
  #anchor = null; // the first and the latest unit chosen, in either order
  #head = null;
  #awaitsLast = false; // the first word has been tapped, the last one has not
  #resumeAt = 0; // where the arrows go on from when nothing is chosen
  #pointer = "mouse";
  #wasDragged = false;
  #onChange;
  #onTap;

  /** `onChange()` when something else is chosen; `onTap(unit)` is true where a tap meant something that is there. */
  constructor(root, { onChange, onTap }) {
    this.#root = root;
    this.#onChange = onChange;
    this.#onTap = onTap;
    document.addEventListener("pointerdown", ({ pointerType }) => { this.#pointer = pointerType; this.#wasDragged = false; });
    document.addEventListener("mouseup", (event) => this.#pointer !== "touch" && this.#takeDragged(event));
    let settling = 0;
    document.addEventListener("selectionchange", () => {
      clearTimeout(settling);
      if (this.#pointer === "touch") settling = setTimeout(() => this.#take(this.#dragged()), SETTLED_MS);
    });
    root.addEventListener("click", (event) => this.#tap(event));
  }

  /** Puts a text into the root, as one text node; returns the node. */
  show(text) {
    this.#root.textContent = text;
    this.#node = this.#root.firstChild;
    this.#text = text;
    this.#units = unitsOf(text);
    this.#characters = stepper(text);
    this.#resumeAt = 0;
    this.#choose(null, null);
    return this.#node;
  }

  /** {start, end} in UTF-16 code units, or null. */
  get chosen() {
    if (!this.#anchor) return null;
    return { start: Math.min(this.#anchor.start, this.#head.start), end: Math.max(this.#anchor.end, this.#head.end) };
  }

  clear(resumeAt = this.chosen?.end ?? this.#resumeAt) {
    this.#resumeAt = resumeAt;
    if (getSelection().rangeCount) getSelection().removeAllRanges();
    this.#choose(null, null);
  }

  #choose(anchor, head, awaitsLast = false) {
    this.#anchor = anchor;
    this.#head = head;
    this.#awaitsLast = awaitsLast;
  }

  // ---- By pointer

  #takeDragged(event) {
    const range = this.#dragged();
    if (!range) return;
    this.#wasDragged = true;
    getSelection().removeAllRanges();
    this.#take(range, event.ctrlKey || event.altKey || event.metaKey);
  }

  /** What the browser has selected of our text. */
  #dragged() {
    const selection = getSelection();
    if (!this.#node || !selection.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    if (!range.intersectsNode(this.#node)) return null;
    const start = range.startContainer === this.#node ? range.startOffset : 0;
    const end = range.endContainer === this.#node ? range.endOffset : this.#text.length;
    return { start, end };
  }

  /** Whole words of a range, unless exactly these characters are meant. */
  #take(range, exactly = false) {
    if (!range) return;
    const inside = this.#units.filter((unit) => unit.start < range.end && range.start < unit.end);
    if (!inside.length) return;
    const whole = { start: inside[0].start, end: inside.at(-1).end };
    const exact = {
      start: this.#characters.before(this.#characters.after(Math.max(range.start, whole.start))),
      end: this.#characters.after(this.#characters.before(Math.min(range.end, whole.end))),
    };
    const taken = exactly ? exact : whole;
    this.#choose(taken, taken);
    this.#onChange();
  }

  #tap(event) {
    const unit = !this.#wasDragged && this.#unitAt(event.clientX, event.clientY);
    if (!unit) return;
    if (this.#anchor && (event.shiftKey || (this.#awaitsLast && unit !== this.#anchor))) this.#choose(this.#anchor, unit);
    else if (this.#awaitsLast) this.clear(unit.start); // the same word again: not this one
    else if (this.#onTap(unit)) return;
    else this.#choose(unit, unit, true);
    this.#onChange();
  }

  #unitAt(x, y) {
    const at = caretAt(x, y);
    if (at?.node !== this.#node) return null;
    const near = this.#units.filter((unit) => unit.start <= at.offset && at.offset <= unit.end);
    const range = document.createRange();
    const isUnder = ({ start, end }) => {
      range.setStart(this.#node, start);
      range.setEnd(this.#node, end);
      return [...range.getClientRects()].some((box) => box.left <= x && x <= box.right);
    };
    return near.find(isUnder) ?? near[0] ?? null;
  }

  // ---- By key

  /** True where the arrow was ours: by words, with Shift to extend, with Ctrl by characters. */
  key(event) {
    const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const across = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!along && !(across && document.activeElement === this.#root && this.#head)) return false;
    const isRightToLeft = getComputedStyle(this.#root).direction === "rtl";
    if (across) this.#moveToLine(across, event.shiftKey);
    else if (event.ctrlKey) this.#moveByCharacter(isRightToLeft ? -along : along, event.shiftKey);
    else this.#moveByUnit(isRightToLeft ? -along : along, event.shiftKey);
    this.#keepInSight();
    this.#onChange();
    return true;
  }

  #moveByUnit(step, extends_) {
    const from = this.#head ?? { start: this.#resumeAt, end: this.#resumeAt };
    const to = step > 0
      ? this.#units.find((unit) => unit.start >= from.end)
      : this.#units.findLast((unit) => unit.end <= from.start);
    if (to) this.#moveTo(to, extends_);
  }

  #moveByCharacter(step, extends_) {
    const { after, before, isSpace } = this.#characters;
    const chosen = this.chosen ?? { start: this.#resumeAt, end: this.#resumeAt };
    if (!extends_) {
      const isOne = after(chosen.start) === chosen.end;
      let start = step > 0 ? (isOne ? chosen.end : chosen.start) : before(isOne ? chosen.start : chosen.end);
      while (isSpace(start) && start > 0) start = step > 0 ? after(start) : before(start);
      if (start >= this.#text.length || isSpace(start)) return;
      const one = { start, end: after(start) };
      return this.#choose(one, one);
    }
    if (!this.#anchor) return;
    const moved = step > 0 ? after : before;
    if (this.#head.start >= this.#anchor.start) {
      const end = moved(chosen.end);
      if (end > chosen.start) this.#choose({ start: chosen.start, end: Math.min(this.#anchor.end, end) }, { start: before(end), end });
    } else {
      const start = moved(chosen.start);
      if (start < chosen.end) this.#choose({ start: Math.max(this.#anchor.start, start), end: chosen.end }, { start, end: after(start) });
    }
  }

  #moveToLine(step, extends_) {
    const range = document.createRange();
    range.setStart(this.#node, this.#head.start);
    range.setEnd(this.#node, this.#head.end);
    const box = range.getBoundingClientRect();
    const height = parseFloat(getComputedStyle(this.#root).lineHeight);
    const to = this.#unitAt((box.left + box.right) / 2, (box.top + box.bottom) / 2 + step * height);
    if (to) this.#moveTo(to, extends_);
  }

  #moveTo(unit, extends_) {
    this.#choose(extends_ && this.#anchor ? this.#anchor : unit, unit);
  }

  #keepInSight() {
    if (!this.#head) return;
    const range = document.createRange();
    range.setStart(this.#node, this.#head.start);
    range.setEnd(this.#node, this.#head.end);
    const { top, bottom } = range.getBoundingClientRect();
    const floor = document.getElementById("dock").getBoundingClientRect().top - 40;
    const ceiling = document.getElementById("question").getBoundingClientRect().bottom + 10;
    if (bottom > floor) scrollBy({ top: bottom - floor, behavior: "instant" });
    else if (top < ceiling) scrollBy({ top: top - ceiling, behavior: "instant" });
  }
}

/** The place in the text under a point; browsers call it by two names. */
function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const place = document.caretPositionFromPoint(x, y);
    return place && { node: place.offsetNode, offset: place.offset };
  }
  const range = document.caretRangeFromPoint(x, y);
  return range && { node: range.startContainer, offset: range.startOffset };
}
