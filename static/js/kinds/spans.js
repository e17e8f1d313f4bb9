// Spans: stretches of the text, each with a label. Nothing to mark is an answer too.
// Where a model has marked some beforehand they are a draft: seen as such until touched, and taken out by one key.

import { sayDone } from "../label-view.js";
import { Marker, spansInWords } from "../marking/marker.js";

const keyOf = ({ start, end, label }) => `${start}-${end} ${label}`;
const CLEAR = ["Clear suggestions", "Suggest again"];

export function surface({ page, changed }) {
  const clear = document.getElementById("clear-suggestions"); // where the campaign's model marks beforehand
  let suggestion = [];
  const marker = new Marker(page.labels, {
    onChange() {
      sayMarked();
      changed({ spans: marker.draft() });
    },
  });
  const isSuggested = () => marker.marks.some((mark) => mark.suggested);
  const lacksSome = () => {
    const there = new Set(marker.spans().map(keyOf));
    return suggestion.some((span) => !there.has(keyOf(span)));
  };

  function sayMarked() {
    sayDone(marker.marks.length ? "Done" : "Nothing to mark");
    if (!clear) return;
    clear.classList.toggle("out", !isSuggested() && !lacksSome());
    clear.querySelector("span").textContent = CLEAR[isSuggested() ? 0 : 1];
  }

  function toggleSuggestion() {
    if (isSuggested()) marker.clearSuggested();
    else marker.suggest(suggestion);
    return true;
  }

  return {
    mending: "Change the marks and press Done.",
    show(task, given, suggested) {
      suggestion = suggested.map((span) => ({ ...span, suggested: true }));
      marker.show(task, given?.spans ?? suggestion);
      sayMarked();
      if (isSuggested()) marker.say(`${suggestion.length === 1 ? "1 mark is" : `${suggestion.length} marks are`} suggested by the model.`);
    },
    read: () => ({ spans: marker.spans() }),
    words({ spans }, task) {
      return spansInWords(spans, task?.text, (key) => (task ?? page).labels.find((label) => label.key === key)?.name ?? key);
    },
    key: (event, digit) => (event.key.toLowerCase() === "c" && suggestion.length ? toggleSuggestion() : marker.key(event, digit)),
    chord: (event) => marker.chord(event),
    typing: (event) => marker.typing(event),
    click: (button) => (button === clear ? toggleSuggestion() : marker.click(button)),
  };
}
