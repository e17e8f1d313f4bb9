// A reviewer's own marks: the volunteers' surface, begun with what is to be decided; Done decides.

import { digitOf } from "./digit.js";

const page = JSON.parse(document.getElementById("page").textContent);
const form = document.getElementById("decide");

const { surface } = await import(page.surface);
const kind = surface({ page, changed() {} });
kind.show(page.task, page.given, []);

let isSent = false; // a second press while the page changes must not be sent
form.addEventListener("submit", (event) => {
  if (isSent) return event.preventDefault();
  isSent = true;
  document.getElementById("value").value = JSON.stringify(kind.read());
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button) kind.click(button);
});

document.addEventListener("keydown", (event) => {
  if (event.isComposing || (event.repeat && !event.key.startsWith("Arrow"))) return;
  if (keyOnPage(event)) event.preventDefault();
});

/** True where the key was ours. */
function keyOnPage(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return kind.chord(event);
  if (event.target.matches?.("input")) return kind.typing(event);
  if (kind.key(event, digitOf(event))) return true;
  if (event.key !== "Enter" || event.target.closest?.("button, a")) return false;
  form.requestSubmit();
  return true;
}
