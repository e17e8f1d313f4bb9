// A relation in words, under the text: whoever points at it sees its arrow and its ends.

import { element } from "../label-view.js";

/** `light(true)` is called when the chip is pointed at, `light(false)` when it no longer is. */
export function relationChip(from, name, to, light) {
  const chip = element("button", "relation-chip");
  chip.type = "button";
  chip.append(element("span", "mark-words", from), element("span", "relation-label", ` —${name}→ `), element("span", "mark-words", to));
  for (const kind of ["pointerenter", "focus"]) chip.addEventListener(kind, () => light(true));
  for (const kind of ["pointerleave", "blur"]) chip.addEventListener(kind, () => light(false));
  return chip;
}
