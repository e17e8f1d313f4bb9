"""What a campaign's model thinks of all the texts of a file, written to another. Memory is bounded."""

import csv
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import TextIO

import orjson

from annotation.errors import Invalid
from annotation.exchange import FileText, Refusal, Tally, harmless, texts_in_file
from annotation.models import Campaign
from training.algorithms.examples import MARKING_HEADS
from training.errors import NoModel
from training.model_folders import appearing_file, read_manifest
from training.models import ModelVersion
from training.services.prediction import predictions
from training.services.prediction_jobs import AskedText
from training.services.promotions import in_charge

CHUNK_TEXTS = 2000  # read, scored and written at a time
CHUNK_CHARACTERS = 2_000_000
FORMATS = (".csv", ".jsonl")
# By a model's head: the column of its answers, and how one is written, as in an export of the consensus.
CELLS: dict[str, tuple[str, Callable[[dict], str]]] = {
    "multiple": ("labels", lambda answer: "|".join(answer["labels"])),
    "spans": ("spans", lambda answer: orjson.dumps(answer["spans"]).decode()),
    "relations": ("relations", lambda answer: orjson.dumps(answer).decode()),
}


def predict_file(
    campaign: Campaign, source: Path, target: Path, *, on_progress: Callable[[float], None]
) -> Tally:
    """Write what the model in charge thinks of each text, in the file's order; refused rows are counted.

    The target appears whole, at the end, or not at all. Its name says whether it is CSV or JSONL.
    """
    if target.suffix.lower() not in FORMATS:
        raise Invalid(f"The output's name must end in {' or '.join(FORMATS)}.", code="unknown_format")
    if target.resolve() == source.resolve():
        raise Invalid("The output would take the place of the texts. Give it another name.", code="same_file")
    version = in_charge(campaign.pk)
    if version is None:
        raise NoModel()
    tally = Tally()
    items = texts_in_file(source, pairs=campaign.kind == "pairs", on_progress=on_progress)
    write = _write_csv if target.suffix.lower() == ".csv" else _write_jsonl
    with appearing_file(target) as file:
        write(file, version, _answered(version, items, tally))
        if not tally.n_taken:
            raise Invalid("No text of the file could be read; nothing was written.", code="no_texts")
    return tally


def _answered(
    version: ModelVersion, items: Iterable[FileText | Refusal], tally: Tally
) -> Iterator[tuple[str, dict]]:
    for chunk in _chunks(items, tally):
        answers = predictions(version, [AskedText(row.text, row.second) for row in chunk])
        tally.n_taken += len(chunk)
        yield from zip([row.name for row in chunk], answers, strict=True)


def _chunks(items: Iterable[FileText | Refusal], tally: Tally) -> Iterator[list[FileText]]:
    chunk: list[FileText] = []
    n_characters = 0
    for item in items:
        if isinstance(item, Refusal):
            tally.refuse(*item)
            continue
        chunk.append(item)
        n_characters += len(item.text) + len(item.second or "")
        if len(chunk) == CHUNK_TEXTS or n_characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk


def _write_jsonl(file: TextIO, version: ModelVersion, answered: Iterable[tuple[str, dict]]) -> None:
    for name, answer in answered:
        file.write(orjson.dumps({"id": name, **answer}, option=orjson.OPT_APPEND_NEWLINE).decode())


def _write_csv(file: TextIO, version: ModelVersion, answered: Iterable[tuple[str, dict]]) -> None:
    """id, then label or labels with a column of probabilities each, or what is marked as JSON."""
    head, keys = read_manifest(version.path)["head"], version.label_keys
    answer_in, cell = CELLS.get(head, ("label", itemgetter("label")))
    columns = [] if head in MARKING_HEADS else [f"p({key})" for key in keys]
    table = csv.writer(file, lineterminator="\n")
    table.writerow(map(harmless, ["id", answer_in, *columns]))
    for name, answer in answered:
        probabilities = [answer["probabilities"][key] for key in keys] if columns else []
        table.writerow([harmless(name), harmless(cell(answer)), *probabilities])
