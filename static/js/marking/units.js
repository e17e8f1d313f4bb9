// What a tap, an arrow or a drag takes at a time: a word, or one character where words are not set apart.
// All offsets are UTF-16 code units; a character is what the reader sees as one, whatever it is made of.

const WORD = /^[\p{L}\p{N}_]/u;
const ALONE = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const SPACE = /^\s/u;

const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The text's words and single characters in order, without the white space: [{start, end}]. */
export function unitsOf(text) {
  const units = [];
  // From space to space: browsers take a time for a segmented text that grows with its square.
  for (const { 0: run, index: start } of text.matchAll(/\S+/gu)) {
    for (const { segment, index } of characters.segment(run)) add(units, text, segment, start + index);
  }
  return units;
}

function add(units, text, character, index) {
  const isWord = WORD.test(character) && !ALONE.test(character);
  if (isWord) rejoin(units, text, index);
  const last = units.at(-1);
  if (isWord && last?.isWord && last.end === index) last.end = index + character.length;
  else units.push({ start: index, end: index + character.length, isWord });
}

/** 2.5 and 1,000 and patient's are one word each: what joins them became a unit of its own too early. */
function rejoin(units, text, index) {
  const [word, joint] = units.slice(-2);
  if (!word?.isWord || joint?.isWord || joint?.end !== index || word.end !== joint.start) return;
  const around = text[word.end - 1] + text[index];
  const mark = text.slice(joint.start, joint.end);
  if (/^[.,]$/.test(mark) ? /^\d\d$/.test(around) : /^['’]$/.test(mark) && /^\p{L}\p{L}$/u.test(around)) {
    units.pop();
    word.end = joint.end;
  }
}

/** Steps over a text character by character; at its ends it stays. */
export function stepper(text) {
  const all = characters.segment(text);
  return {
    after: (i) => (i >= text.length ? text.length : all.containing(i).index + all.containing(i).segment.length),
    before: (i) => (i <= 0 ? 0 : all.containing(i - 1).index),
    isSpace: (i) => SPACE.test(text.slice(i, i + 1)),
  };
}
