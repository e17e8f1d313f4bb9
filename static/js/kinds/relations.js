// Relations: mark spans, then say which belongs to which, and how.

import { element, sayDone, showNotice } from "../label-view.js";
import { Marker, spansInWords } from "../marking/marker.js";
import { relationChip } from "../marking/relation-chip.js";

const at = (id) => document.getElementById(id);
const PROMPTS = {
  none: "Mark words, then relate two marks.",
  from: "Which mark does the relation begin at?",
  to: "And which mark does it lead to?",
  label: "What joins them?",
};

export function surface({ page, changed }) {
  const ofRole = (role) => page.labels.filter((label) => (label.role ?? "span") === role);
  const relationLabels = ofRole("relation");
  let relations = []; // [{from, to, label}], from and to being marks
  let step = "none";
  let from = null;
  let to = null;

  const marker = new Marker(ofRole("span"), {
    onChange: edited,
    links: () => relations.map((one) => ({ ...one, name: nameOf(one.label) })),
    onPick(mark) {
      if (step !== "from" && step !== "to") return false;
      takeEnd(mark);
      return true;
    },
    onRemove(mark, instead) {
      const moved = (end) => (end === mark ? instead : end);
      relations = relations.map((one) => ({ ...one, from: moved(one.from), to: moved(one.to) }));
      relations = distinct(relations.filter((one) => one.from && one.to && one.from !== one.to));
      if (mark === from || mark === to) goTo("none");
    },
  });

  const nameOf = (key) => relationLabels.find((label) => label.key === key)?.name ?? key;
  const inWords = (one) => `${marker.textOf(one.from)} —${nameOf(one.label)}→ ${marker.textOf(one.to)}`;

  function edited() {
    list();
    changed(read());
  }

  // ---- From, to, label

  function goTo(next) {
    step = next;
    if (next === "none") from = to = null;
    const begun = from ? ` ${marker.textOf(from)} → ${to ? marker.textOf(to) : "…"}` : "";
    at("prompt").textContent = PROMPTS[next] + begun;
    at("reading").classList.toggle("relating", next === "from" || next === "to");
    at("labels").classList.toggle("out", next === "label");
    at("relation-labels").classList.toggle("out", next !== "label");
    at("relate").setAttribute("aria-pressed", String(next !== "none"));
    marker.linked = [from, to].filter(Boolean);
    marker.draw();
  }

  function relate() {
    if (step !== "none") return goTo("none");
    if (marker.marks.length < 2) return showNotice("Mark two places first, then relate them.");
    from = marker.selected;
    goTo(from ? "to" : "from");
  }

  function takeEnd(mark) {
    if (!mark || mark === from) return;
    if (step === "from") {
      from = mark;
      return goTo("to");
    }
    to = mark;
    if (relationLabels.length === 1) join(relationLabels[0].key);
    else goTo("label");
  }

  function join(label) {
    const made = { from, to, label };
    relations = distinct([...relations, made]);
    marker.say(`${inWords(made)}.`);
    goTo("none");
    edited();
  }

  // ---- The list

  function list() {
    const hadFocus = at("relation-list").contains(document.activeElement);
    at("relation-list").replaceChildren(...relations.map(item));
    sayDone(marker.marks.length ? "Done" : "Nothing to mark");
    if (hadFocus) (at("relation-list").querySelector("button") ?? at("text")).focus({ preventScroll: true });
  }

  function item(one, place) {
    const shown = relationChip(marker.textOf(one.from), nameOf(one.label), marker.textOf(one.to), (isLit) => {
      marker.linked = isLit ? [one.from, one.to] : [];
      marker.draw();
    });
    shown.dataset.relation = place;
    const remove = element("button", "icon-button", "✕");
    remove.type = "button";
    remove.dataset.unrelate = place;
    remove.setAttribute("aria-label", `Remove the relation ${inWords(one)}`);
    const made = element("li", "");
    made.append(shown, remove);
    return made;
  }

  function unrelate(place) {
    marker.say(`${inWords(relations[place])} is removed.`);
    relations = relations.filter((_, other) => other !== Number(place));
    marker.linked = [];
    marker.draw();
    edited();
    return true;
  }

  const read = () => ({
    spans: marker.spans(),
    relations: relations.map((one) => ({ from: marker.marks.indexOf(one.from), to: marker.marks.indexOf(one.to), label: one.label })),
  });

  return {
    mending: "Change it and press Done.",
    show(task, given) {
      relations = [];
      marker.show(task, given?.spans ?? []);
      relations = (given?.relations ?? []).map((one) => ({ from: marker.marks[one.from], to: marker.marks[one.to], label: one.label }));
      goTo("none");
      list();
    },
    read,
    words(answer, task) {
      const labels = (task ?? page).labels;
      const named = (key) => labels.find((label) => label.key === key)?.name ?? key;
      const marks = spansInWords(answer.spans, task?.text, named);
      if (!answer.relations.length) return marks;
      if (!task) return `${marks}, ${answer.relations.length === 1 ? "1 relation" : `${answer.relations.length} relations`}`;
      const words = answer.spans.map((span) => spansInWords([span], task.text, () => "").slice(0, -2));
      return `${marks}; ${answer.relations.map((one) => `${words[one.from]} —${named(one.label)}→ ${words[one.to]}`).join("; ")}`;
    },
    key(event, digit) {
      const { relation } = event.target.dataset ?? {};
      if (event.key.toLowerCase() === "r") relate();
      else if (event.key === "Escape" && step !== "none") goTo("none");
      else if (step === "label" && digit >= 0) relationLabels[digit] && join(relationLabels[digit].key);
      else if (step !== "none" && digit >= 0) takeEnd(marker.marks[digit]);
      else if (relation !== undefined && (event.key === "Delete" || event.key === "Backspace")) unrelate(relation);
      else return marker.key(event, digit);
      return true;
    },
    chord: (event) => marker.chord(event),
    typing: (event) => marker.typing(event),
    click(button) {
      if (button.id === "relate" || button.dataset.relate) relate();
      else if (button.dataset.relationLabel !== undefined) join(button.dataset.relationLabel);
      else if (button.dataset.unrelate !== undefined) unrelate(button.dataset.unrelate);
      else marker.click(button);
    },
  };
}

function distinct(relations) {
  const isSame = (a, b) => a.from === b.from && a.to === b.to && a.label === b.label;
  return relations.filter((one, place) => relations.findIndex((other) => isSame(other, one)) === place);
}
