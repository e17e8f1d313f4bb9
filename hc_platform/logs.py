"""Logs carry ids, types and places, never text."""

import copy
import logging

from annotation.errors import place_of


class TextlessFormatter(logging.Formatter):
    """Say of which type an error is and where it arose, not its words.

    An error's words may quote a record: PostgreSQL's name the values of the row that broke a rule, a JSON
    error the line it stumbled over. They don't help more than the place does.
    """

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        record.exc_text = None  # another handler may have put the words here
        if isinstance(record.args, dict) and "exc" in record.args:  # Celery's report of a failed task
            record.args = record.args | {"exc": "an error", "traceback": ""}
        return super().format(record)

    def formatException(self, exc_info) -> str:
        parts = [_type_and_place(error) for error in _chain(exc_info[1])]
        return "\nwhile handling that:\n".join(parts)


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and those it came from, first one first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain[::-1]


def _type_and_place(error: BaseException) -> str:
    return f"{place_of(error)}{type(error).__module__}.{type(error).__qualname__}"
