// Relations between marks as arrows: brackets over the line that both marks stand on, or curves from line to line
// behind the text. A name stands on its arrow where nothing else does; the list of relations names them all.

const SVG = "http://www.w3.org/2000/svg";
const HEAD = 4; // pixels: half an arrow head's width, and half its length
const OUT = 9; // from a mark's middle to where an arrow leaves it
const IN = 3; // and to where one comes in
const EDGE = 2; // from a mark's end at least
const RISE = 9; // of the lowest bracket over its line
const STEP = 7; // from bracket to bracket
const MOST_LEVELS = 3; // as many as there is room for between two lines
const CORNER = 5; // radius
const LINE = 4; // the thickest line under a mark
const LETTERS = 4; // a line's box is higher than its letters, at both sides
const ALONG = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.12, 0.88]; // where a name is tried on its arrow

/** `links` are [{from, to, name, isLinked}], both ends the boxes of a mark; `lines` are those of the text. */
export function drawLinks(layer, links, lines) {
  const there = links.filter(({ from, to }) => from.length && to.length);
  if (!there.length) return;
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("class", "links");
  layer.prepend(picture);
  const arrows = there.map((link) => ({ ...link, ...nearest(link.from, link.to) }));
  giveLevels(arrows.filter(({ isOver }) => isOver));
  for (const arrow of arrows) Object.assign(arrow, arrow.isOver ? bracket(arrow) : curve(arrow));
  for (const { d, tip, isLinked } of arrows) {
    const drawn = document.createElementNS(SVG, "g");
    drawn.setAttribute("class", isLinked ? "link linked" : "link");
    drawn.append(pathOf(d, "shaft"), pathOf(headAt(tip), "head"));
    picture.append(drawn);
  }
  nameArrows(layer, arrows, lines);
}

const middleOf = ({ left, right }) => (left + right) / 2;
const within = (x, { left, right }) => Math.max(Math.min(x, right - EDGE), left + EDGE);

/** The boxes of two marks that are nearest to each other, and where an arrow leaves the one and enters the other. */
function nearest(starts, ends) {
  const pairs = starts.flatMap((a) => ends.map((b) => [a, b]));
  const far = ([a, b]) => Math.abs(a.top - b.top) * 100 + Math.abs(middleOf(a) - middleOf(b));
  const [a, b] = pairs.reduce((best, pair) => (far(pair) < far(best) ? pair : best));
  const along = Math.sign(middleOf(b) - middleOf(a)) || 1;
  const isOver = Math.abs(a.top - b.top) < (a.bottom - a.top) / 2;
  return { a, b, along, isOver, x1: within(middleOf(a) + along * OUT, a), x2: within(middleOf(b) - along * IN, b) };
}

/** The shorter stand lower; brackets over the same words stand over each other. */
function giveLevels(brackets) {
  const taken = [];
  for (const one of [...brackets].sort((p, q) => Math.abs(p.x1 - p.x2) - Math.abs(q.x1 - q.x2))) {
    const [left, right] = [Math.min(one.x1, one.x2), Math.max(one.x1, one.x2)];
    const isTaken = (level) => taken.some((other) => other.level === level && other.top === one.a.top && left < other.right && other.left < right);
    one.level = 0;
    while (one.level < MOST_LEVELS - 1 && isTaken(one.level)) one.level += 1;
    taken.push({ left, right, top: one.a.top, level: one.level });
  }
}

function bracket({ a, b, x1, x2, level }) {
  const peak = Math.min(a.top, b.top) - RISE - level * STEP;
  const turn = Math.sign(x2 - x1) * Math.min(CORNER, Math.abs(x2 - x1) / 2);
  const low = peak + Math.abs(turn);
  return {
    d: `M${x1} ${a.top} L${x1} ${low} Q${x1} ${peak} ${x1 + turn} ${peak} L${x2 - turn} ${peak} Q${x2} ${peak} ${x2} ${low} L${x2} ${b.top - HEAD}`,
    tip: { x: x2, y: b.top, down: 1 },
    pointAt: (t) => [x1 + t * (x2 - x1), peak],
  };
}

function curve({ a, b, x1, x2 }) {
  const down = b.top > a.top ? 1 : -1;
  const [y1, tip] = down > 0 ? [a.bottom + LINE, b.top] : [a.top, b.bottom + LINE];
  const y2 = tip - down * HEAD;
  const bend = (y2 - y1) / 2;
  const [c1, c2] = [y1 + bend, y2 - bend];
  const at = (t, p, q, r, s) => (1 - t) ** 3 * p + 3 * (1 - t) ** 2 * t * q + 3 * (1 - t) * t ** 2 * r + t ** 3 * s;
  return {
    d: `M${x1} ${y1} C${x1} ${c1} ${x2} ${c2} ${x2} ${y2}`,
    tip: { x: x2, y: tip, down },
    pointAt: (t) => [at(t, x1, x1, x2, x2), at(t, y1, c1, c2, y2)],
  };
}

const headAt = ({ x, y, down }) => `M${x - HEAD} ${y - down * 2 * HEAD} L${x} ${y} L${x + HEAD} ${y - down * 2 * HEAD} Z`;

function pathOf(d, className) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", d);
  path.setAttribute("class", className);
  return path;
}

/** Each arrow's name where nothing else stands: no text, no other name, no head of an arrow. */
function nameArrows(layer, arrows, lines) {
  const named = arrows.map((arrow) => ({ arrow, name: nameOf(arrow) }));
  layer.append(...named.map(({ name }) => name));
  // Measured before any is placed, so that the page is laid out once and not for each name.
  const letters = lines.map(({ top, bottom, ...line }) => ({ ...line, top: top + LETTERS, bottom: bottom - LETTERS }));
  const heads = arrows.map(({ tip: { x, y, down } }) => ({ left: x - HEAD, right: x + HEAD, top: Math.min(y, y - down * 2 * HEAD), bottom: Math.max(y, y - down * 2 * HEAD) }));
  const taken = [...letters, ...heads, ...markNames(layer)];
  const room = layer.clientWidth;
  for (const one of named) Object.assign(one, { width: one.name.offsetWidth, height: one.name.offsetHeight });
  for (const { arrow, name, width, height } of named) {
    const places = ALONG.map(arrow.pointAt).map(([x, y]) => {
      const left = Math.max(0, Math.min(x - width / 2, room - width));
      return { left, right: left + width, top: y - height / 2, bottom: y + height / 2 };
    });
    const place = places.find((one) => !taken.some((other) => isHit(one, other)));
    if (place) {
      Object.assign(name.style, { left: `${place.left}px`, top: `${place.top}px` });
      taken.push(place);
    } else name.remove();
  }
}

const isHit = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

function nameOf({ name, isLinked }) {
  const made = document.createElement("span");
  made.className = isLinked ? "link-name linked" : "link-name";
  made.textContent = name;
  return made;
}

/** Where the names of marks stand, as of the layer's corner. */
function markNames(layer) {
  const corner = layer.getBoundingClientRect();
  return [...layer.querySelectorAll(".mark-name")].map((name) => {
    const { left, right, top, bottom } = name.getBoundingClientRect();
    return { left: left - corner.left, right: right - corner.left, top: top - corner.top, bottom: bottom - corner.top };
  });
}
