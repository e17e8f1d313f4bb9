"""CSV with a header: the delimiter is found by the columns that must be there."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from annotation.errors import Invalid
from annotation.services.intake.framing import MAX_ROW_BYTES, DelimitedRows, Frame, read_frames
from annotation.services.intake.refusals import Refusal

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
MAX_HEADER_BYTES = 64 * 1024
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
SIGNATURES = (
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"%PDF",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"\x7fELF",
    b"\xd0\xcf\x11\xe0",
)

# Rows are framed, and so bounded, before the csv module sees them.
csv.field_size_limit(MAX_ROW_BYTES)


def open_file(path: Path) -> BinaryIO:
    """Open a file for one pass, without a buffer of its own."""
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise Invalid(
            f"The file {path.name} can't be opened: it is not there, or its rights forbid it.",
            code="file_missing",
        ) from error


@dataclass(frozen=True)
class Table:
    """A file opened at its header. Reading it yields (line, cells) or the row's refusal."""

    file: BinaryIO
    delimiter: str
    columns: list[str]

    def rows(self) -> Iterator[tuple[int, list[str]] | Refusal]:
        self.file.seek(0)
        frames = read_frames(self.file, DelimitedRows(self.delimiter))
        next(frames)  # the header
        for frame in frames:
            yield self._parse(frame)

    def cells(self, *columns: str) -> Iterator[tuple[int, list[str]] | Refusal]:
        """Only these columns, without the white space around them."""
        places = [self.columns.index(column) for column in columns]
        for item in self.rows():
            yield item if isinstance(item, Refusal) else (item[0], [item[1][n].strip() for n in places])

    def _parse(self, frame: Frame) -> tuple[int, list[str]] | Refusal:
        line, data, fault = frame
        if fault:
            return Refusal(line, "", fault)
        try:
            row = data.decode()
        except UnicodeDecodeError:
            return Refusal(line, "", "bad_encoding")
        if "\0" in row:
            return Refusal(line, "", "nul_character")
        cells = split_cells(row, self.delimiter)
        if len(cells) != len(self.columns):
            return Refusal(line, "", "wrong_number_of_columns")
        return line, cells


def split_cells(row: str, delimiter: str) -> list[str]:
    if '"' not in row:
        return row.rstrip("\r\n").split(delimiter)
    return next(csv.reader([row], delimiter=delimiter))


def open_table(file: BinaryIO, needed: tuple[str, ...]) -> Table:
    """Find the delimiter and the columns; when a needed one is missing, say how many there are."""
    header = _read_header(file)
    candidates = [(d, _column_names(header, d)) for d in DELIMITERS]
    for delimiter, columns in candidates:
        if set(needed) <= set(columns):
            _refuse_repeated(columns)
            return Table(file, delimiter, columns)
    delimiter, columns = max(candidates, key=lambda candidate: len(candidate[1]))
    # What stands there is not quoted: without a header line it is the first record.
    raise Invalid(
        f"The first line must name the columns {listed(needed)}. "
        f"Found are {len(columns)}, separated by {DELIMITERS[delimiter]}, under other names.",
        code=f"no_{'_or_'.join(needed)}_column",
    )


def listed(names: tuple[str, ...]) -> str:
    """
    >>> listed(("id", "first", "second"))
    'id, first and second'
    """
    return f"{', '.join(names[:-1])} and {names[-1]}"


def refuse_binary(start: bytes) -> None:
    """Raise when the first bytes of a file are no text, or text in an encoding that wastes bytes."""
    if not start.strip():
        raise Invalid("The file is empty.", code="empty_file")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Invalid("The file is in UTF-16. Save it as UTF-8 and send it again.", code="not_text")
    if start.startswith(SIGNATURES):
        raise Invalid("This is a binary file under the name of a text file.", code="not_text")


def _read_header(file: BinaryIO) -> str:
    start = file.read(MAX_HEADER_BYTES)
    refuse_binary(start)
    header = re.split(rb"[\r\n]", start.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"), maxsplit=1)[0]
    try:
        if not CONTROL.search(header):
            return header.decode()
    except UnicodeDecodeError:
        pass
    raise Invalid("The first line is not text in UTF-8, so this is no CSV file.", code="not_text")


def _column_names(header: str, delimiter: str) -> list[str]:
    return [name.strip().lower() for name in split_cells(header, delimiter)]


def _refuse_repeated(columns: list[str]) -> None:
    for name in columns:
        if columns.count(name) > 1:
            raise Invalid(f"Two columns are called “{name[:40]}”.", code="repeated_column")
