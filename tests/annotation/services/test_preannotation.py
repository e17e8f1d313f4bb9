"""Spans that the model marks beforehand: a draft for nine of ten claims, drawn once, and never an answer."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from annotation.api.labelling import assignment_data
from annotation.errors import Invalid
from annotation.exchange import set_suggestions
from annotation.models import Assignment, Campaign, Gold, Suggestion
from annotation.services.answers import submit_answer
from annotation.services.campaigns import update_campaign
from annotation.services.export import export_lines
from annotation.services.handout import claim_task, expire_leases
from tests.factories import NOW, make_campaign, make_tasks, make_text, make_users, make_volunteers
from tests.preannotated import is_shown, spans_campaign, suggest_everywhere, sure

pytestmark = pytest.mark.django_db
TEXT = "🤒 rash, then fever"
RASH = {"start": 2, "end": 6, "label": "sign"}
FEVER = {"start": 13, "end": 18, "label": "sign"}


def work(campaign, volunteer, n: int = 1000) -> list[dict]:
    """Claim and answer up to n tasks; what the volunteer's page gets of each."""
    shown = []
    while len(shown) < n and (place := claim_task(campaign.pk, volunteer.user, now=NOW)):
        shown.append(assignment_data(place))
        submit_answer(place.assignment_id, volunteer.user, {"spans": []}, key=uuid4(), now=NOW)
    return shown


def arms() -> dict[tuple, bool | None]:
    return {(a.task_id, a.volunteer_id): a.suggested for a in Assignment.objects.all()}


def test_nine_claims_of_ten_show_the_suggestion_and_the_draw_is_fixed_for_the_pair():
    campaign = spans_campaign()
    make_tasks(campaign, 100)
    suggest_everywhere(campaign, RASH)
    volunteers = make_volunteers(campaign, make_users(5))
    with transaction.atomic():
        for volunteer in volunteers:
            work(campaign, volunteer)
        drawn = arms()
        transaction.set_rollback(True)
    assert len(drawn) == 500
    assert 0.84 < sum(drawn.values()) / 500 < 0.96
    assert drawn == {pair: is_shown(*pair) for pair in drawn}
    suggest_everywhere(campaign, FEVER, version=2)
    work(campaign, volunteers[0])
    assert arms() == {pair: suggested for pair, suggested in drawn.items() if pair[1] == volunteers[0].pk}


def test_who_is_shown_a_suggestion_gets_its_spans_and_both_arms_keep_them_with_their_version():
    campaign = spans_campaign()
    for _ in range(60):
        make_text(campaign, TEXT)
    suggest_everywhere(campaign, RASH, FEVER, version=7)
    [volunteer] = make_volunteers(campaign, make_users(1))
    shown = {each["id"]: each for each in work(campaign, volunteer)}
    suggest_everywhere(campaign, FEVER, version=8)
    for place in Assignment.objects.all():
        assert (place.suggestion, place.suggestion_version) == (sure(RASH, FEVER), 7)
        assert place.suggested == is_shown(place.task_id, volunteer.pk)
        assert shown[place.pk]["suggestion"] == ([RASH, FEVER] if place.suggested else [])


def test_a_page_that_is_loaded_again_shows_the_same_although_a_newer_model_has_come():
    campaign = spans_campaign()
    make_tasks(campaign, 1)
    suggest_everywhere(campaign, RASH)
    for volunteer in make_volunteers(campaign, make_users(5)):
        first = assignment_data(claim_task(campaign.pk, volunteer.user, now=NOW))
        suggest_everywhere(campaign, FEVER, version=2)
        again = assignment_data(claim_task(campaign.pk, volunteer.user, now=NOW))
        assert again == first
        suggest_everywhere(campaign, RASH, version=2)


def test_a_text_that_comes_back_to_the_same_volunteer_keeps_its_arm(bob):
    campaign = spans_campaign()
    make_tasks(campaign, 1)
    suggest_everywhere(campaign, RASH)
    make_volunteers(campaign, [bob])
    before = claim_task(campaign.pk, bob, now=NOW)
    later = NOW + 2 * (before.expires_at - NOW)
    expire_leases(now=later)
    suggest_everywhere(campaign, FEVER, version=2)
    after = claim_task(campaign.pk, bob, now=later)
    assert (after.assignment_id, after.suggestion) == (before.assignment_id, before.suggestion)


@pytest.mark.parametrize("stored", [None, []])
def test_without_anything_to_suggest_an_assignment_is_in_no_arm(stored):
    campaign = spans_campaign()
    [task] = make_tasks(campaign, 1)
    if stored is not None:
        set_suggestions(campaign.pk, [(task.pk, stored)], version=1)
    for volunteer in make_volunteers(campaign, make_users(4)):
        assert claim_task(campaign.pk, volunteer.user, now=NOW).suggestion == []
    assert set(arms().values()) == {None}


def test_a_campaign_that_does_not_preannotate_never_looks_for_suggestions():
    campaign = spans_campaign(preannotates=False)
    make_tasks(campaign, 3)
    suggest_everywhere(campaign, RASH)
    [volunteer] = make_volunteers(campaign, make_users(1))
    before = _scans()
    assert [each["suggestion"] for each in work(campaign, volunteer)] == [[], [], []]
    assert set(arms().values()) == {None}
    assert _scans() == before


def _scans() -> tuple:
    """How often the open transaction has read the table of suggestions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'annotation_suggestion'"
        )
        return cursor.fetchone()


def test_one_look_by_the_key_is_all_that_a_claim_costs_where_the_model_preannotates():
    campaign = spans_campaign()
    make_tasks(campaign, 4)
    suggest_everywhere(campaign, RASH)
    [volunteer] = make_volunteers(campaign, make_users(1))
    sequential, by_index = _scans()
    work(campaign, volunteer, 3)
    after = _scans()
    assert after[0] + after[1] - sequential - by_index == 3


def test_hidden_gold_is_not_told_apart_by_what_is_suggested():
    campaign = spans_campaign(hides_gold=True, needed=1)
    for task in make_tasks(campaign, 200)[-80:]:
        Gold.objects.create(task=task, campaign=campaign, value={"spans": [FEVER]})
    suggest_everywhere(campaign, RASH)
    gold, n_gold, forms = set(Gold.objects.values_list("pk", flat=True)), 0, set()
    for volunteer in make_volunteers(campaign, make_users(4)):
        for each in work(campaign, volunteer, 50):
            n_gold += each["task"]["id"] in gold
            forms.add((tuple(sorted(each)), tuple(sorted(each["task"]))))
            assert each["suggestion"] == ([RASH] if is_shown(each["task"]["id"], volunteer.pk) else [])
    assert 30 < n_gold < 150
    assert len(forms) == 1


def test_marks_that_could_not_be_sent_are_not_suggested():
    campaign = spans_campaign()
    outside, unknown = RASH | {"end": 900}, FEVER | {"label": "taken out"}
    for _ in range(8):
        make_text(campaign, TEXT)
    suggest_everywhere(campaign, RASH, outside, unknown)
    [volunteer] = make_volunteers(campaign, make_users(1))
    for each in work(campaign, volunteer):
        assert each["suggestion"] == ([RASH] if is_shown(each["task"]["id"], volunteer.pk) else [])


def test_a_suggestion_is_no_answer_and_changes_neither_consensus_nor_export():
    answers = [[RASH], [RASH], [RASH, FEVER], [], [FEVER]]
    exports = []
    for preannotates in (True, False):
        campaign = spans_campaign(preannotates=preannotates)
        make_text(campaign, TEXT)
        campaign.records.update(external_id="r")
        suggest_everywhere(campaign, FEVER)
        for spans, volunteer in zip(answers, make_volunteers(campaign, make_users(5)), strict=True):
            place = claim_task(campaign.pk, volunteer.user, now=NOW)
            submit_answer(place.assignment_id, volunteer.user, {"spans": spans}, key=uuid4(), now=NOW)
        exports.append(["".join(export_lines(campaign, name)) for name in ("csv", "jsonl")])
    assert exports[0] == exports[1]
    assert '"n_answers":5' in exports[0][1].replace(" ", "")


# --- Through the seam


def test_an_older_models_suggestion_never_overwrites_a_newer_ones_and_an_empty_one_takes_it_back():
    campaign = spans_campaign()
    [task] = make_tasks(campaign, 1)
    assert set_suggestions(campaign.pk, [(task.pk, sure(RASH))], version=3) == 1
    assert set_suggestions(campaign.pk, [(task.pk, sure(FEVER))], version=2) == 0
    kept = Suggestion.objects.get()
    assert (kept.version, kept.spans) == (3, sure(RASH))
    assert set_suggestions(campaign.pk, [(task.pk, [])], version=4) == 1
    kept.refresh_from_db()
    assert (kept.version, kept.spans) == (4, [])


def test_suggestions_of_another_campaigns_tasks_are_left_out_and_a_task_may_come_twice():
    campaign = spans_campaign()
    [task], [other] = make_tasks(campaign, 1), make_tasks(make_campaign(), 1)
    rows = [(task.pk, sure(RASH)), (other.pk, sure(RASH)), (task.pk, sure(RASH))]
    assert set_suggestions(campaign.pk, rows, version=1) == 1
    assert list(Suggestion.objects.values_list("task", flat=True)) == [task.pk]


def test_a_label_key_of_any_characters_survives_the_way():
    campaign = spans_campaign()
    [task] = make_tasks(campaign, 1)
    odd = sure(RASH | {"label": 'tab\t"quote" \\ back 皮疹'})
    set_suggestions(campaign.pk, [(task.pk, odd)], version=1)
    assert Suggestion.objects.get().spans == odd


def test_only_where_spans_are_marked_may_the_model_mark_beforehand():
    campaign = make_campaign()
    with pytest.raises(Invalid) as caught:
        update_campaign(campaign, by=None, preannotates=True)
    assert caught.value.code == "invalid_preannotates"
    with pytest.raises(IntegrityError, match="campaign_preannotates_spans"), transaction.atomic():
        Campaign.objects.update(preannotates=True)
