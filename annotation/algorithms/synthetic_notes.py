"""Synthetic clinical notes for the demo, with the truth for each sentence.

The question they serve: "Does the marked sentence report an adverse drug reaction that happened to
this patient?" Hedged reports count. Denials, warnings, plans, risks, relatives, bare allergy lists
and symptoms with another cause don't; these share drugs, symptoms and verbs with the reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from annotation.algorithms.synthetic_wording import (
    CONDITIONS,
    CONTRAST,
    DRUGS,
    OPENING,
    REACTION,
    REACTIONS,
    ROUTINE,
    SLOTS,
    Drug,
)

_T = TypeVar("_T")


@dataclass(frozen=True)
class SyntheticNote:
    """A note, and its sentences as (start, end, reports_reaction), [start, end) in code points."""

    external_id: str
    text: str
    metadata: dict[str, str]
    sentences: tuple[tuple[int, int, bool], ...]


# Sections in the order in which they are written, each by its title.
_TITLES = {
    "history": "HPI",
    "course": "HOSPITAL COURSE",
    "medications": "MEDICATIONS",
    "plan": "ASSESSMENT AND PLAN",
}
_NOTE_TYPES = {
    "discharge summary": ("history", "course", "medications", "plan"),
    "admission note": ("history", "medications", "plan"),
    "clinic letter": ("history", "medications", "plan"),
    "consultation": ("history", "course", "plan"),
    "progress note": ("history", "course", "plan"),
}
_WARDS = ("internal medicine", "cardiology", "surgery", "oncology", "neurology", "emergency", "outpatients")
_AGE_BANDS = ((19, 39), (40, 64), (65, 74), (75, 88))

_FEWEST_SENTENCES, _MOST_SENTENCES = 6, 10
# Notes without a reaction, or with 1 to 4 sentences about it: 1.79 on average, of 8, is 22 %.
_N_REPORTS = (0, 1, 2, 3, 4)
_N_REPORTS_SHARES = (0.37, 0.09, 0.14, 0.18, 0.22)
_CONTRAST_SHARE = 0.4  # of the sentences that are neither the opening nor a report


def generate_notes(n: int, *, seed: int) -> Iterator[SyntheticNote]:
    """n notes of 6 to 10 sentences, 22 % of them reports; the same seed gives the same notes.

    Each note has its own stream of random numbers, so the first 100 of 300 notes are those of n=100.
    """
    for number in range(1, n + 1):
        rng = np.random.default_rng([seed, number])
        yield _write_note(f"synthetic-{seed}-{number:05d}", rng)


@dataclass(frozen=True)
class _Patient:
    """What stays the same throughout a note. The reaction is to the first drug."""

    words: dict[str, str]
    drugs: tuple[Drug, ...]
    reaction: str


@dataclass(frozen=True)
class _Sentence:
    section: str
    text: str
    reports_reaction: bool


def _write_note(external_id: str, rng: np.random.Generator) -> SyntheticNote:
    patient, metadata = _draw_patient(rng)
    note_type = _pick(tuple(_NOTE_TYPES), rng)
    sections = _draw_sections(_NOTE_TYPES[note_type], rng)
    n_reports = min(int(rng.choice(_N_REPORTS, p=_N_REPORTS_SHARES)), len(sections) - 2)
    reports_at = set(1 + rng.permutation(len(sections) - 1)[:n_reports])  # the opening never is one
    sentences: list[_Sentence] = []
    used: set[str] = set()
    patterns: tuple[str, ...]
    for i, section in enumerate(sections):
        if i == 0:
            patterns, words = OPENING, patient.words
        elif i in reports_at:
            patterns, words = REACTION[section], _drug_words(patient.drugs[0], patient.reaction, rng)
        else:
            # Nothing else is said of the drug that did harm, lest it contradict the reports.
            drug = _pick(patient.drugs[1 if n_reports else 0 :], rng)
            words = _drug_words(drug, _other_reaction(drug, patient.reaction, rng), rng)
            patterns = (CONTRAST if rng.random() < _CONTRAST_SHARE else ROUTINE)[section]
        pattern = _pick([p for p in patterns if p not in used] or patterns, rng)
        used.add(pattern)
        sentences.append(_Sentence(section, _fill(pattern, patient.words | words, rng), i in reports_at))
    text, marked = _lay_out(sentences, rng)
    return SyntheticNote(external_id, text, metadata | {"note_type": note_type}, marked)


def _draw_patient(rng: np.random.Generator) -> tuple[_Patient, dict[str, str]]:
    low, high = _pick(_AGE_BANDS, rng)
    sex = _pick(("female", "male"), rng)
    she, her, hers, woman = ("she", "her", "her", "woman") if sex == "female" else ("he", "him", "his", "man")
    conditions = rng.permutation(CONDITIONS)
    words = {
        "age": str(rng.integers(low, high + 1)),
        "person": woman,
        "pron": she,
        "him": her,
        "poss": hers,
        "pt": f"{{pt.|the patient|patient|{she}}}",
        "condition": str(conditions[0]),
        "condition2": str(conditions[1]),
    }
    drugs = tuple(DRUGS[i] for i in rng.permutation(len(DRUGS))[:4])
    metadata = {"ward": _pick(_WARDS, rng), "age_band": f"{low}-{high}", "sex": sex}
    return _Patient(words, drugs, _pick(drugs[0].reactions, rng)), metadata


def _draw_sections(sections: tuple[str, ...], rng: np.random.Generator) -> list[str]:
    """The section of each sentence, in order: one at least for each, at most three medications."""
    n_sentences = int(rng.integers(_FEWEST_SENTENCES, _MOST_SENTENCES + 1))
    drawn = ["history", *sections]
    while len(drawn) < n_sentences:
        section = _pick(sections, rng)
        if section != "medications" or drawn.count(section) < 3:
            drawn.append(section)
    return sorted(drawn, key=sections.index)


def _other_reaction(drug: Drug, reaction: str, rng: np.random.Generator) -> str:
    """A reaction of the drug that is not the patient's own, where the drug has one."""
    return _pick([r for r in drug.reactions if r != reaction] or drug.reactions, rng)


def _drug_words(drug: Drug, reaction: str, rng: np.random.Generator) -> dict[str, str]:
    wording = REACTIONS[reaction]
    bare, bare2 = rng.permutation(wording.bare)[:2]
    return {
        "drug": drug.name,
        "dose": _pick(drug.doses, rng),
        "use": _pick(drug.uses, rng),
        "alternative": _pick(drug.alternatives, rng),
        "noun": _pick(wording.nouns, rng),
        "event": _pick(wording.events, rng),
        "bare": str(bare),
        "bare2": str(bare2),
        "other_cause": _pick(wording.other_causes, rng),
    }


_INNERMOST = re.compile(r"\{([^{}]*)\}")


def _fill(pattern: str, words: Mapping[str, str], rng: np.random.Generator) -> str:
    """Resolve the pattern's braces, innermost first, until none is left; see synthetic_wording."""

    def resolve(match: re.Match[str]) -> str:
        slot = match.group(1)
        if "|" in slot:
            return _pick(slot.split("|"), rng)
        if ".." in slot:
            low, high = slot.split("..")
            return _number(low, high, rng)
        return words[slot] if slot in words else SLOTS[slot]

    while "{" in pattern:
        pattern = _INNERMOST.sub(resolve, pattern)
    return pattern[0].upper() + pattern[1:]


def _number(low: str, high: str, rng: np.random.Generator) -> str:
    if "." in low:
        return f"{rng.uniform(float(low), float(high)):.1f}"
    return str(rng.integers(int(low), int(high) + 1))


def _lay_out(
    sentences: list[_Sentence], rng: np.random.Generator
) -> tuple[str, tuple[tuple[int, int, bool], ...]]:
    """Put the sentences under their titles: medications one a line, the rest as running text."""
    title_end = _pick((" ", "\n"), rng)
    text, section = "", ""
    marked = []
    for sentence in sentences:
        if sentence.section != section:
            section = sentence.section
            line_end = "\n" if section == "medications" else title_end
            text += f"{chr(10) * 2 if text else ''}{_TITLES[section]}:{line_end}"
        else:
            text += "\n" if section == "medications" else " "
        marked.append((len(text), len(text) + len(sentence.text), sentence.reports_reaction))
        text += sentence.text
    return text + "\n", tuple(marked)


def _pick(choices: list[_T] | tuple[_T, ...], rng: np.random.Generator) -> _T:
    return choices[int(rng.integers(len(choices)))]
