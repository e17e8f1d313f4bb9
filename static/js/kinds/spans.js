// Spans: stretches of the text, each with a label. Nothing to mark is an answer too.

import { sayDone } from "../label-view.js";
import { Marker, spansInWords } from "../marking/marker.js";

export function surface({ page, changed }) {
  const marker = new Marker(page.labels, {
    onChange() {
      sayMarked();
      changed(read());
    },
  });
  const read = () => ({ spans: marker.spans() });
  const sayMarked = () => sayDone(marker.marks.length ? "Done" : "Nothing to mark");

  return {
    mending: "Change the marks and press Done.",
    show(task, given) {
      marker.show(task, given?.spans ?? []);
      sayMarked();
    },
    read,
    words({ spans }, task) {
      return spansInWords(spans, task?.text, (key) => (task ?? page).labels.find((label) => label.key === key)?.name ?? key);
    },
    key: (event, digit) => marker.key(event, digit),
    chord: (event) => marker.chord(event),
    typing: (event) => marker.typing(event),
    click: (button) => marker.click(button),
  };
}
