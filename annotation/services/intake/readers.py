"""Records out of files: CSV, JSONL, a zip or a folder of TXT. Streams; nothing is unpacked to disk."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import orjson

from annotation.errors import Invalid
from annotation.kinds.pairs import BETWEEN
from annotation.services.intake.framing import JsonLines, read_frames
from annotation.services.intake.refusals import (
    MAX_ID_LENGTH,
    MAX_METADATA_BYTES,
    MAX_METADATA_COLUMNS,
    MAX_METADATA_DEPTH,
    MAX_TEXT_LENGTH,
    Refusal,
)
from annotation.services.intake.tables import SIGNATURES, listed, open_table, refuse_binary

MAX_TXT_BYTES = 4 * MAX_TEXT_LENGTH
MAX_DIRECTORY_BYTES = 16_000_000  # of a zip: its list of names, which zipfile reads at once
MAX_UNPACKED_BYTES = 4_000_000_000
MAX_UNPACKED_RATIO = 200  # text shrinks to a fifth, seldom to a fiftieth
SMALL_UNPACKED_BYTES = 50_000_000  # below this no ratio is a danger


class Row(NamedTuple):
    line: int
    external_id: str
    text: str
    metadata: str  # JSON
    divider: int | None  # where a pair's second text begins, in code points
    given: object = None  # what is known of the text, where it was asked for; not looked at


Item = Row | Refusal
# The fields that hold a record's text: a pair has two, which become one record.
ONE_TEXT = ("text",)
TWO_TEXTS = ("first", "second")


def read_csv(
    file: BinaryIO, fields: tuple[str, ...] = ONE_TEXT, *, given: str | None = None
) -> Iterator[Item]:
    """Columns id and text, or those of a pair; the others become metadata.

    The cell of the one that `given` names, if there is one, is handed on instead, as it is.
    """
    table = open_table(file, ("id", *fields))
    at_id, *at_texts = (table.columns.index(name) for name in ("id", *fields))
    at_given = table.columns.index(given) if given in table.columns else None
    no_others = {at_id, *at_texts, at_given}
    others = [(n, name) for n, name in enumerate(table.columns) if name and n not in no_others]
    if len(others) > MAX_METADATA_COLUMNS:
        raise Invalid(
            f"A file has at most {MAX_METADATA_COLUMNS} columns beside {listed(('id', *fields))}; this has "
            f"{len(others)}.",
            code="too_many_columns",
        )
    for item in table.rows():
        if isinstance(item, Refusal):
            yield item
            continue
        line, cells = item
        metadata = {name: cells[n] for n, name in others}
        item = _checked(line, cells[at_id], [cells[n] for n in at_texts], metadata)
        yield item if at_given is None else _with_given(item, cells[at_given])


def read_jsonl(
    file: BinaryIO, fields: tuple[str, ...] = ONE_TEXT, *, given: str | None = None
) -> Iterator[Item]:
    """An object a line with id and text, or those of a pair; its other fields become metadata.

    The one that `given` names is handed on instead, as it is.
    """
    start = file.read(4096)
    refuse_binary(start)
    if not start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        raise Invalid(
            'JSONL has one object a line, like {"id": "1", "text": "…"}; this file begins otherwise.',
            code="not_jsonl",
        )
    file.seek(0)
    for line, data, fault in read_frames(file, JsonLines()):
        if data.strip() or fault:
            yield Refusal(line, "", fault) if fault else _parse_object(line, data, fields, given)


def _parse_object(line: int, data: bytes, fields: tuple[str, ...], given: str | None) -> Item:
    try:
        found = orjson.loads(data.decode())
    except UnicodeDecodeError:
        return Refusal(line, "", "bad_encoding")
    except orjson.JSONDecodeError:
        return Refusal(line, "", "nul_character" if b"\0" in data else "bad_json")
    if not isinstance(found, dict):
        return Refusal(line, "", "bad_json")
    external_id, texts = found.pop("id", None), [found.pop(name, None) for name in fields]
    if isinstance(external_id, int) and not isinstance(external_id, bool):
        external_id = str(external_id)
    if not isinstance(external_id, str):
        return Refusal(line, "", "no_id")
    texts = [text if isinstance(text, str) else "" for text in texts]
    known = found.pop(given, None) if given else None
    return _with_given(_checked(line, external_id, texts, found), known)


def _with_given(item: Item, given: object) -> Item:
    return item if isinstance(item, Refusal) else item._replace(given=given)


def _checked(line: int, external_id: str, texts: list[str], metadata: dict) -> Item:
    external_id = external_id.strip()
    packed = orjson.dumps(metadata) if metadata else b"{}"
    text = BETWEEN.join(texts)
    reason = _reason_against(external_id, text, metadata, packed)
    if not reason and any(not part or part.isspace() for part in texts):
        reason = "half_a_pair"
    if reason:
        return Refusal(line, _name(external_id), reason)
    divider = len(texts[0]) + len(BETWEEN) if len(texts) > 1 else None
    return Row(line, external_id, text, packed.decode(), divider)


def _reason_against(external_id: str, text: str, metadata: dict, packed: bytes) -> str:
    if not external_id:
        return "no_id"
    if len(external_id) > MAX_ID_LENGTH:
        return "id_too_long"
    if not text or text.isspace():
        return "no_text"
    if len(text) > MAX_TEXT_LENGTH:
        return "too_long"
    if "\0" in text or "\0" in external_id or b"\\u0000" in packed:
        return "nul_character"
    if metadata and not _is_modest(metadata, packed):
        return "bad_metadata"
    return ""


def _is_modest(metadata: dict, packed: bytes) -> bool:
    small = len(metadata) <= MAX_METADATA_COLUMNS and len(packed) <= MAX_METADATA_BYTES
    return small and not _deeper_than(metadata, MAX_METADATA_DEPTH)


def _deeper_than(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_deeper_than(each, depth - 1) for each in inner)


def _name(external_id: str) -> str:
    return external_id.replace("\0", "")[:MAX_ID_LENGTH]


def read_zip(file: BinaryIO) -> Iterator[Item]:
    """A record for each .txt, known by its path without the extension. A line is an entry's number."""
    _refuse_crowded(file)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        raise Invalid("This zip file is damaged, or it is no zip file.", code="bad_zip") from error
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if not entries:
        raise Invalid("There is no file in this zip.", code="empty_file")
    _refuse_nested(entries)
    _refuse_bomb(entries)
    for number, entry in enumerate(entries, start=1):
        if not _is_litter(PurePosixPath(entry.filename)):
            yield _read_entry(archive, entry, number)


def _refuse_crowded(file: BinaryIO) -> None:
    """Look at the end of the zip before zipfile does, which would read any list of names into memory."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65_600))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise Invalid("This zip file is damaged, or it is no zip file.", code="bad_zip")
    (directory_bytes,) = struct.unpack_from("<L", tail, at + 12)
    if b"PK\x06\x07" in tail[:at] or directory_bytes > MAX_DIRECTORY_BYTES:
        raise Invalid(
            "A zip holds at most 65,535 files here; write them into one CSV or JSONL file instead.",
            code="too_many_files",
        )


def _refuse_nested(entries: list[zipfile.ZipInfo]) -> None:
    if any(entry.filename.lower().endswith(".zip") for entry in entries):
        raise Invalid(
            "There is a zip inside this zip. Unpack it first; nothing was taken in.", code="nested_zip"
        )


def _refuse_bomb(entries: list[zipfile.ZipInfo]) -> None:
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    limit = min(MAX_UNPACKED_BYTES, max(SMALL_UNPACKED_BYTES, MAX_UNPACKED_RATIO * packed))
    if unpacked > limit:
        raise Invalid(
            f"This zip unpacks to {unpacked:,} bytes from {packed:,}, which no collection of notes does; "
            "nothing was taken in.",
            code="zip_bomb",
        )


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, number: int) -> Item:
    external_id, extension = os.path.splitext(entry.filename.replace("\\", "/"))
    name = _name(external_id)
    if extension.lower() != ".txt":
        return Refusal(number, name, "not_a_text_file")
    if entry.file_size > MAX_TXT_BYTES:
        return Refusal(number, name, "too_long")
    # Other methods may ask for gigabytes of memory; encrypted entries have the lowest flag set.
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or entry.flag_bits & 1:
        return Refusal(number, name, "unreadable")
    try:
        data = archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        return Refusal(number, name, "unreadable")
    return _parse_txt(number, external_id, data)


def read_folder(folder: Path) -> Iterator[Item]:
    """A record for each .txt below the folder, by name, so that reading it again keeps the order."""
    number = 0
    for directory, folders, files in os.walk(folder):
        folders.sort()
        for file_name in sorted(files):
            path = Path(directory, file_name)
            inside = path.relative_to(folder)
            if _is_litter(PurePosixPath(inside.as_posix())):
                continue
            number += 1
            # A name may be no UTF-8 at all; the id shows where with U+FFFD.
            external_id = os.fsencode(inside.with_suffix("")).decode(errors="replace")
            yield _read_txt(path, number, external_id)
    if not number:
        raise Invalid("There is no file in this folder.", code="empty_file")


def _read_txt(path: Path, number: int, external_id: str) -> Item:
    if path.suffix.lower() != ".txt" or not path.is_file():
        return Refusal(number, _name(external_id), "not_a_text_file")
    if path.stat().st_size > MAX_TXT_BYTES:
        return Refusal(number, _name(external_id), "too_long")
    return _parse_txt(number, external_id, path.read_bytes())


def _parse_txt(number: int, external_id: str, data: bytes) -> Item:
    if data.startswith(SIGNATURES):
        return Refusal(number, _name(external_id), "not_a_text_file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Refusal(number, _name(external_id), "bad_encoding")
    return _checked(number, external_id, [text], {})


def _is_litter(path: PurePosixPath) -> bool:
    """What macOS and editors leave behind."""
    return path.name.startswith(".") or "__MACOSX" in path.parts
