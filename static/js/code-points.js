// JavaScript counts UTF-16 code units; everything that is stored or sent counts Unicode code points.

/** Offsets of one text both ways: `points(i)` of a code unit, `units(n)` of a code point. */
export function offsetsOf(text) {
  const starts = []; // where each code point begins, in code units
  for (let i = 0; i < text.length; i += text.codePointAt(i) > 0xffff ? 2 : 1) starts.push(i);
  starts.push(text.length);
  return {
    units: (n) => starts[n],
    points(i) {
      let low = 0, high = starts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle] <= i) low = middle;
        else high = middle - 1;
      }
      return low;
    },
  };
}
