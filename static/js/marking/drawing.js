// Marks are drawn behind the text, which stays one piece: nothing moves when a mark comes or goes.
// Below a line there are bands. A mark takes the nearest band that is free where it and its name stand, so
// overlapping and nested marks keep a line and a name each. Relations are arrows behind all of it.

import { drawLinks } from "./links.js";

const LEAST_BANDS = 2; // what every line has room for from the start
const GAP = 5; // pixels between a name and the next mark in its band
const THINNEST = 0.5;

export class Drawing {
  #record;
  #layer;
  #node = null;
  #range = document.createRange();

  /** `layer` covers `record`, which says by --bands how much room is below a line. */
  constructor(record, layer) {
    this.#record = record;
    this.#layer = layer;
  }

  show(textNode) {
    this.#node = textNode;
    this.#record.style.setProperty("--bands", LEAST_BANDS);
  }

  /** Where a stretch of the text stands: a box for each of its lines, as of the layer's corner. */
  boxes({ start, end }) {
    this.#range.setStart(this.#node, start);
    this.#range.setEnd(this.#node, end);
    const corner = this.#layer.getBoundingClientRect();
    const lines = new Map();
    for (const { left, right, top, bottom } of this.#range.getClientRects()) {
      if (right - left < THINNEST) continue;
      const line = lines.get(Math.round(top));
      if (line) Object.assign(line, { left: Math.min(line.left, left - corner.left), right: Math.max(line.right, right - corner.left) });
      else lines.set(Math.round(top), { left: left - corner.left, right: right - corner.left, top: top - corner.top, bottom: bottom - corner.top });
    }
    return [...lines.values()];
  }

  /**
   * Marks are [{start, end, name, tone, suggested, isSelected, isLinked}], `selection` is {start, end} or null, links
   * are [{from, to, name, isLinked}], from and to being places in marks.
   */
  draw(marks, selection, links = []) {
    if (!this.#node) return;
    this.#layer.replaceChildren();
    const drawn = [...marks].sort((a, b) => a.end - a.start - (b.end - b.start)).map((mark) => {
      const name = this.#add(`mark-name ${mark.tone}`);
      name.textContent = mark.name;
      return { mark, name };
    });
    for (const one of drawn) Object.assign(one, { width: one.name.offsetWidth, boxes: this.boxes(one.mark) });
    const nBands = giveBands(drawn);
    if (this.#makeRoom(Math.max(LEAST_BANDS, nBands))) {
      for (const one of drawn) one.boxes = this.boxes(one.mark);
    }
    // Everything is measured before anything is placed, so that the page is laid out once and not for each mark.
    const chosen = selection ? this.boxes(selection) : [];
    const lines = links.length ? this.boxes({ start: 0, end: this.#node.length }) : [];
    const width = this.#layer.clientWidth;
    for (const one of drawn) this.#place(one, width);
    for (const box of chosen) this.#cover(this.#add("mark-selection"), box);
    const boxesOf = new Map(drawn.map(({ mark, boxes }) => [mark, boxes]));
    const joined = links.map((link) => ({ ...link, from: boxesOf.get(marks[link.from]), to: boxesOf.get(marks[link.to]) }));
    drawLinks(this.#layer, joined, lines);
  }

  #makeRoom(nBands) {
    if (this.#record.style.getPropertyValue("--bands") === String(nBands)) return false;
    this.#record.style.setProperty("--bands", nBands);
    return true;
  }

  #place({ mark, name, width, boxes, band }, room) {
    for (const box of boxes) {
      const state = `${mark.suggested ? " suggested" : ""}${mark.isSelected ? " selected" : ""}${mark.isLinked ? " linked" : ""}`;
      this.#cover(this.#add(`mark-ground ${mark.tone}${state}`), box);
      const line = this.#add(`mark-line ${mark.tone}`);
      this.#cover(line, { ...box, top: box.bottom });
      line.style.setProperty("--band", band);
    }
    if (!boxes.length) return;
    name.style.left = `${Math.max(0, Math.min(boxes[0].left, room - width))}px`;
    name.style.top = `${boxes[0].bottom}px`;
    name.style.setProperty("--band", band);
  }

  #add(className) {
    const made = document.createElement("span");
    made.className = className;
    this.#layer.append(made);
    return made;
  }

  #cover(element, { left, right, top, bottom }) {
    Object.assign(element.style, { left: `${left}px`, width: `${right - left}px`, top: `${top}px`, height: `${Math.max(0, bottom - top)}px` });
  }
}

/** Gives each the nearest free band, the shorter first; returns how many there are. */
function giveBands(drawn) {
  const taken = []; // [{line, band, left, right}]
  let n = 0;
  for (const one of drawn) {
    const places = one.boxes.map(({ left, right, top }, place) => {
      return { line: Math.round(top), left, right: place ? right : Math.max(right, left + one.width + GAP) };
    });
    const isFree = (band) => !places.some(({ line, left, right }) =>
      taken.some((other) => other.band === band && other.line === line && left < other.right && other.left < right));
    one.band = 0;
    while (!isFree(one.band)) one.band += 1;
    taken.push(...places.map((place) => ({ ...place, band: one.band })));
    n = Math.max(n, one.band + 1);
  }
  return n;
}
