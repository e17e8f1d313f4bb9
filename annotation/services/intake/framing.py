"""Cut a stream of bytes into rows without ever holding more than one row and a bit.

The csv module needs a whole row before it can say that it is too long, so rows are framed here first. Bytes
suffice: in UTF-8 no part of a longer character looks like a delimiter, a quotation mark or a line end.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

CHUNK_BYTES = 256 * 1024
# Room for a text of the greatest length whose characters take four bytes each, or six as JSON escapes.
MAX_ROW_BYTES = 8_000_000


class Frame(NamedTuple):
    line: int  # on which the row begins, from 1
    data: bytes  # empty where there is a fault
    fault: str = ""


class Window:
    """The part of the file that is in memory."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.data = b""
        self.at = 0
        self.line = 1
        self.ended = False

    @property
    def n_bytes(self) -> int:
        return len(self.data) - self.at

    def fill(self) -> None:
        """Double what is there, so that a long row is looked at few times."""
        more = self.file.read(max(CHUNK_BYTES, self.n_bytes))
        self.ended = not more
        self.data = self.data[self.at :] + more
        self.at = 0

    def advance(self, end: int) -> None:
        n_lines = self.data.count(b"\n", self.at, end)
        self.line += n_lines or self.data.count(b"\r", self.at, end)
        self.at = end

    def pass_over(self, pattern: re.Pattern[bytes]) -> bool:
        """Advance over what matches; says whether something follows it in memory."""
        match = pattern.match(self.data, self.at)
        if match:
            self.advance(match.end())
        return self.at < len(self.data)


class Grammar(Protocol):
    row: re.Pattern[bytes]  # with its line end
    last_row: re.Pattern[bytes]  # without one

    def skip_row(self, window: Window) -> bool:
        """Pass over a row of any length; False when the file ends inside quotation marks."""


class JsonLines:
    row = re.compile(rb"[^\n]*+\n")
    last_row = re.compile(rb"[^\n]++")
    _rest = re.compile(rb"[^\n]*+")

    def skip_row(self, window: Window) -> bool:
        while not window.pass_over(self._rest) and not window.ended:
            window.fill()
        window.advance(min(window.at + 1, len(window.data)))
        return True


class DelimitedRows:
    """CSV as the csv module reads it: a quotation mark counts at the start of a field only.

    No group is possessive here: Python before 3.11.5 matches such a group wrongly (gh-106052), and
    Debian 12 has 3.11.2. Nothing is matched twice all the same, as each step is decided by its next byte.
    """

    _inside = rb'[^"]*+(?:""[^"]*+)*'
    _quoted = re.compile(_inside)
    _line_end = re.compile(rb"\r\n?|\n")

    def __init__(self, delimiter: str):
        d = re.escape(delimiter.encode())
        bare = rb"[^%b\r\n]*+" % d
        field = rb'(?:"%b"(?!")%b|(?!")%b)' % (self._inside, bare, bare)
        fields = rb"(?:%b%b)*" % (field, d)
        self.row = re.compile(fields + field + rb"(?:\r\n?|\n)")
        self.last_row = re.compile(fields + field + rb"\Z")
        self._whole_fields = re.compile(fields)
        self._bare = re.compile(bare)
        self._delimiter = ord(delimiter)

    def skip_row(self, window: Window) -> bool:
        while True:
            if not window.pass_over(self._whole_fields):
                if window.ended:
                    return True
                window.fill()
            elif window.data[window.at] == ord('"'):
                window.advance(window.at + 1)
                if not self._skip_quoted(window):
                    return False
                if self._row_ends(window):
                    return True
            elif self._row_ends(window):
                return True

    def _skip_quoted(self, window: Window) -> bool:
        """Pass over the closing quotation mark. One at the window's end may be the first half of a pair."""
        while True:
            more = window.pass_over(self._quoted)
            if more and (window.n_bytes > 1 or window.ended):
                window.advance(window.at + 1)
                return True
            if window.ended:
                return False
            window.fill()

    def _row_ends(self, window: Window) -> bool:
        """Pass over the rest of a field and what ends it; says whether this was the row's end."""
        while not window.pass_over(self._bare) and not window.ended:
            window.fill()
        if not window.n_bytes:
            return True
        if window.data[window.at] == self._delimiter:
            window.advance(window.at + 1)
            return False
        if window.n_bytes == 1 and not window.ended:
            window.fill()
        window.pass_over(self._line_end)
        return True


def read_frames(file: BinaryIO, grammar: Grammar) -> Iterator[Frame]:
    """The file's rows in order; one over the limit, or whose quotation mark never closes, as a fault."""
    window = Window(file)
    window.fill()
    if window.data.startswith(b"\xef\xbb\xbf"):
        window.at = 3
    while window.n_bytes or not window.ended:
        match = grammar.row.match(window.data, window.at)
        if window.ended and not match:
            match = grammar.last_row.match(window.data, window.at)
        line = window.line
        if match and not _may_go_on(window, match.end()):
            data = match.group()
            window.advance(match.end())
            if len(data) > MAX_ROW_BYTES:
                yield Frame(line, b"", "too_long")
            elif data.strip(b"\r\n"):
                yield Frame(line, data)
        elif window.n_bytes > MAX_ROW_BYTES:
            yield Frame(line, b"", "too_long" if grammar.skip_row(window) else "unclosed_quote")
        elif window.ended:
            yield Frame(line, b"", "unclosed_quote")
            return
        else:
            window.fill()


def _may_go_on(window: Window, end: int) -> bool:
    """A carriage return at the window's end may be the first half of a line end."""
    return not window.ended and end == len(window.data) and window.data.endswith(b"\r")
