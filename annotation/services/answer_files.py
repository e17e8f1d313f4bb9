"""Files of answers and of gold: CSV, or JSONL where answers are spans or relations. Cells come as text."""

from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from annotation.services.intake.framing import JsonLines, read_frames
from annotation.services.intake.refusals import Refusal
from annotation.services.intake.tables import open_file, open_table

Row = tuple[int, list[str]]  # the line, and its cells


def read_answers(path: Path) -> Iterator[Row | Refusal]:
    """Cells task, worker, answer: CSV with task, worker and label, or JSONL with objects
    {id, workers: [{worker, spans: [[start, end, label]]}]}."""
    return _read(path, ("task", "worker", "label"), _answers_of)


def read_gold(path: Path) -> Iterator[Row | Refusal]:
    """Cells task, answer: CSV with task and label, or JSONL with objects {id, spans: [[start, end, label]]},
    and relations: [[from, to, label]] between places in the list of spans, where there are any."""
    return _read(path, ("task", "label"), _gold_of)


def _read(
    path: Path, columns: tuple[str, ...], parse: Callable[[dict], list[list[str]]]
) -> Iterator[Row | Refusal]:
    with open_file(path) as file:
        if path.suffix != ".jsonl":
            yield from open_table(file, columns).cells(*columns)
            return
        for line, data, fault in read_frames(file, JsonLines()):
            if not data.strip() and not fault:
                continue
            try:
                rows = parse(orjson.loads(data))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                yield Refusal(line, "", fault or "bad_json")
            else:
                yield from ((line, cells) for cells in rows)


def _answers_of(entry: dict) -> list[list[str]]:
    return [[str(entry["id"]), str(each["worker"]), _spans_cell(each["spans"])] for each in entry["workers"]]


def _gold_of(entry: dict) -> list[list[str]]:
    spans = _named(("start", "end", "label"), entry["spans"])
    if "relations" not in entry:
        return [[str(entry["id"]), orjson.dumps(spans).decode()]]
    relations = _named(("from", "to", "label"), entry["relations"])
    return [[str(entry["id"]), orjson.dumps({"spans": spans, "relations": relations}).decode()]]


def _spans_cell(spans: list) -> str:
    return orjson.dumps(_named(("start", "end", "label"), spans)).decode()


def _named(names: tuple[str, ...], rows: list[list]) -> list[dict]:
    """What the kind of task reads; what follows the names in the file is left."""
    return [dict(zip(names, row[: len(names)], strict=True)) for row in rows]
