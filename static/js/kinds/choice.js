// Single choice: one press answers.

import { LabelButtons } from "../label-buttons.js";
import { showRecord } from "../label-view.js";

export function surface(host, showTask = showRecord) {
  const buttons = new LabelButtons((label) => give(label));

  function give(label, isUnsure = false) {
    if (host.send({ label }, isUnsure)) buttons.flash(label);
    return true;
  }

  return {
    mending: "Choose again to change it.",
    give,
    show(task, given) {
      buttons.press(given ? [given.label] : []);
      buttons.clearFilter();
      showTask(task);
    },
    words: ({ label }, task) => (task?.labels ?? host.page.labels).find((one) => one.key === label)?.name ?? label,
    click: (button, event) => button.dataset.label !== undefined && give(button.dataset.label, event.shiftKey),
    key(event, digit) {
      const label = buttons.labelAt(digit);
      return label === undefined ? buttons.openFilter(event) : give(label, event.shiftKey);
    },
    typing: (event) => buttons.typing(event),
  };
}
