// Pairs: which of two texts. The arrows point at them, the numbers are those of the buttons.

import { surface as choice } from "./choice.js";

const at = (id) => document.getElementById(id);
const SIDES = { ArrowLeft: "first", ArrowRight: "second" };

export function surface(host) {
  const one = choice(host, (task) => {
    at("text").textContent = task.text;
    at("second").textContent = task.second;
    scrollTo({ top: 0, behavior: "instant" });
  });
  return {
    ...one,
    key(event, digit) {
      if (!(event.key in SIDES)) return one.key(event, digit);
      return event.repeat || one.give(SIDES[event.key], event.shiftKey); // a held arrow is one answer
    },
  };
}
