"""Kinds of task: what an answer looks like and what several add up to. One module a kind, one registry."""

from typing import ClassVar, Protocol

from annotation.errors import Invalid
from annotation.kinds.calibration import is_calibrated
from annotation.kinds.choice import Choice
from annotation.kinds.comparison import Compared, Comparison, LabelAgreement
from annotation.kinds.decision import Decision, Fit, Given, SkillRow, Table
from annotation.kinds.multiple import Multiple
from annotation.kinds.ordinal import Ordinal
from annotation.kinds.pairs import Pairs
from annotation.kinds.relations import Relations
from annotation.kinds.spans import Spans
from annotation.kinds.text import Text
from annotation.kinds.traits import FindsWords

__all__ = [
    "KINDS",
    "Compared",
    "Comparison",
    "Decision",
    "Fit",
    "Given",
    "Kind",
    "LabelAgreement",
    "SkillRow",
    "Table",
    "is_calibrated",
    "kind_named",
]


class Kind(Protocol):
    """What a kind offers. `labels` is the campaign's list of {key, name, hint}; offsets are code points."""

    name: str
    title: str
    sentence: str  # what a volunteer does, for whoever chooses the kind
    rightness: str  # what a volunteer's accuracy is a share of, after its figure
    measure: str  # what `score` is, for the mean over tasks
    planning: str  # what the need of answers is computed for beforehand, where that is not the whole answer
    certainty_is_probability: bool  # even where no gold has calibrated it
    one_label: bool  # an answer is one label
    hears_models: bool  # a model may be one more annotator where answers are weighed
    needs_text: bool  # deciding takes the task's text
    methods: dict[str, str]  # what each way of weighing answers does, in a sentence
    most_labels: dict[str, int]  # where a way of weighing takes only so many

    # Of Traits:
    head: ClassVar[str | None]
    of_pairs: ClassVar[bool]
    is_ordered: ClassVar[bool]
    has_labels: ClassVar[bool]
    marks_text: ClassVar[bool]
    is_drafted: ClassVar[bool]
    label_roles: ClassVar[tuple[str, ...]]
    has_own_styles: ClassVar[bool]
    skill_title: ClassVar[str]
    finds_words: ClassVar[FindsWords | None]

    def parse_labels(self, raw: object) -> list[dict]: ...

    def answer_schema(self, labels: list[dict]) -> dict:
        """JSON Schema of an answer."""
        ...

    def parse_answer(self, raw: object, labels: list[dict], length: int) -> dict:
        """The answer in its one form, or InvalidAnswer; `length` is the text's."""
        ...

    def parse_cell(self, cell: str, labels: list[dict], length: int) -> dict:
        """An answer as a file's cell has it."""
        ...

    def cell(self, value: dict) -> str: ...

    def counts(self, value: dict, labels: list[dict]) -> bool:
        """Whether an answer given earlier is one under these labels still."""
        ...

    def votes_of(self, value: dict) -> list[str]:
        """The label keys that an answer gives."""
        ...

    def lines(self, value: dict, names: dict[str, str], text: str) -> list[str]:
        """An answer as a person reads it; names are the labels' by key."""
        ...

    def stated(self, value: dict) -> set[str]:
        """What an answer states, each as a posterior names it."""
        ...

    def candidate(self, key: str, names: dict[str, str], text: str) -> str:
        """What a posterior names, as a person reads it."""
        ...

    def score(self, value: dict, gold: dict) -> float:
        """How right an answer is, from 0 to 1."""
        ...

    def is_right(self, value: dict, true: dict) -> bool:
        """Whether the whole answer counts as right: what its certainty is the probability of."""
        ...

    def figures(self, pairs: list[tuple[dict, dict]]) -> dict:
        """What answers (found, gold) can be scored by beside being right or wrong, ready for JSON."""
        ...

    def n_choices(self, labels: list[dict]) -> int:
        """How many answers there are to what `planning` says."""
        ...

    def clear_mistakes(self, value: dict, true: dict) -> dict:
        """The answer in which whatever is nearly right is right: equal to that of the truth itself where it
        has no clear mistake."""
        ...

    def likeness(self, value: dict, other: dict) -> float:
        """How alike two answers are, from 0 to 1; where a score knows right and wrong alone, by parts."""
        ...

    def compare(self, compared: Compared) -> Comparison:
        """How far answers to the same tasks agree."""
        ...

    def decide(
        self,
        given: list[Given],
        labels: list[dict],
        *,
        method: str,
        crowd: dict | None,
        text: str,
        opinion: dict | None = None,
    ) -> Decision:
        """What at least one answer adds up to; without a fit of the crowd, by majority.

        `opinion` is a model's, heard where the fit says what it is worth: {label key: probability}, or where
        volunteers mark {"spans": [{"start", "end", "label", "probability"}]}.
        """
        ...

    def fit(self, table: Table, labels: list[dict], *, method: str) -> Fit: ...


KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (Choice(), Multiple(), Ordinal(), Pairs(), Spans(), Relations(), Text())
}


def kind_named(name: str) -> Kind:
    if name not in KINDS:
        raise Invalid(f"There is no kind of task called {name[:50]!r}.", code="unknown_kind")
    return KINDS[name]
