// The look of the labels in a text: colours and line styles of kinds.css. 28 labels differ by one or the other.

const N_TONES = 7;
const N_LINES = 4;

/** The classes of the label in this place of the campaign's labels; one that is not among them looks like the first. */
export function toneAt(place) {
  return `tone-${Math.max(0, place) % N_TONES} line-${Math.max(0, place) % N_LINES}`;
}
