// The reviewer's keys: a number decides, L leaves it for later, G opens the guideline, D marks it unclear, E changes the marks, M asks the model.

import { digitOf } from "./digit.js";

function toggle(details) {
  if (!details) return;
  details.open = !details.open;
  if (details.open) (details.querySelector("input:not([type=hidden])") ?? details.querySelector("summary")).focus();
}

let isSent = false; // a second press while the page changes must not decide the next task
document.addEventListener("submit", (event) => {
  if (isSent) return event.preventDefault();
  isSent = event.target.matches(".decide");
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.target.matches?.("input, textarea, select")) return;
  const button = document.querySelectorAll(".decide .answer")[digitOf(event)];
  const key = event.key.toLowerCase();
  if (button) button.click();
  else if (key === "l") document.getElementById("later")?.click();
  else if (key === "e") document.getElementById("mark-anew")?.click();
  else if (key === "m") document.getElementById("ask-model")?.click();
  else if (key === "g") toggle(document.getElementById("guideline"));
  else if (key === "d") toggle(document.getElementById("doubt"));
  else return;
  event.preventDefault();
});
