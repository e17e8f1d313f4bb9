"""A model of spans orders the queue, and where the campaign lets it, volunteers begin with its marks."""

import pytest

from annotation.api.labelling import assignment_data
from annotation.models import Campaign, Gold, MicroTask, Opinion, Suggestion
from annotation.services.handout import claim_task
from tests.factories import NOW, make_campaign, make_text, make_users, make_volunteers
from tests.made_examples import FILLER, SIGNS, marked, span_examples
from tests.preannotated import is_shown
from tests.tiny_bert import save_tiny_bert, tiny_config_of
from training.algorithms.examples import Span
from training.algorithms.splits import record_places
from training.algorithms.targets import marks_of
from training.algorithms.token_tags import strict_f1
from training.models import ModelVersion, Prediction, TrainingPolicy, TrainingRun
from training.services.priorities import order_queue

pytestmark = pytest.mark.django_db
LABELS = [{"key": "effect", "name": "Effect", "hint": ""}, {"key": "both", "name": "Both", "hint": ""}]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory) -> str:
    from training.encoder import fine_tune  # brings torch

    base = save_tiny_bert(tmp_path_factory.mktemp("base"), [*FILLER, *SIGNS["no"], *SIGNS["yes"]])
    config = tiny_config_of(base, max_epochs=25, patience=25)
    folder = tmp_path_factory.mktemp("tagger") / "model"
    return str(fine_tune(span_examples(*marked(240, seed=0)), config, output_dir=folder).path)


def spans_campaign_of(tagger: str, texts: list[str], **fields) -> tuple[Campaign, ModelVersion]:
    campaign = make_campaign(kind="spans", labels=LABELS, needed=2, **fields)
    TrainingPolicy.objects.create(campaign=campaign, exploration_share=0.0)
    for text in texts:
        make_text(campaign, text)
    run = TrainingRun.objects.create(campaign=campaign, number=4, opened_at=NOW, state="succeeded")
    version = ModelVersion.objects.create(
        campaign=campaign, run=run, number=1, path=tagger, sha256="", label_keys=["effect", "both"]
    )
    return campaign, version


def order(version: ModelVersion) -> int:
    return order_queue(version, number=4, on_progress=lambda share: None)


def test_a_volunteer_begins_with_what_the_model_found(tagger):
    texts, right = marked(30, seed=1)
    campaign, version = spans_campaign_of(tagger, texts, preannotates=True)
    assert order(version) == 30
    stored = {s.task.record.text: s for s in Suggestion.objects.select_related("task__record")}
    assert {s.version for s in stored.values()} == {4}, "signed as the order is"
    assert all(span["probability"] >= 0.5 for s in stored.values() for span in s.spans)
    found = [
        [Span(span["start"], span["end"], span["label"]) for span in stored[text].spans] for text in texts
    ]
    assert strict_f1(found, right) > 0.8
    [volunteer] = make_volunteers(campaign, make_users(1))
    place = assignment_data(claim_task(campaign.pk, volunteer.user, now=NOW))
    spans = [
        {name: span[name] for name in ("start", "end", "label")}
        for span in stored[place["task"]["text"]].spans
    ]
    assert place["suggestion"] == (spans if is_shown(place["task"]["id"], volunteer.pk) else [])


def test_gold_that_is_full_is_marked_too_as_it_goes_out_still(tagger):
    texts, _ = marked(6, seed=2)
    campaign, version = spans_campaign_of(tagger, texts, preannotates=True, hides_gold=True)
    full, held = MicroTask.objects.filter(campaign=campaign)[:2]
    for task in (full, held):
        Gold.objects.create(task=task, campaign=campaign, value={"spans": []})
    MicroTask.objects.filter(pk=full.pk).update(taken=2)
    type(held.record).objects.filter(pk=held.record_id).update(held=True)
    assert order(version) == 4
    assert Suggestion.objects.filter(task=full).exists()
    assert Suggestion.objects.count() == 5


def test_what_judges_models_is_not_marked_by_one(tagger):
    campaign, version = spans_campaign_of(tagger, marked(30, seed=4)[0], preannotates=True)
    full = MicroTask.objects.filter(campaign=campaign).first()
    Gold.objects.create(task=full, campaign=campaign, value={"spans": []})
    MicroTask.objects.filter(pk=full.pk).update(taken=2)
    order(version)
    assert Suggestion.objects.exclude(spans=[]).count() > 20
    TrainingPolicy.objects.update(exploration_share=0.5)
    order(version)
    marked_records = Suggestion.objects.exclude(spans=[]).values_list("task__record", flat=True)
    assert (record_places(marked_records) >= 0.5).all()
    assert len(marked_records) > 5
    TrainingPolicy.objects.update(exploration_share=1.0)
    order(version)
    assert not Suggestion.objects.exclude(spans=[]).exists(), "taken back, gold's as well"


def test_what_a_model_marks_is_kept_of_the_random_stream_alone_while_a_text_is_in_it(tagger):
    texts, right = marked(40, seed=5)
    _, version = spans_campaign_of(tagger, texts)
    records = dict(MicroTask.objects.values_list("record__text", "record"))
    kept = Prediction.objects.filter(model_version=version)
    for share, number in ((0.0, 4), (0.8, 5), (0.4, 6)):
        TrainingPolicy.objects.update(exploration_share=share)
        order_queue(version, number=number, on_progress=lambda done: None)
        of_stream = {record for record in records.values() if record_places([record])[0] < share}
        assert set(kept.values_list("task__record", flat=True)) == of_stream
    assert 0 < len(of_stream) < 32
    said = {one.task.record.text: one.answer for one in kept.select_related("task__record")}
    found = [marks_of(said[text]) for text in texts if text in said]
    assert strict_f1(found, [spans for text, spans in zip(texts, right, strict=True) if text in said]) > 0.8


def test_a_campaign_that_did_not_ask_for_it_gets_an_order_and_no_marks(tagger):
    campaign, version = spans_campaign_of(tagger, marked(6, seed=3)[0])
    assert order(version) == 6
    campaign.refresh_from_db()
    assert campaign.ordered_by_run == 4
    assert not Suggestion.objects.exists()


def test_the_engine_hears_what_a_model_marks_in_texts_that_it_did_not_learn_from(tagger, tmp_path):
    texts, right = marked(30, seed=6)
    campaign, version = spans_campaign_of(tagger, texts, aggregation="engine")
    learned, full = (MicroTask.objects.get(record__text=text) for text in texts[:2])
    Gold.objects.create(task=full, campaign=campaign, value={"spans": []})
    MicroTask.objects.filter(pk=full.pk).update(taken=2)  # it says whether the model is heard
    snapshot = tmp_path / "snapshot.jsonl"
    snapshot.write_text("{}\n" + f'{{"task": "{learned.pk}", "part": "train"}}\n')
    version.run.snapshot_path = str(snapshot)
    order(version)
    said = {one.task.record.text: one.probabilities for one in Opinion.objects.select_related("task__record")}
    assert said.keys() == set(texts[1:])
    assert strict_f1([marks_of(said[text]) for text in texts[1:]], right[1:]) > 0.8
    Opinion.objects.all().delete()
    campaign.preannotates = True
    campaign.save()
    order(version)
    assert not Opinion.objects.exists(), "people begin with its marks: it would be heard twice"
