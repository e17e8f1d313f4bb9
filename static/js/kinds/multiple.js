// Multiple choice: labels are switched on and off, Enter or Done sends them. None at all is an answer.

import { LabelButtons } from "../label-buttons.js";
import { sayDone, showRecord } from "../label-view.js";

export function surface(host) {
  const buttons = new LabelButtons((label) => toggle(boxOf(label)));
  const boxes = buttons.all.map((button) => button.querySelector("input"));
  const boxOf = (label) => boxes.find((box) => box.value === label);

  function toggle(box) {
    box.checked = !box.checked;
    changed();
    return true;
  }

  function changed() {
    sayChosen();
    host.changed({ labels: chosen() });
  }

  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const sayChosen = () => sayDone(chosen().length ? "Done" : "None of these");
  for (const box of boxes) box.addEventListener("change", changed);

  return {
    mending: "Change it and press Done.",
    show(task, given) {
      for (const box of boxes) box.checked = Boolean(given?.labels.includes(box.value));
      sayChosen();
      buttons.clearFilter();
      showRecord(task);
    },
    read: () => ({ labels: chosen() }),
    words({ labels }, task) {
      const names = new Map((task?.labels ?? host.page.labels).map((label) => [label.key, label.name]));
      return labels.map((label) => names.get(label) ?? label).join(", ") || "none of these";
    },
    key(event, digit) {
      const label = buttons.labelAt(digit);
      return label === undefined ? buttons.openFilter(event) : toggle(boxOf(label));
    },
    typing: (event) => buttons.typing(event),
  };
}
