// Short free text. Enter makes a line, Ctrl and Enter sends; Escape leaves the field for the keys of the page.

import { showRecord } from "../label-view.js";

const SHORT = 60;
const field = document.getElementById("own-words");
const count = document.getElementById("own-words-count");

export function surface(host) {
  const most = Number(field.dataset.most);
  const length = () => [...field.value].length; // code points, as the server counts

  function sayLength() {
    const left = most - length();
    count.textContent = left < 0 ? `${-left} too many` : `${length()} of ${most}`;
    field.setAttribute("aria-invalid", String(left < 0));
  }

  field.addEventListener("input", () => {
    sayLength();
    host.changed({ text: field.value });
  });

  return {
    mending: "Write it anew and press Done.",
    show(task, given) {
      field.value = given?.text ?? "";
      sayLength();
      showRecord(task);
      // On a phone the keyboard would cover the text before it has been read.
      if (matchMedia("(pointer: fine)").matches) field.focus({ preventScroll: true });
    },
    read() {
      const text = field.value.trim();
      if (text && length() <= most) return { text };
      field.focus();
      return null;
    },
    words: ({ text }, task) => (task || text.length <= SHORT ? text : `${text.slice(0, SHORT)}…`),
    chord(event) {
      if (event.key !== "Enter" || event.altKey) return false;
      document.getElementById("done").click();
      return true;
    },
    typing(event) {
      if (event.key === "Escape") field.blur();
      return false;
    },
  };
}
