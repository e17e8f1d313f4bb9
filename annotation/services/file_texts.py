"""Texts of a file that become no records, read and checked as an import reads them."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson

from annotation.errors import Invalid
from annotation.kinds.pairs import BETWEEN
from annotation.services.intake.readers import ONE_TEXT, read_csv, read_jsonl
from annotation.services.intake.refusals import Refusal
from annotation.services.intake.tables import open_file

READERS = {".csv": read_csv, ".tsv": read_csv, ".jsonl": read_jsonl, ".ndjson": read_jsonl}


class FileText(NamedTuple):
    line: int
    name: str  # its id
    text: str
    second: str | None  # of a pair
    spans: object  # as JSON gives them, not looked at; None where it gives none


def texts_in_file(
    path: Path, *, pairs: bool, spans: bool, on_progress: Callable[[float], None]
) -> Iterator[FileText | Refusal]:
    """Columns or fields id and text, for pairs also second; with `spans` also these, in CSV as JSON.

    Of the file no more is held than a few rows.

    on_progress gets the share of the file that was read, row by row.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise Invalid(
            f"Texts come as CSV or JSONL, and the file's name says which: {', '.join(READERS)}.",
            code="unknown_format",
        )
    with open_file(path) as file:
        n_bytes = path.stat().st_size
        read = partial(reader, given="spans") if spans else reader
        for item in read(file, (*ONE_TEXT, "second") if pairs else ONE_TEXT):
            on_progress(file.tell() / n_bytes)
            if isinstance(item, Refusal):
                yield item
            elif item.divider is None:
                known = _in_cell(item.given) if reader is read_csv else item.given
                yield FileText(item.line, item.external_id, item.text, None, known)
            else:
                first, second = item.text[: item.divider - len(BETWEEN)], item.text[item.divider :]
                yield FileText(item.line, item.external_id, first, second, None)


def _in_cell(cell: str | None) -> object:
    """What the JSON in it says, None where it is empty; the cell itself where it is no JSON."""
    if not cell or cell.isspace():
        return None
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
