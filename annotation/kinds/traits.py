"""What sets a kind of task apart for pages, files and models, so that none of them knows a kind by name."""

from typing import ClassVar, NamedTuple


class FindsWords(NamedTuple):
    """How a table of what volunteers find and invent is headed, column by column, and what it shows."""

    shows: str
    what: str
    there: str
    not_there: str
    more: str = ""


class Traits:
    """What most kinds are: each overrides where it is otherwise."""

    head: ClassVar[str | None] = None  # how a model learns it (training.algorithms.examples); None: none does
    of_pairs: ClassVar[bool] = False  # a task has two texts, which are compared, and can be ranked by that
    is_ordered: ClassVar[bool] = False  # its labels are steps of a scale
    has_labels: ClassVar[bool] = True
    marks_text: ClassVar[bool] = False  # an answer marks stretches of the text
    is_drafted: ClassVar[bool] = False  # a model may mark them beforehand
    label_roles: ClassVar[tuple[str, ...]] = ()  # what a label may be for, the usual first; empty: one thing
    has_own_styles: ClassVar[bool] = True  # its pages take kinds.css, which a single choice does without
    skill_title: ClassVar[str] = "How often I am right"
    finds_words: ClassVar[FindsWords | None] = None

    def candidate(self, key: str, names: dict[str, str], text: str) -> str:
        return names.get(key, key)
