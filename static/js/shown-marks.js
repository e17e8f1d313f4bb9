// What a task's answers add up to, marked in its text as volunteers mark it; nothing here can be changed.

import { offsetsOf } from "./code-points.js";
import { Drawing } from "./marking/drawing.js";
import { toneAt } from "./marking/tones.js";

const shown = document.getElementById("shown-marks");
if (shown) show(JSON.parse(shown.textContent));

function show({ text, labels, spans }) {
  const record = document.getElementById("record");
  const node = document.createTextNode(text); // as it is stored: a page's own line ends would move what follows
  document.getElementById("text").replaceChildren(node);
  const { units } = offsetsOf(text);
  const marks = spans.map(({ start, end, label }) => {
    const place = labels.findIndex((one) => one.key === label);
    return { start: units(start), end: units(end), name: labels[place]?.name ?? label, tone: toneAt(place) };
  });
  const drawing = new Drawing(record, document.getElementById("marks"));
  drawing.show(node);
  new ResizeObserver(() => drawing.draw(marks, null)).observe(record);
  document.fonts.ready.then(() => drawing.draw(marks, null));
}
