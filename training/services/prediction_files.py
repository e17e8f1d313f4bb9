"""What a campaign's model thinks of all the texts of a file, written to another. Memory is bounded."""

import csv
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import TextIO

import orjson

from annotation.errors import Invalid
from annotation.exchange import Refusal, Tally, harmless, head_of, is_of_pairs, texts_in_file
from annotation.models import Campaign
from training.algorithms.examples import MARKING_HEADS
from training.errors import NoModel
from training.model_folders import appearing_file, read_manifest
from training.models import ModelVersion
from training.services.prediction import predictions
from training.services.prediction_jobs import MAX_SPANS, AskedText, fault_of_spans
from training.services.promotions import in_charge

CHUNK_TEXTS = 2000  # read, scored and written at a time
CHUNK_CHARACTERS = 2_000_000
FORMATS = (".csv", ".jsonl")
Named = tuple[str, AskedText]  # the row's id, and what is asked of it
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
    items = _asked_texts(campaign, source, on_progress)
    write = _write_csv if target.suffix.lower() == ".csv" else _write_jsonl
    with appearing_file(target) as file:
        write(file, version, _answered(version, items, tally))
        if not tally.n_taken:
            raise Invalid("No text of the file could be read; nothing was written.", code="no_texts")
    return tally


def _asked_texts(
    campaign: Campaign, source: Path, on_progress: Callable[[float], None]
) -> Iterator[Named | Refusal]:
    """The file's rows; in campaigns of relations with the spans that are known of them."""
    pairs, spans = is_of_pairs(campaign), head_of(campaign) == "relations"
    for row in texts_in_file(source, pairs=pairs, spans=spans, on_progress=on_progress):
        if isinstance(row, Refusal):
            yield row
            continue
        asked = AskedText(row.text, row.second, row.spans)
        fault = fault_of_spans(campaign, asked) if _are_spans(row.spans) else "bad_spans"
        yield Refusal(row.line, row.name, fault) if fault else (row.name, asked)


def _are_spans(given: object) -> bool:
    """Whether they are of the form that a request for a prediction gives them in, or none."""
    if given is None:
        return True
    return isinstance(given, list) and len(given) <= MAX_SPANS and all(map(_is_span, given))


def _is_span(given: object) -> bool:
    match given:
        case {"start": start, "end": end, "label": str(), **more}:  # true is no place, though an int
            return type(start) is type(end) is int and start >= 0 and not more
    return False


def _answered(
    version: ModelVersion, items: Iterable[Named | Refusal], tally: Tally
) -> Iterator[tuple[str, dict]]:
    for chunk in _chunks(items, tally):
        answers = predictions(version, [asked for _, asked in chunk])
        tally.n_taken += len(chunk)
        yield from zip([name for name, _ in chunk], answers, strict=True)


def _chunks(items: Iterable[Named | Refusal], tally: Tally) -> Iterator[list[Named]]:
    chunk: list[Named] = []
    n_characters = 0
    for item in items:
        if isinstance(item, Refusal):
            tally.refuse(*item)
            continue
        chunk.append(item)
        _, asked = item
        n_characters += len(asked.text) + len(asked.second or "")
        if len(chunk) == CHUNK_TEXTS or n_characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk


def _write_jsonl(file: TextIO, version: ModelVersion, answered: Iterable[tuple[str, dict]]) -> None:
    for name, answer in answered:
        line = {"id": name, **answer, "model": str(version.pk)}
        file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE).decode())


def _write_csv(file: TextIO, version: ModelVersion, answered: Iterable[tuple[str, dict]]) -> None:
    """id, label or labels with a column of probabilities each (or what is marked, as JSON), model's id."""
    head, keys = read_manifest(version.path)["head"], version.label_keys
    answer_in, cell = CELLS.get(head, ("label", itemgetter("label")))
    columns = [] if head in MARKING_HEADS else [f"p({key})" for key in keys]
    table = csv.writer(file, lineterminator="\n")
    table.writerow(map(harmless, ["id", answer_in, *columns, "model"]))
    for name, answer in answered:
        probabilities = [answer["probabilities"][key] for key in keys] if columns else []
        table.writerow([harmless(name), harmless(cell(answer)), *probabilities, version.pk])
