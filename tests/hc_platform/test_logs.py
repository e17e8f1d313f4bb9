"""What the platform's own formatter writes of an error: the type and the place, not the words."""

import logging
import sys

from hc_platform.logs import TextlessFormatter

FORMATTER = TextlessFormatter("%(levelname)s %(name)s %(message)s")


def record_of(error: Exception, message: str = "it broke", args=()) -> logging.LogRecord:
    try:
        raise error
    except Exception:
        return logging.LogRecord("a.logger", logging.ERROR, __file__, 1, message, args, sys.exc_info())


def test_an_error_is_written_with_its_type_and_place_and_without_its_words():
    written = FORMATTER.format(record_of(ValueError("the row of Quillfeather")))
    assert "builtins.ValueError" in written
    assert "test_logs.py" in written and "raise error" in written
    assert "Quillfeather" not in written


def test_the_errors_behind_an_error_are_written_in_the_same_way():
    error = RuntimeError("Quillfeather again")
    error.__cause__ = KeyError("the first Quillfeather")
    written = FORMATTER.format(record_of(error))
    first, last = written.index("builtins.KeyError"), written.index("builtins.RuntimeError")
    assert first < written.index("while handling that") < last
    assert "Quillfeather" not in written


def test_words_that_another_handler_has_written_already_are_not_taken_over():
    record = record_of(ValueError("the row of Quillfeather"))
    assert "Quillfeather" in logging.Formatter().format(record)
    assert "Quillfeather" not in FORMATTER.format(record)
    assert "Quillfeather" in logging.Formatter().format(record)  # nor are the other's taken away


def test_celerys_report_of_a_failed_task_names_the_task_and_not_the_error():
    words = "ValueError('Quillfeather')"
    data = {"name": "training.tasks.tick", "id": "7", "exc": words, "traceback": words}
    message = "Task %(name)s[%(id)s] raised unexpected: %(exc)s %(traceback)s"
    written = FORMATTER.format(record_of(ValueError("Quillfeather"), message, (data,)))
    assert "Task training.tasks.tick[7] raised unexpected: an error" in written
    assert "Quillfeather" not in written
