"""An exported folder loads by path, and its card's own example gives the platform's probabilities."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from django.core.management import CommandError, call_command
from transformers import AutoConfig

from tests.made_examples import one_hot
from tests.served_models import CLASSES, campaign_of, examples_of, put_in_charge
from training.algorithms.metrics import evaluate
from training.encoder import embed, predict_proba, predict_spans, read_relations
from training.encoder.relating import sha256_of_both
from training.linear import (
    fit_combined,
    fit_embedding,
    fit_tfidf,
    predict_combined,
    predict_embedding,
    predict_tfidf,
)
from training.model_folders import weights_sha256
from training.models import TrainingPolicy

pytestmark = pytest.mark.django_db


def exported(campaign, folder: Path, **options) -> str:
    """Export and return the card."""
    call_command("export_model", str(campaign.pk), out=folder, **options)
    return (folder / "README.md").read_text()


def example_of(card: str, folder: Path, monkeypatch, *, base: Path | str = "") -> dict:
    """What the card's example defines when it is run as it stands, in the folder."""
    [code] = [part.split("```")[0] for part in card.split("```python\n")[1:]]
    monkeypatch.chdir(folder)
    defined: dict = {}
    exec(code.replace("the folder of the base model", str(base)), defined)
    assert ("from training" in code) == ("Transformers cannot load this model" in card)
    return defined


def texts_of(kind: str) -> tuple[list[str], list[str] | None]:
    """Some short texts, and where there is no second one, a text of several windows."""
    examples = examples_of(kind)
    if examples.seconds:
        return examples.texts[:6], examples.seconds[:6]
    return [*examples.texts[:6], " ".join(examples.texts[:6])], None


@pytest.mark.parametrize("kind", ["choice", "ordinal", "multiple", "pairs"])
def test_the_cards_example_gives_the_platforms_probabilities(kind, served, tmp_path, monkeypatch):
    campaign = campaign_of(kind)
    put_in_charge(campaign, served(kind))
    card = exported(campaign, tmp_path / "m")
    texts, seconds = texts_of(kind)
    example = example_of(card, tmp_path / "m", monkeypatch)
    rows = zip(texts, seconds, strict=True) if seconds else [(text,) for text in texts]
    found = [example["probabilities"](*row) for row in rows]
    names = [campaign.label_names[key] for key in CLASSES[kind][1]]
    assert [list(one) for one in found] == [names] * len(texts)
    expected = predict_proba(served(kind), texts, seconds)
    assert np.array([list(one.values()) for one in found]) == pytest.approx(expected, abs=1e-3)
    assert np.ptp(expected, axis=0).max() > 0.01, "texts differ, or nothing was compared"
    assert predict_proba(tmp_path / "m", texts, seconds) == pytest.approx(expected, abs=1e-6)


def test_the_cards_example_finds_the_platforms_spans(served, tmp_path, monkeypatch):
    campaign = campaign_of("spans")
    put_in_charge(campaign, served("spans"))
    card = exported(campaign, tmp_path / "m")
    texts = [text for text in examples_of("spans").texts if len(text.split()) < 15][:20]
    find = example_of(card, tmp_path / "m", monkeypatch)["spans"]
    names = {"drug": "Drug", "effect": "Effect"}
    expected = [
        [(span.start, span.end, names[span.label]) for span, _ in one]
        for one in predict_spans(served("spans"), texts)
    ]
    assert [find(text) for text in texts] == expected
    assert sum(map(len, expected)) >= 6


def test_the_cards_example_finds_the_platforms_relations_also_between_given_spans(
    served, tmp_path, monkeypatch
):
    campaign = campaign_of("relations")
    version = put_in_charge(campaign, served("relations"))
    card = exported(campaign, tmp_path / "m")
    texts = examples_of("relations").texts[4:10]
    find = example_of(card, tmp_path / "m", monkeypatch)["relations"]
    expected = [reading.relations(["Causes"]) for reading in read_relations(served("relations"), texts)]
    for text, relations in zip(texts, expected, strict=True):
        found = find(text)
        assert [one[:3] for one in found] == [tuple(one) for one, _ in relations]
        assert [one[3] for one in found] == pytest.approx([p for _, p in relations], abs=1e-4)
    assert any(expected)
    spans = [(0, 4, "drug"), (texts[2].index("fever"), texts[2].index("fever") + 5, "effect")]
    assert [one[:3] for one in find(texts[2], spans)] == [(*spans, "Causes")]
    for part, names in {"pairs": ["no relation", "Causes"], "spans": ["Drug", "Effect"]}.items():
        manifest = json.loads((tmp_path / "m" / part / "manifest.json").read_text())
        assert manifest["label_names"] == names
        assert "base_model_path" not in manifest["config"]
    assert sha256_of_both(tmp_path / "m") == version.sha256


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("choice", ["No", "Yes"]),
        ("ordinal", ["beyond None", "beyond Mild"]),
        ("spans", ["O-Drug", "B-Drug", "I-Drug", "O-Effect", "B-Effect", "I-Effect"]),
    ],
)
def test_outputs_are_named_as_people_know_the_labels(kind, outputs, served, tmp_path):
    campaign = campaign_of(kind)
    put_in_charge(campaign, served(kind))
    exported(campaign, tmp_path / "m")
    config = AutoConfig.from_pretrained(tmp_path / "m")
    assert list(config.id2label.values()) == outputs
    assert config.label2id == {name: place for place, name in enumerate(outputs)}


def test_nothing_in_the_folder_tells_where_it_lay_on_the_server_or_has_to_be_unpickled(
    served, served_base, tmp_path
):
    campaign = campaign_of("choice")
    version = put_in_charge(campaign, served("choice"))
    exported(campaign, tmp_path / "m")
    files = list((tmp_path / "m").iterdir())
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".txt", ".md"}
    for path in files:
        content = path.read_bytes()
        assert str(served_base).encode() not in content, path.name
        assert str(version.path).encode() not in content, path.name
    assert weights_sha256(tmp_path / "m") == version.sha256


# --- The card ---


def test_the_card_says_what_the_model_is_learned_from_and_is_good_for(served, served_base, tmp_path):
    (served_base / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Tiny BERT\n")
    campaign = campaign_of("choice", question="Is *it* <b>there</b> | or not?")
    metrics = {
        "test": evaluate(np.array([0, 1, 1, 0]), one_hot([0, 1, 0, 0], 2)),
        "slices": [
            {
                "column": "site",
                "groups": [{"name": "A", "n": 20, "score": 0.9}, {"name": "B", "n": 30, "score": 0.7}],
                "smallest": "A",
                "largest_gap": 0.2,
            }
        ],
    }
    version = put_in_charge(campaign, served("choice"), metrics=metrics)
    snapshot = tmp_path / "snapshot.jsonl"
    rows = [{"part": "train", "n_answers": 3, "origin": "crowd", "text": "Quillfeather"}] * 2
    rows += [{"part": "test", "n_answers": 4, "origin": "expert", "text": "Quillfeather"}]
    snapshot.write_text("\n".join(map(json.dumps, rows)))
    version.run.snapshot_path, version.run.snapshot_sha256 = str(snapshot), "5" * 64
    version.run.save()
    card = exported(campaign, tmp_path / "m", language="en")

    header = yaml.safe_load(card.split("---")[1])
    assert header["language"] == "en"
    assert (header["library_name"], header["pipeline_tag"]) == ("transformers", "text-classification")
    assert header["base_model"] == "Tiny BERT"
    for words in [
        "**Licence of the base model:** apache-2.0.",
        r"Is \*it\* &lt;b&gt;there&lt;/b&gt; \| or not?",
        "10 answers of volunteers",
        "1 of them were decided by a reviewer",
        "Used for: train 2, test 1.",
        "5" * 64,
        "| accuracy: share of texts that are all right | 0.750 |",
        "| Yes | 1.000 | 0.500 | 0.667 | 2 |",
        "### By site",
        "| B | 30 | 0.700 |",
        "**It is not a medical device.**",
        version.sha256,
        str(version.pk),
    ]:
        assert words in card, words
    assert "Quillfeather" not in card


def test_a_licence_that_nobody_named_is_unknown_and_so_is_that_of_another_model(
    served, served_base, tmp_path, capsys
):
    (served_base / "README.md").unlink(missing_ok=True)
    campaign = campaign_of("choice")
    version = put_in_charge(campaign, served("choice"))
    assert "**Licence of the base model:** unknown: ask" in exported(campaign, tmp_path / "a")
    (served_base / "LICENSE").write_text("\n# MIT License\n\nCopyright")
    assert "**Licence of the base model:** MIT License." in exported(campaign, tmp_path / "b")
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in Path(version.path).iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((changed / "manifest.json").read_text())
    (changed / "manifest.json").write_text(json.dumps(manifest | {"base_model_sha256": "0" * 64}))
    put_in_charge(campaign, changed)
    assert "**Base model:** unknown" in exported(campaign, tmp_path / "c")
    (served_base / "LICENSE").unlink()


def test_what_a_network_thought_of_single_texts_that_it_learned_from_is_not_given_away(served, tmp_path):
    shutil.copytree(served("choice"), tmp_path / "few")
    manifest = json.loads((tmp_path / "few" / "manifest.json").read_text())
    manifest["out_of_fold"] = {"rows": [3], "probabilities": [[0.123, 0.877]]}
    (tmp_path / "few" / "manifest.json").write_text(json.dumps(manifest))
    campaign = campaign_of("choice")
    put_in_charge(campaign, tmp_path / "few")
    exported(campaign, tmp_path / "m")
    written = (tmp_path / "m" / "manifest.json").read_text()
    assert json.loads(written)["class_names"] == manifest["class_names"]
    assert "0.123" not in written


# --- Linear models ---


def test_a_model_of_counted_words_is_exported_with_what_computes_it(tmp_path, monkeypatch):
    examples = examples_of("choice")
    campaign = campaign_of("choice")
    fitted = fit_tfidf(examples, output_dir=tmp_path / "fitted", seed=0)
    put_in_charge(campaign, fitted.path)
    card = exported(campaign, tmp_path / "m")
    assert "Transformers cannot load this model" in card
    assert "library_name" not in card
    found = example_of(card, tmp_path / "m", monkeypatch)["probabilities"](examples.texts[:5])
    assert found == pytest.approx(predict_tfidf(fitted.path, examples.texts[:5]), abs=1e-6)


@pytest.mark.parametrize("fit", [fit_embedding, fit_combined])
def test_a_model_on_a_frozen_encoder_is_exported_and_names_it(fit, served_base, tmp_path, monkeypatch):
    examples = examples_of("pairs")
    campaign = campaign_of("pairs")
    TrainingPolicy.objects.create(campaign=campaign, base_model=str(served_base))
    vectors = np.hstack([embed(served_base, examples.texts), embed(served_base, examples.seconds)])
    fitted = fit(
        examples,
        vectors,
        output_dir=tmp_path / "fitted",
        seed=0,
        base_model_sha256=weights_sha256(served_base),
    )
    put_in_charge(campaign, fitted.path)
    card = exported(campaign, tmp_path / "m")
    assert weights_sha256(served_base) in card
    example = example_of(card, tmp_path / "m", monkeypatch, base=served_base)
    found = example["probabilities"](examples.texts[:5], examples.seconds[:5])
    expected = (
        predict_embedding(fitted.path, vectors[:5])
        if fit is fit_embedding
        else predict_combined(fitted.path, examples.texts[:5], vectors[:5], examples.seconds[:5])
    )
    assert found == pytest.approx(expected, abs=1e-3)


# --- What is refused ---


def test_export_says_what_is_missing_and_leaves_nothing_behind(served, tmp_path):
    campaign = campaign_of("choice")
    with pytest.raises(CommandError, match="no model in charge"):
        exported(campaign, tmp_path / "m")
    version = put_in_charge(campaign, served("choice"))
    with pytest.raises(CommandError, match="no model v7"):
        exported(campaign, tmp_path / "m", version=7)
    with pytest.raises(CommandError, match="out_exists"):
        exported(campaign, tmp_path)
    with pytest.raises(CommandError, match="a code of two or three letters"):
        exported(campaign, tmp_path / "m", language="en: x")
    version.sha256 = "0" * 64
    version.save()
    with pytest.raises(CommandError, match="model_changed"):
        exported(campaign, tmp_path / "m")
    version.path = "/nowhere"
    version.save()
    with pytest.raises(CommandError, match="model_missing"):
        exported(campaign, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
