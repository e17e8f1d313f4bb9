"""Kinds of task: what an answer looks like and what several add up to. One module a kind, one registry."""

from typing import Protocol

from annotation.errors import Invalid
from annotation.kinds import choice


class Kind(Protocol):
    """What a module of this package offers. `labels` is the campaign's list of {key, name, hint}."""

    def parse_labels(self, raw: object) -> list[dict]: ...

    def parse_answer(self, raw: object, labels: list[dict]) -> dict: ...

    def consensus(self, answers: list[dict], labels: list[dict]) -> choice.Consensus: ...


KINDS: dict[str, Kind] = {"choice": choice}


def kind_named(name: str) -> Kind:
    if name not in KINDS:
        raise Invalid(f"There is no kind of task called {name!r}.", code="unknown_kind")
    return KINDS[name]
