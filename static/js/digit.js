// The number of a key, whatever the keyboard.

/** 0 for the key 1, 9 for the key 0, else -1. By place on the keyboard, because "1" needs Shift on a French one. */
export function digitOf(event) {
  const match = /^(?:Digit|Numpad)(\d)$/.exec(event.code) || /^(\d)$/.exec(event.key);
  return match ? (Number(match[1]) + 9) % 10 : -1;
}
