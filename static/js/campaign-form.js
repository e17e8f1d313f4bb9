// Small comforts of the campaign form; it works without them.

import { call } from "./api.js";

const rows = document.getElementById("label-rows");
const total = document.querySelector('input[name$="-TOTAL_FORMS"]');
const add = document.getElementById("add-label");

function revealRemoveButtons() {
  for (const button of rows.querySelectorAll("[data-remove]")) button.hidden = false;
}

add.hidden = false;
add.addEventListener("click", () => {
  const html = document.getElementById("label-row").innerHTML.replaceAll("__prefix__", total.value);
  rows.insertAdjacentHTML("beforeend", html);
  total.value = Number(total.value) + 1;
  revealRemoveButtons();
  rows.lastElementChild.querySelector("input").focus();
});

// An emptied row is left out by the server, so that the numbers of the others stay as they are.
rows.addEventListener("click", (event) => {
  const row = event.target.closest("[data-remove]")?.closest(".label-row");
  if (!row) return;
  for (const input of row.querySelectorAll("input")) input.value = "";
  row.hidden = true;
  add.focus();
});
revealRemoveButtons();

const previewButton = document.getElementById("preview-button");
const preview = document.getElementById("preview");
previewButton.hidden = false;
previewButton.addEventListener("click", async () => {
  try {
    const { data } = await call("POST", previewButton.dataset.url, { guideline: document.getElementById("id_guideline").value });
    preview.innerHTML = data.html; // the server's sanitiser has been over it, as for the guideline itself
    if (!data.html) preview.textContent = "There is no guideline yet.";
  } catch (error) {
    preview.textContent = error.detail;
  }
  preview.hidden = false;
});
