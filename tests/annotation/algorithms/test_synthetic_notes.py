import re

import pytest

from annotation.algorithms.splitting import split_sentences
from annotation.algorithms.synthetic_notes import SyntheticNote, generate_notes


@pytest.fixture(scope="module")
def notes() -> list[SyntheticNote]:
    return list(generate_notes(300, seed=11))


def sentences_of(notes: list[SyntheticNote]) -> list[tuple[str, bool]]:
    return [(note.text[start:end], reports) for note in notes for start, end, reports in note.sentences]


def test_same_seed_gives_the_same_notes_and_another_seed_others():
    assert list(generate_notes(20, seed=5)) == list(generate_notes(20, seed=5))
    texts = {note.text for note in generate_notes(20, seed=5)}
    assert texts.isdisjoint(note.text for note in generate_notes(20, seed=6))


def test_a_longer_run_begins_with_the_shorter_one(notes):
    assert list(generate_notes(30, seed=11)) == notes[:30]


def test_external_ids_are_unique_across_seeds(notes):
    ids = [note.external_id for note in [*notes, *generate_notes(300, seed=12)]]
    assert len(set(ids)) == 600
    assert ids[0] == "synthetic-11-00001"


def test_every_note_has_six_to_ten_sentences_in_order(notes):
    for note in notes:
        assert 6 <= len(note.sentences) <= 10
        edges = [edge for start, end, _ in note.sentences for edge in (start, end)]
        assert edges == sorted(edges)
        assert edges[-1] <= len(note.text)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fifth_to_a_quarter_of_the_sentences_are_reports(seed):
    labels = [reports for _, reports in sentences_of(list(generate_notes(300, seed=seed)))]
    assert 0.20 <= sum(labels) / len(labels) <= 0.25


def test_fewer_than_three_percent_of_sentences_repeat(notes):
    texts = [text for text, _ in sentences_of(notes)]
    assert 1 - len(set(texts)) / len(texts) < 0.03


def test_a_sentence_that_repeats_keeps_its_label():
    labels: dict[str, bool] = {}
    for text, reports in sentences_of(list(generate_notes(1500, seed=4))):
        assert labels.setdefault(text, reports) is reports, text


def test_patterns_are_filled_and_sentences_are_whole(notes):
    for text, _ in sentences_of(notes):
        assert not re.search(r"[{}|]|\.\.|  |\s[,;.]", text), text
        assert not text[0].islower(), text
        assert text[-1] == ".", text


def test_texts_hold_sections_and_clinical_abbreviations(notes):
    everything = "\n".join(note.text for note in notes)
    for title in ("HPI:", "HOSPITAL COURSE:", "MEDICATIONS:", "ASSESSMENT AND PLAN:"):
        assert f"\n{title}" in everything
    for abbreviation in ("p.o.", "b.i.d.", "q.i.d.", "i.v.", "Dr. A.", "Pt. ", "mg/kg"):
        assert abbreviation in everything


def test_metadata_describe_the_patient_of_the_text(notes):
    for note in notes:
        assert set(note.metadata) == {"ward", "note_type", "age_band", "sex"}
        low, high = map(int, note.metadata["age_band"].split("-"))
        assert low <= int(re.search(r"(\d+)-year-old", note.text).group(1)) <= high
        wrong = r"\b(he|him|man)\b" if note.metadata["sex"] == "female" else r"\b(she|woman)\b"
        assert not re.search(wrong, note.text, re.IGNORECASE), note.text


# Each row: words that only one side uses, whether a sentence with them is a report.
TRUTH = [
    (r"\bden(y|ies) .* (since|after) ", False),
    (r"^(Advised to watch|Counselled about|Should |Low threshold|Premedicate)", False),
    (r"^(His|Her) (mother|father|sister|brother|aunt|grandmother|daughter|son|wife)", False),
    (r"^(A friend|A co-worker|A roommate)", False),
    (r"^Allergy list by history", False),
    (r", hold for |stop and call in case", False),
    (r"^No sign so far of |^Stay on ", False),
    (r"turned out to be from|proved to be from", False),
    (r"^Stop .* return at once if", False),
    (r"^\d+-year-old", False),
    (r"^(Suspect|Nothing other than|Stay off|Do not rechallenge|Keep holding)", True),
    (r"^Add .* to the allergy list: s?he ", True),
    (r"^Reports .* with each dose of ", True),
    (r"^Course was complicated by ", True),
    (r"^No such trouble before |^Did not stop .* until ", True),
    (r"(likely|probably|possibly) due to", True),
]


@pytest.mark.parametrize(("pattern", "reports"), TRUTH)
def test_label_agrees_with_what_the_sentence_says(notes, pattern, reports):
    found = [(text, label) for text, label in sentences_of(notes) if re.search(pattern, text)]
    assert found
    assert [text for text, label in found if label is not reports] == []


def test_words_of_reports_also_stand_in_sentences_that_report_nothing(notes):
    for word in ("stopped", "rash", "after", "hives", "because", "attributed", "No "):
        labels = {label for text, label in sentences_of(notes) if word in text}
        assert labels == {True, False}, word


def test_the_splitter_finds_the_marked_sentences(notes):
    marked = found = 0
    for note in notes:
        spans = {(span.start, span.end) for span in split_sentences(note.text)}
        marked += len(note.sentences)
        found += len(spans & {(start, end) for start, end, _ in note.sentences})
    assert found / marked >= 0.99
