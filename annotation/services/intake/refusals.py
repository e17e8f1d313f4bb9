"""Why a row does not go in: stable codes, and sentences that never repeat the row's text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_TEXT_LENGTH = 1_000_000
MAX_ID_LENGTH = 200
MAX_METADATA_COLUMNS = 20
MAX_METADATA_BYTES = 4096
MAX_METADATA_DEPTH = 5
MAX_LISTED = 10_000  # refusals kept one by one; past that they are only counted

SENTENCES = {
    "no_text": "There is no text in this row.",
    "half_a_pair": "One of the two texts of this pair is missing.",
    "no_id": "The id is missing, or is neither text nor a whole number.",
    "id_too_long": f"The id is longer than {MAX_ID_LENGTH} characters.",
    "duplicate_id": "An earlier row of this file has the same id.",
    "id_taken_by_other_text": "The campaign already has a record with this id and another text.",
    "bad_encoding": "The row is not valid UTF-8. Save the file as UTF-8 and import it again.",
    "too_long": f"The row is too long: a text has at most {MAX_TEXT_LENGTH:,} characters.",
    "nul_character": "The row holds a NUL character, which no text has.",
    "bad_json": "The line is not a JSON object.",
    "bad_metadata": f"Its other fields are too many, too deep or over {MAX_METADATA_BYTES:,} bytes.",
    "wrong_number_of_columns": "The row has more or fewer columns than the header.",
    "unclosed_quote": "A quotation mark opens here and is never closed, so nothing after it could be read.",
    "not_a_text_file": "This is not a .txt file with text in it.",
    "unreadable": "This file can't be unpacked: it is damaged, encrypted or packed in an unusual way.",
    "unknown_task": "The campaign has no such task.",
    "several_tasks": "This record has several tasks: write recordid#0, recordid#1 and so on.",
    "unknown_label": "This label is not one of the campaign's label keys.",
    "invalid_answer": "This is no answer of the campaign's kind.",
    "bad_spans": "Its spans are too many, or are not each a start, an end and a label, and no more.",
    "span_outside_text": "A span is empty or ends outside its text.",
    "span_label_unknown": "A span's label is none of the campaign's labels for spans.",
    "span_twice": "A span stands twice with its text.",
    "contradicts": "Another answer is already known for this task, and it is kept.",
    "no_worker": "There is no worker in this row.",
    "answered_otherwise": "This worker has already given another answer to this task.",
    "task_full": "The task has all the answers it needs.",
    "record_held": "The record is held, so it takes no answers.",
}


class Refusal(NamedTuple):
    line: int
    name: str  # the record's or the task's, as far as it could be read
    reason: str

    @property
    def sentence(self) -> str:
        return SENTENCES[self.reason]


@dataclass
class Tally:
    """What became of the rows of a file that is read in one go."""

    n_taken: int = 0
    n_unchanged: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    reasons: Counter = field(default_factory=Counter)

    @property
    def n_refused(self) -> int:
        return self.reasons.total()

    @property
    def n_rows(self) -> int:
        return self.n_taken + self.n_unchanged + self.n_refused

    def refuse(self, line: int, name: str, reason: str) -> None:
        self.reasons[reason] += 1
        if len(self.refusals) < MAX_LISTED:
            self.refusals.append(Refusal(line, name[:MAX_ID_LENGTH], reason))

    def without_refusals(self, items: Iterable) -> list:
        """The rows that could be read; the others are counted here."""
        rows = []
        for item in items:
            if isinstance(item, Refusal):
                self.refuse(*item)
            else:
                rows.append(item)
        return rows
