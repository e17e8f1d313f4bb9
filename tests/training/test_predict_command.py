"""`predict` reads a file and writes what the model thinks of it, whole or not at all."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from tests.served_models import campaign_of, examples_of, put_in_charge
from training.encoder import predict_proba, predict_spans, read_relations
from training.models import ModelVersion
from training.services import prediction_files
from training.services.marks import MARKING

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(served):
    campaign = campaign_of("choice")
    put_in_charge(campaign, served("choice"))
    return campaign


def predict(campaign, source: Path, out: Path) -> None:
    call_command("predict", str(campaign.pk), source, out=out)


def jsonl_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_is_read_in_chunks_and_bad_rows_are_told_by_line_and_reason(
    campaign, served, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(prediction_files, "CHUNK_TEXTS", 4)
    texts = examples_of("choice").texts[:10]
    rows = [f"t{n},{text}" for n, text in enumerate(texts)]
    source, out = tmp_path / "notes.csv", tmp_path / "out.jsonl"
    source.write_text("\n".join(["id,text", *rows[:3], "t99,", "one, two, three", *rows[3:]]))
    predict(campaign, source, out)
    shown, found = capsys.readouterr(), jsonl_of(out)
    assert [one["id"] for one in found] == [f"t{n}" for n in range(10)]
    assert {one["model"] for one in found} == {str(ModelVersion.objects.get().pk)}
    expected = predict_proba(served("choice"), texts)
    probabilities = [[one["probabilities"][key] for key in ("no", "yes")] for one in found]
    assert np.array(probabilities) == pytest.approx(expected, abs=1e-4)
    assert [one["label"] for one in found] == [("no", "yes")[best] for best in expected.argmax(axis=1)]
    assert "10 texts read into" in shown.out
    assert "line 5 (t99): There is no text in this row." in shown.out
    assert "line 6: The row has more or fewer columns than the header." in shown.out
    assert "100%" in shown.err
    assert out.stat().st_mode & 0o077 == 0, "for the owner alone"


def test_a_table_has_a_column_for_each_label_and_no_formula(campaign, served, tmp_path):
    source, out = tmp_path / "notes.jsonl", tmp_path / "out.csv"
    source.write_text('{"id": "=1+1", "text": "a rash"}\n')
    predict(campaign, source, out)
    header, row = csv.reader(out.open(newline=""))
    assert header == ["id", "label", "p(no)", "p(yes)", "model"]
    assert row[0] == "'=1+1"
    assert row[-1] == str(ModelVersion.objects.get().pk)
    assert [float(cell) for cell in row[2:-1]] == pytest.approx(
        predict_proba(served("choice"), ["a rash"])[0], abs=1e-4
    )


def answer_of(reading) -> dict:
    return MARKING["relations"].answer(reading, ["causes"])


@pytest.mark.parametrize("kind", ["pairs", "spans", "relations", "multiple"])
def test_other_kinds_of_question_have_their_own_columns(kind, served, tmp_path):
    campaign, examples = campaign_of(kind), examples_of(kind)
    put_in_charge(campaign, served(kind))
    source, out = tmp_path / "notes.jsonl", tmp_path / "out.csv"
    rows = [{"id": str(n), "text": text} for n, text in enumerate(examples.texts[:6])]
    if examples.seconds:
        rows = [row | {"second": second} for row, second in zip(rows, examples.seconds, strict=False)]
    source.write_text("\n".join(map(json.dumps, rows)))
    predict(campaign, source, out)
    header, *table = csv.reader(out.open(newline=""))
    if kind == "relations":
        assert header == ["id", "relations", "model"]
        readings = read_relations(served(kind), examples.texts[:6])
        assert [json.loads(row[1]) for row in table] == [answer_of(reading) for reading in readings]
        return
    if kind == "spans":
        assert header == ["id", "spans", "model"]
        found = [[(s["start"], s["end"], s["label"]) for s in json.loads(row[1])] for row in table]
        expected = predict_spans(served(kind), examples.texts[:6])
        assert found == [[tuple(span) for span, _ in one] for one in expected]
        return
    expected = predict_proba(served(kind), examples.texts[:6], examples.seconds and examples.seconds[:6])
    assert np.array([row[2:-1] for row in table], dtype=float) == pytest.approx(expected, abs=1e-4)
    keys = [column[2:-1] for column in header[2:-1]]
    if kind == "multiple":
        assert header[1] == "labels"
        chosen = ["|".join(np.array(keys)[row >= 0.5]) for row in expected]
        assert [row[1] for row in table] == chosen
    else:
        assert header[1] == "label"
        assert [row[1] for row in table] == [keys[best] for best in expected.argmax(axis=1)]


def test_a_model_of_relations_takes_the_spans_that_a_file_gives(served, tmp_path, capsys):
    campaign, examples = campaign_of("relations"), examples_of("relations")
    put_in_charge(campaign, served("relations"))
    source, out = tmp_path / "notes.jsonl", tmp_path / "out.jsonl"
    texts, known = examples.texts[:4], examples.spans[:4]
    rows = [
        {"id": f"t{n}", "text": text, "spans": [span._asdict() for span in spans]}
        for n, (text, spans) in enumerate(zip(texts, known, strict=True))
    ]
    del rows[3]["spans"]
    drug = rows[0]["spans"][0]
    long = {"id": "long", "text": "calm " * 900, "spans": [drug | {"end": 5 + n} for n in range(200)]}
    wrong = {
        "outside": [drug | {"end": len(texts[0]) + 1}],
        "empty": [drug | {"end": drug["start"]}],
        "other": [drug | {"label": "causes"}],
        "twice": [drug, drug],
        "many": [drug | {"end": 5 + n} for n in range(201)],
        "more": [drug | {"probability": 1.0}],
        "less": [{"start": 0, "end": 4}],
        "before": [drug | {"start": -1}],
        "true": [drug | {"start": False, "end": True}],
        "words": "calm",
    }
    refused = [{"id": name, "text": texts[0], "spans": spans} for name, spans in wrong.items()]
    source.write_text("\n".join(map(json.dumps, [*rows, long, *refused])))
    predict(campaign, source, out)
    found, shown = jsonl_of(out), capsys.readouterr().out
    readings = read_relations(served("relations"), texts, [*known[:3], None])
    assert [one["id"] for one in found] == ["t0", "t1", "t2", "t3", "long"]
    assert [{"spans": one["spans"], "relations": one["relations"]} for one in found[:4]] == [
        answer_of(reading) for reading in readings
    ]
    assert [span["probability"] for span in found[0]["spans"]] == [1.0] * len(known[0])
    assert len(found[4]["spans"]) == 200
    outside = "A span is empty or ends outside its text."
    form = "Its spans are too many, or are not each a start, an end and a label, and no more."
    for line, (name, sentence) in enumerate(
        [
            ("outside", outside), ("empty", outside),
            ("other", "A span's label is none of the campaign's labels for spans."),
            ("twice", "A span stands twice with its text."),
            *((name, form) for name in ("many", "more", "less", "before", "true", "words")),
        ],
        start=6,
    ):  # fmt: skip
        assert f"line {line} ({name}): {sentence}" in shown


def test_a_table_gives_the_spans_that_are_known_as_json_in_a_column(served, tmp_path, capsys):
    campaign, examples = campaign_of("relations"), examples_of("relations")
    put_in_charge(campaign, served("relations"))
    texts, known = examples.texts[:2], examples.spans[:2]
    cells = [json.dumps([span._asdict() for span in known[0]]), " ", "calm", '{"start": 0}']
    with open(tmp_path / "notes.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "Spans", "text"])
        table.writerows(zip("abcd", cells, [*texts, *texts], strict=True))
    predict(campaign, tmp_path / "notes.csv", tmp_path / "out.jsonl")
    readings = read_relations(served("relations"), texts, [known[0], None])
    assert [
        {key: one[key] for key in ("spans", "relations")} for one in jsonl_of(tmp_path / "out.jsonl")
    ] == [answer_of(reading) for reading in readings]
    shown = capsys.readouterr().out
    form = "Its spans are too many, or are not each a start, an end and a label, and no more."
    assert f"line 4 (c): {form}" in shown and f"line 5 (d): {form}" in shown


@pytest.mark.parametrize(
    "rows", ['{"id": "a", "text": "a rash", "spans": "two"}\n', "id,text,spans\na,a rash,two\n"]
)
def test_another_campaign_reads_spans_of_a_file_as_any_other_field(campaign, tmp_path, rows):
    source, out = tmp_path / ("notes.csv" if rows.startswith("id") else "notes.jsonl"), tmp_path / "out.jsonl"
    source.write_text(rows)
    predict(campaign, source, out)
    assert [one["id"] for one in jsonl_of(out)] == ["a"]


def test_what_goes_wrong_leaves_what_was_there(campaign, tmp_path):
    source, out = tmp_path / "notes.csv", tmp_path / "out.csv"
    source.write_text("id,text\na,\n")
    out.write_text("as before")
    with pytest.raises(CommandError, match="no_texts"):
        predict(campaign, source, out)
    source.write_text("id,text\na,rash\n")
    for to, code in [(source, "same_file"), (tmp_path / "out.xlsx", "unknown_format")]:
        with pytest.raises(CommandError, match=code):
            predict(campaign, source, to)
    with pytest.raises(CommandError, match="can't be written: No such file or directory"):
        predict(campaign, source, tmp_path / "nowhere" / "out.csv")
    with pytest.raises(CommandError, match="file_missing"):
        predict(campaign, tmp_path / "nowhere.csv", out)
    campaign.model_versions.update(path="/nowhere")
    with pytest.raises(CommandError, match="model_missing"):
        predict(campaign, source, out)
    campaign.model_versions.update(in_charge=False)
    with pytest.raises(CommandError, match="no_model"):
        predict(campaign, source, out)
    assert out.read_text() == "as before"
    assert {path.name for path in tmp_path.iterdir()} == {"notes.csv", "out.csv"}
