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
  row.dataset.removed = "yes";
  add.focus();
});
revealRemoveButtons();

// ---- What the chosen kind, way of weighing and stop rule mean

const at = (id) => document.getElementById(id);
const form = at("campaign-form");
const field = (name) => form.elements[name];
const kinds = JSON.parse(at("kinds").textContent);
const SIDES = [["first", "The first"], ["second", "The second"], ["tie", "Both alike"]];
const inputs = (row) => row.querySelectorAll("input");
const labelRows = () => [...rows.querySelectorAll(".label-row:not(.label-head)")];
let typed = null; // the labels as they were before a kind that has its own

function showKind() {
  const kind = kinds[field("kind").value];
  form.dataset.traits = kind.traits;
  at("kind-words").textContent = kind.sentence;
  for (const option of field("aggregation").options) option.hidden = option.disabled = !(option.value in kind.methods);
  if (field("aggregation").selectedOptions[0]?.disabled !== false) field("aggregation").value = "majority";
  showSides(kind.traits.split(" ").includes("pairs"));
  showWeighing();
}

/** The keys of a comparison's labels stand; their names are free, and an emptied tie is not allowed. */
function showSides(arePairs) {
  if (arePairs && !typed) {
    typed = labelRows().map((row) => [...inputs(row)].map((input) => input.value));
    const isTheirs = labelRows().some((row) => inputs(row)[0].value === "first");
    while (labelRows().length < SIDES.length) add.click();
    if (!isTheirs) labelRows().forEach((row, place) => fill(row, [...(SIDES[place] ?? ["", ""]), ""]));
  } else if (!arePairs && typed) {
    labelRows().forEach((row, place) => fill(row, typed[place] ?? ["", "", ""]));
    typed = null;
  }
  labelRows().forEach((row, place) => {
    inputs(row)[0].readOnly = arePairs;
    if (arePairs) row.hidden = place >= SIDES.length;
    else if (!row.dataset.removed) row.hidden = false;
    row.querySelector("[data-remove]").hidden = arePairs && place < 2;
  });
  add.hidden = arePairs;
}

function fill(row, values) {
  inputs(row).forEach((input, place) => { input.value = values[place] ?? ""; });
}

function showWeighing() {
  at("aggregation-words").textContent = kinds[field("kind").value].methods[field("aggregation").value] ?? "";
}

function showStopping() {
  const isAdaptive = field("stopping").value === "adaptive";
  form.dataset.stopping = field("stopping").value;
  if (isAdaptive && field("aggregation").value === "majority") field("aggregation").value = "engine";
  showWeighing();
  form.querySelector('label[for="id_needed"]').textContent = isAdaptive ? "Answers to start with" : "Answers for each task";
  at("id_needed_helptext").hidden = isAdaptive;
  at("rule-words").hidden = false;
  at("rule-words").textContent =
    `Start with ${field("needed").value || "?"}, stop at ${field("stop_certainty").value || "?"} sure, ` +
    `at most ${field("most_answers").value || "?"} answers, then a reviewer.`;
}

field("kind").addEventListener("change", showKind);
field("aggregation").addEventListener("change", showWeighing);
field("stopping").addEventListener("change", () => {
  if (field("stopping").value === "adaptive" && field("needed").value === "3") field("needed").value = 2; // it asks for more itself
  showStopping();
});
for (const name of ["needed", "stop_certainty", "most_answers"]) field(name).addEventListener("input", showStopping);
showKind();
showStopping();

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
