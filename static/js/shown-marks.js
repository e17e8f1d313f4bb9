// What a task's answers add up to, marked and related in its text as volunteers do it; nothing here can be changed.

import { offsetsOf } from "./code-points.js";
import { element } from "./label-view.js";
import { Drawing } from "./marking/drawing.js";
import { relationChip } from "./marking/relation-chip.js";
import { toneAt } from "./marking/tones.js";

const shown = document.getElementById("shown-marks");
if (shown) show(JSON.parse(shown.textContent));

function show({ text, labels, spans, relation_labels: relationLabels, relations }) {
  const record = document.getElementById("record");
  const node = document.createTextNode(text); // as it is stored: a page's own line ends would move what follows
  document.getElementById("text").replaceChildren(node);
  const { units } = offsetsOf(text);
  const marks = spans.map(({ start, end, label }) => {
    const place = labels.findIndex((one) => one.key === label);
    return { start: units(start), end: units(end), name: labels[place]?.name ?? label, tone: toneAt(place) };
  });
  const links = relations.map(({ from, to, label }) => ({ from, to, name: relationLabels.find((one) => one.key === label)?.name ?? label }));
  const drawing = new Drawing(record, document.getElementById("marks"));
  drawing.show(node);
  const draw = () => drawing.draw(marks, null, links);
  new ResizeObserver(draw).observe(record);
  document.fonts.ready.then(draw);

  const textOf = ({ start, end }) => text.slice(start, end).replace(/\s+/g, " ");
  const chips = links.map((link) => relationChip(textOf(marks[link.from]), link.name, textOf(marks[link.to]), (isLit) => {
    for (const one of [link, marks[link.from], marks[link.to]]) one.isLinked = isLit;
    draw();
  }));
  document.getElementById("relation-list")?.replaceChildren(...chips.map((chip) => {
    const item = element("li", "");
    item.append(chip);
    return item;
  }));
}
