"""Cut a clinical record into the units that volunteers label.

Rules on lines first (headers, list items, table rows, hard-wrapped prose), then rules on full stops.
Every scan moves forward only, so the time is linear in the length of the text.

Why not a library: hand-made cases of tests/annotation/algorithms/test_splitting.py cut right, and speed on
one server core (the tests print both):

                  prose   layout   Chinese   sentences/s
    these rules   53/53   24/24    10/10     90,000 to 160,000
    pysbd 0.3.4   30/53   15/24     5/10     5,600 to 9,500

The rules and the cases have one author, who adjusted the rules to the cases; before that, 98 of all 104
(sections included) were right. On real medical abstracts the rules cut 58,000 to 94,000 sentences/s.
pysbd takes "p.o.", "Hx." and "pt." for ends, and knows no sections.

The abbreviation classes follow Kiss and Strunk, "Unsupervised Multilingual Sentence Boundary Detection",
Computational Linguistics 32(4), 2006: an abbreviation ends a sentence only if a sentence start follows.
"""

# ruff: noqa: SIM905 (word lists read better as text)

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from annotation.algorithms.section_headers import inline_header, line_header


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end) in Unicode code points of the text given, and the title of the section it lies in."""

    start: int
    end: int
    section: str


def whole_document(text: str) -> list[Span]:
    """The text as one unit, without the white space around it; nothing when it is blank.

    >>> whole_document(" No fever. ")
    [Span(start=1, end=10, section='')]
    """
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    return [Span(start, end, "")] if start < end else []


def split_sentences(text: str) -> list[Span]:
    """The sentences, list items and table rows of the text, in order, each with its section.

    Every character that is not white space lies in exactly one span, section headers and ruled lines
    ("-----") excepted. A text of nothing but headers is one unit, so that no record vanishes.

    >>> text = "HPI: Seen by Dr. Lee. No fever."
    >>> [(text[s.start:s.end], s.section) for s in split_sentences(text)]
    [('Seen by Dr. Lee.', 'HPI'), ('No fever.', 'HPI')]
    """
    spans: list[Span] = []
    section = ""
    for paragraph in _paragraphs(text):
        for block in _blocks(text, paragraph):
            if block.title is not None:
                section = block.title
            if block.is_row:
                spans.append(Span(block.start, block.end, section))
            elif block.start < block.end:
                section = _cut_prose(text, block.start, block.end, section, spans)
    return spans or whole_document(text)


# --- lines ----------------------------------------------------------------------------------------------

_CJK = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_LONGEST_ROW = 240  # past this, wide gaps are the remains of lost line ends and not columns
_NARROWEST_WRAP = 40  # nobody wraps prose narrower than this; short lines are a list

_RULE = re.compile(r"[-=_*~#|+: ]{3,}\Z")
_LIST_ITEM = re.compile(
    rf"(?:[-*+#•·◦‣▪●○■□►➢✓–—](?=\s|[^\W\d_])|\(?\d{{1,3}}[.)](?=\s|[{_CJK}])|\d{{1,3}}[、．]|[(（]\d{{1,3}}[)）]"
    r"|\(?[a-zA-Z]\)\s|[a-hA-H]\.\s|\(?[ivxIVX]{1,4}[.)]\s|[一二三四五六七八九十]{1,3}、|[\u2460-\u2473])"
)
_COLUMN_GAP = r"(?<=[^\s.!?:,;])"
_COLUMNS = re.compile(rf"\t|\|.*\||{_COLUMN_GAP} {{3}}|{_COLUMN_GAP}  \S.*?{_COLUMN_GAP}  ")
_KEY_AND_VALUE = re.compile(r"\w[\w /%-]{0,24}[:：](?:\s|$)")
_FIRST_LETTER = re.compile(r"[\"'“‘(\[]*(?:\d[\d.,/%-]*\s*)?([^\W\d_]|%)")
_FIRST_WORD = re.compile(rf"[{_CJK}]|\S+")
_WIDE = re.compile(rf"[{_CJK}]")
_LAST_WORD = re.compile(r"[^\W\d_]+\.?\Z")

# A line that ends on one of these is not finished, whatever follows.
_FUNCTION_WORDS = frozenset(
    "a an and are as at be been but by for from had has have her his if in into is its my no nor not of "
    "on or our per than that the their then to was were which who whose with without x dr dr. mr. mrs. "
    "ms. prof. vs vs. no.".split()
)


class _Block(NamedTuple):
    """Lines that belong together: prose to cut at full stops, or a table row. Empty after a mere header."""

    start: int
    end: int
    is_row: bool
    title: str | None  # of the section that begins here


def _paragraphs(text: str) -> Iterator[list[tuple[int, int]]]:
    """The runs of lines between blank lines; each line as [start, end) without the white space around it."""
    lines: list[tuple[int, int]] = []
    at = 0
    for line in text.splitlines(keepends=True):
        body = line.lstrip()
        if body:
            start = at + len(line) - len(body)
            lines.append((start, start + len(body.rstrip())))
        elif lines:
            yield lines
            lines = []
        at += len(line)
    if lines:
        yield lines


def _blocks(text: str, lines: list[tuple[int, int]]) -> Iterator[_Block]:
    """Join the lines of one paragraph that continue each other."""
    wrap_width = _wrap_width(text, lines)
    open_block: _Block | None = None
    for i, (start, end) in enumerate(lines):
        if _is_rule(text, start, end):
            if open_block:
                yield open_block
            open_block = None
            continue
        underlined = i + 1 < len(lines) and text.startswith("===", lines[i + 1][0])
        title, start = line_header(text, start, end, underlined)
        is_row = start < end and _is_row(text, start, end)
        if open_block:
            may_continue = title is None and not is_row and not open_block.is_row
            if may_continue and _continues(text, open_block, lines[i - 1], (start, end), wrap_width):
                open_block = open_block._replace(end=end)
                continue
            yield open_block
        open_block = _Block(start, end, is_row, title)
    if open_block:
        yield open_block


def _is_rule(text: str, start: int, end: int) -> bool:
    return text[start] in "-=_*~#|" and _RULE.match(text, start, end) is not None


def _is_row(text: str, start: int, end: int) -> bool:
    if end - start > _LONGEST_ROW:
        return False
    line = text[start:end]
    if "\t" not in line and "  " not in line and "|" not in line:
        return False
    marker = _LIST_ITEM.match(line)
    body = line[marker.end() :].lstrip() if marker else line
    return _COLUMNS.search(body) is not None


def _display_width(text: str, start: int, end: int) -> int:
    line = text[start:end]
    return len(line) if line.isascii() else len(line) + len(_WIDE.findall(line))


def _wrap_width(text: str, lines: list[tuple[int, int]]) -> int | None:
    """The column at which the paragraph was wrapped by hand; None when it doesn't look wrapped.

    Unfinished lines in a paragraph that doesn't even end with a full stop are findings, one a line.
    """
    if len(lines) == 1 or text[lines[-1][1] - 1] not in '.!?。！？；…)"”）':
        return None
    width = max(_display_width(text, start, end) for start, end in lines)
    return width if width >= _NARROWEST_WRAP else None


def _continues(
    text: str, block: _Block, previous: tuple[int, int], line: tuple[int, int], wrap_width: int | None
) -> bool:
    """Whether this line goes on with the sentence that the line before left open."""
    start, end = line
    if block.start == block.end:
        return False  # the line before was a mere header
    if _hangs(text, previous[1]):
        return True
    if _LIST_ITEM.match(text, start, end) or _KEY_AND_VALUE.match(text, start, end):
        return False
    if text[previous[1] - 1] in ",，、":
        return True
    # where the block itself starts low, so does every item, and it tells nothing
    if _starts_low(text, start, end) and not _starts_low(text, block.start, block.end):
        return True
    if wrap_width is None:
        return False
    word = _FIRST_WORD.match(text, start, end)
    word_end = word.end() if word else end
    return _display_width(text, *previous) + 1 + _display_width(text, start, word_end) > wrap_width


def _starts_low(text: str, start: int, end: int) -> bool:
    """Whether the line starts with a small letter or a quantity ("25 mg")."""
    letter = _FIRST_LETTER.match(text, start, end)
    return letter is not None and (letter.group(1).islower() or letter.group(1) == "%")


def _hangs(text: str, end: int) -> bool:
    word = _LAST_WORD.search(text[max(0, end - 12) : end].rstrip())
    return word is not None and word.group().lower() in _FUNCTION_WORDS


# --- full stops -----------------------------------------------------------------------------------------

_CLOSERS = r"[)\]}\"'”’»』」）】》]*+"
_FINAL = "。！？；｡"
# Linear on "....": a run is taken whole or not at all, and none is tried from its middle.
_STOP = re.compile(
    rf"(?<![.!?…])[.!?…]++{_CLOSERS}(?=[\sA-Z\u3400-\u9fff])"
    rf"|[{_FINAL}]++[.!?…{_FINAL}]*+{_CLOSERS}"
    rf"|(?<=[\u4e00-\u9fff]);{_CLOSERS}"
)
_NEXT_WORD = re.compile(r"\s+[\"'“‘(\[{«]*(\w{0,16})")
_HAS_WORD = re.compile(r"[^\W_]")
_SPACE = re.compile(r"\s+")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff]")

# Something always follows these.
_NEVER_LAST = frozenset(
    "dr drs mr mrs ms prof rev hon vs cf viz e.g i.e eg ie ca messrs capt col lt sgt mt st".split()
)
_DISEASES = frozenset("CA CF MS MT".split())  # capitals tell cancer from circa
_ROUTES = frozenset("p.o i.v i.m s.c s.q s.l p.r".split())
_HOURS = frozenset({"a.m", "p.m"})
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday est edt cst cdt pst pdt".split())
# These belong to the number that follows; without one they are ordinary words.
_BEFORE_NUMBER = frozenset("no nos nr fig figs eq vol p pp ch art ref rm ext apt tab".split())
# These end a sentence only if the next word starts one. Written with or without inner full stops.
_ABBREVIATIONS = frozenset(
    "abd abs adm al amp amt ant approx appt apr assoc aug ave bid bilat bld blvd cap caps cm co cont "
    "corp dec dept diag dx etc eval ext feb ft fx g gm gms gtt gtts h hosp hr hrs hs hx im inc inf inj "
    "inpt int iv jan jr jul jun kg km l lab lat lb lbs ltd m mar max mcg med meds mg min mins ml mm mo "
    "mos neg nov occ oct op oz po pos post prev prn prob pt pts px q qd qhs qid qod rd reg resp rx sc "
    "sec sep sept sl sol sq sr ss stat subcut subq sup surg susp sx tab tabs tbsp temp tid tsp tx u ul "
    "vol wk wks wt yo yr yrs".split()
)
_DOTTED_LOW = re.compile(r"(?:[a-z]{1,3}\.)+[a-z]{1,3}\Z")
_DOTTED_HIGH = re.compile(r"(?:[A-Z][a-z]?\.)+[A-Z][a-z]?\Z")
# "vitamin K." is no initial.
_BEFORE_LETTER = frozenset(
    "vitamin vit hepatitis hep influenza type group grade class stage factor plan phase part category "
    "schedule protein child child-pugh option arm appendix table and or".split()
)
_SENTENCE_STARTERS = frozenset(
    "a after all although an and any as at before both but continue currently denies despite discharge "
    "discharged due during exam examination family follow for given had has he her his history however i "
    "if in it labs mother no on otherwise our patient patients physical plan please pt pts return she "
    "since start started stop the their then there these they this those today upon vitals was we were "
    "when while will with you your father".split()
)


def _cut_prose(text: str, start: int, end: int, section: str, spans: list[Span]) -> str:
    """Append the sentences of one block; returns the section at its end, for a line may hold titles."""
    first = start  # of the sentence being read
    checked = start  # up to here, no letter or digit since `first`
    n_before = len(spans)
    has_word = False
    number = 0  # of the list item being read, for "1. aspirin 2. lasix"
    for stop in _STOP.finditer(text, start, end):
        at, after = stop.span()
        has_word = has_word or _HAS_WORD.search(text, checked, at) is not None
        checked = last = after
        if after == end:
            break
        if not has_word and len(spans) == n_before:
            continue
        if text[at] not in _FINAL and text[at] != ";":
            word = _word_before(text, first, at)
            if word.isdecimal() and len(word) < 3 and text[at] == "." and first == at - len(word):
                number = int(word)
                continue
            if number and word == str(number + 1) and not _hangs(text, at - len(word)):
                number += 1
                after = at - len(word)
                last = first + len(text[first:after].rstrip())
            elif not _ends_sentence(text, first, stop, word, end):
                continue
        if has_word:
            spans.append(Span(first, last, section))
        else:  # only signs: they belong to the sentence before
            spans[-1] = Span(spans[-1].start, last, spans[-1].section)
        space = _SPACE.match(text, after, end)
        first = space.end() if space else after
        has_word = False
        header = inline_header(text, first, end)
        if header:
            section, checked = header
            first = checked
    _append_rest(text, first, end, section, spans, n_before)
    return section


def _append_rest(text: str, first: int, end: int, section: str, spans: list[Span], n_before: int) -> None:
    if first >= end:
        return
    if len(spans) > n_before and not _HAS_WORD.search(text, first, end):
        spans[-1] = Span(spans[-1].start, end, spans[-1].section)
    else:
        spans.append(Span(first, end, section))


def _word_before(text: str, first: int, at: int) -> str:
    """The token that ends at `at`, without opening brackets, as far as 24 characters show it."""
    near = text[max(first, at - 24) : at]
    if not near or near[-1].isspace():
        return ""
    return near.rsplit(None, 1)[-1].lstrip("\"'“‘([{«（")


def _ends_sentence(text: str, first: int, stop: re.Match[str], word: str, end: int) -> bool:
    """Whether the sentence that starts at `first` ends at this Latin stop, which `word` precedes."""
    at, after = stop.span()
    sign = text[at]
    if not text[after].isspace():
        return _ends_without_space(text, at, after, word)
    following = _NEXT_WORD.match(text, after, end)
    next_word = following.group(1) if following else ""
    is_low = next_word[:1].islower()
    if sign in "!?":
        return bool(word) and not (is_low and text[after - 1] not in "!?")
    if not word:
        return not is_low  # ". . ." or ") ." and the like
    if sign == "…" or text[at + 1] in ".…":
        return not (is_low or next_word[:1].isdecimal())
    if is_low and after - at > 1:
        return False  # "(see No. 5.) and so on"
    return _ends_at_full_stop(text, first, at, word, next_word)


def _ends_without_space(text: str, at: int, after: int, word: str) -> bool:
    """ "pain.Patient left" and "发热.给予" end; "mg.每日" and "v2.Beta" don't."""
    if text[at] == "…" or text[at + 1] in ".…":
        return False
    before_ideograph = _IDEOGRAPH.match(text, after) is not None
    if at > 0 and _IDEOGRAPH.match(text, at - 1):
        return before_ideograph
    if not (word.isalpha() and word.islower() and len(word) > 1) or word in _NEVER_LAST:
        return False
    if before_ideograph:
        return word not in _ABBREVIATIONS
    return text[after + 1 : after + 2].islower()


def _ends_at_full_stop(text: str, first: int, at: int, word: str, next_word: str) -> bool:
    """Whether "word." ends its sentence when `next_word` follows."""
    low = word.lower()
    is_low = next_word[:1].islower()
    is_number = next_word[:1].isdecimal()
    stands_first = at - len(word) <= first
    if (low in _NEVER_LAST and word not in _DISEASES) or (is_number and low in _BEFORE_NUMBER):
        return False
    if (len(word) == 1 and word.isalpha()) or _DOTTED_HIGH.match(word):
        return not (stands_first or is_low) and _ends_at_letter(text, first, at, word, next_word)
    if low.replace(".", "") in _ABBREVIATIONS or _DOTTED_LOW.match(word):
        if stands_first or is_low or is_number:
            return False
        # "switched to p.o. Bactrim", "at 5 p.m. Monday"
        next_low = next_word.lower()
        goes_on = next_low in _DAYS if low in _HOURS else low in _ROUTES and _hangs(text, at - len(word))
        return not goes_on or next_low in _SENTENCE_STARTERS
    return not (is_low and word.rsplit("/", 1)[-1] in _ABBREVIATIONS)


def _ends_at_letter(text: str, first: int, at: int, word: str, next_word: str) -> bool:
    """ "J. Smith", "U.S. Army" go on; "vitamin K. Given", "38.5 C. 3 doses", "Lee, M.D. She" end."""
    if next_word.lower() in _SENTENCE_STARTERS:
        return True
    before = _word_before(text, first, at - len(word) - 1)
    return before.lower() in _BEFORE_LETTER or before[-1:].isdecimal()
