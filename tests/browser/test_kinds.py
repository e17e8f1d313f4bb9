"""Every kind of task, answered by keyboard and by touch, at the width of a desk and of a phone."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotation.kinds import KINDS
from annotation.models import Answer, Campaign, MicroTask
from tests.browser.browsing import DESK, PHONE
from tests.factories import SIDES, make_campaign, make_pair, make_text, make_volunteer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "Given aspirin 😀 daily. A severe chest pain came."
DEVICES = [pytest.param(DESK, id="1366"), pytest.param(PHONE, id="390")]


def labels(*names: str, role: str = "") -> list[dict]:
    more = {"role": role} if role else {}
    return [{"key": name.lower(), "name": name, "hint": "", **more} for name in names]


SYMPTOMS = labels("Drug", "Symptom", "Body")
CAUSES = labels("Drug", "Symptom", role="span") + labels("causes", "treats", role="relation")
SCALE = labels("None", "Mild", "Severe")


@pytest.fixture
def start(open_page, bob):
    """`start(kind, labels, texts)`: bob's labelling page of a new campaign, with the first text on it."""

    def start(
        kind: str, labels: list[dict], texts: list[str] = (TEXT,), device: dict = DESK, **fields
    ) -> Page:
        campaign = make_campaign(
            kind=kind, labels=labels, needed=1, joining=Campaign.Joining.ANYONE, **fields
        )
        make_volunteer(campaign, bob)
        for text in texts:
            make_pair(campaign, *text) if isinstance(text, tuple) else make_text(campaign, text)
        MicroTask.objects.filter(record__text=texts[0]).update(priority=2)
        page = open_page(bob, device)
        page.goto(reverse("campaign_label", args=[campaign.pk]))
        expect(page.locator("#text")).not_to_be_empty()
        return page

    return start


def value() -> dict:
    return Answer.objects.get().value


def is_saved(page: Page) -> None:
    expect(page.locator("#save-state")).to_have_text("✓ saved")


def is_read(page: Page) -> None:
    """Done within 300 ms of a new text is taken for the second half of a double press."""
    page.wait_for_timeout(350)


def marked(text: str, *marks: tuple[str, str]) -> list[dict]:
    """What an answer has for these words, counted as Python counts: in code points."""
    return [
        {"start": text.index(words), "end": text.index(words) + len(words), "label": label}
        for words, label in marks
    ]


WORDS_BOX = """words => {
  const node = document.getElementById("text").firstChild, at = node.textContent.indexOf(words);
  const range = document.createRange();
  range.setStart(node, at);
  range.setEnd(node, at + words.length);
  range.startContainer.parentElement.scrollIntoView({block: "nearest"});
  const boxes = [...range.getClientRects()], first = boxes[0], last = boxes.at(-1);
  return [first.left + 2, (first.top + first.bottom) / 2, last.right - 2, (last.top + last.bottom) / 2];
}"""


def drag(page: Page, words: str) -> None:
    left, top, right, bottom = page.evaluate(WORDS_BOX, words)
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(right, bottom, steps=3)
    page.mouse.up()


def tap(page: Page, words: str) -> None:
    left, top, *_ = page.evaluate(WORDS_BOX, words)
    page.touchscreen.tap(left + 3, top)


def marks_of(page: Page) -> list[str]:
    return page.locator("#mark-list .mark-chip").all_inner_texts()


# ---- Spans


def test_spans_are_marked_wholly_by_keyboard(start):
    page = start("spans", SYMPTOMS)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("1")  # aspirin
    for _ in range(5):  # 😀, daily, the full stop, A, severe
        page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")  # one too many
    page.keyboard.press("2")
    expect(page.locator("#mark-count")).to_have_text("2 marked")
    page.keyboard.press("Enter")
    is_saved(page)
    assert value() == {"spans": marked(TEXT, ("aspirin", "drug"), ("severe chest pain", "symptom"))}


def test_spans_are_marked_by_dragging_and_may_be_nested(start):
    page = start("spans", SYMPTOMS)
    drag(page, "evere chest pai")  # whole words are taken
    page.get_by_role("button", name="Symptom", exact=True).click()
    drag(page, "chest")
    page.keyboard.press("3")
    drag(page, "pain came")
    page.keyboard.press("2")
    page.get_by_role("button", name="Done").click()
    is_saved(page)
    expected = [("severe chest pain", "symptom"), ("chest", "body"), ("pain came", "symptom")]
    assert value() == {"spans": marked(TEXT, *expected)}


def test_spans_are_marked_by_tapping_the_first_and_the_last_word(start):
    page = start("spans", SYMPTOMS, device=PHONE)
    tap(page, "severe")
    tap(page, "pain")
    page.get_by_role("button", name="Symptom", exact=True).tap()
    tap(page, "aspirin")
    page.get_by_role("button", name="Drug", exact=True).tap()
    expect(page.locator("#mark-count")).to_have_text("2 marked")
    tap(page, "chest")  # is marked already: chooses that mark
    page.get_by_role("button", name="Body", exact=True).tap()
    page.get_by_role("button", name="Done").tap()
    is_saved(page)
    assert value() == {"spans": marked(TEXT, ("aspirin", "drug"), ("severe chest pain", "body"))}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("👩🏽‍⚕️ gave 阿司匹林 100 mg.", "阿司匹林"),
        ("患者因胸痛三天入院，给予阿司匹林。", "胸痛三天"),
        ("Caf\u0065\u0301 \U0001d51e, then r\u0061\u0308sh.", "r\u0061\u0308sh"),
        ("One line.\r\nA rash 😀 on two.\r\n", "rash 😀 on"),
        ("Dose 2.5 mg, patient's own.", "2.5"),
        ("ألم شديد في الصدر 😀 اليوم", "الصدر"),
    ],
)
def test_offsets_are_code_points_whatever_the_writing(start, text, words):
    page = start("spans", SYMPTOMS, [text])
    drag(page, words) if "ألم" not in text else choose_by_key(page, text, words)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    is_saved(page)
    assert value() == {"spans": marked(text, (words, "symptom"))}


def choose_by_key(page: Page, text: str, words: str) -> None:
    """In a text from right to left, the left arrow goes on."""
    for _ in text[: text.index(words)].split():
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")


def test_one_function_turns_offsets_both_ways_as_python_counts_them(start):
    page = start("spans", SYMPTOMS)
    for text in ["", "plain", "😀", "a😀b", "e\u0301\r\n漢字𝔞👩🏽‍⚕️z"]:
        units = [len(text[:n].encode("utf-16-le")) // 2 for n in range(len(text) + 1)]
        turned = page.evaluate(
            """async ([text, units]) => {
                const { offsetsOf } = await import("/static/js/code-points.js");
                const offsets = offsetsOf(text);
                return [units.map((_, n) => offsets.units(n)), units.map((unit) => offsets.points(unit))];
            }""",
            [text, units],
        )
        assert turned == [units, list(range(len(text) + 1))]


def test_a_long_text_is_ready_at_once(start):
    text = "Given aspirin 😀 100 mg daily, 患者因胸痛. " * 2500
    page = start("spans", SYMPTOMS, [text])
    seconds = page.evaluate(
        """async (text) => {
            const { unitsOf } = await import("/static/js/marking/units.js"), started = performance.now();
            unitsOf(text);
            return (performance.now() - started) / 1000;
        }""",
        text,
    )
    assert seconds < 5, "the time must grow with the text, not with its square"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    is_saved(page)
    assert value() == {"spans": marked(text, ("aspirin", "drug"))}


def test_characters_are_chosen_one_by_one_with_control(start):
    page = start("spans", SYMPTOMS, ["Gave 120mg daily."])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    for _ in range(4):
        page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Control+Shift+ArrowRight")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    is_saved(page)
    assert value() == {"spans": marked("Gave 120mg daily.", ("mg", "drug"))}


def test_tab_walks_the_marks_a_number_relabels_and_delete_removes(start):
    page = start("spans", SYMPTOMS)
    for words in ("aspirin", "severe", "came"):
        drag(page, words)
        page.keyboard.press("1")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="aspirin Drug", exact=True)).to_be_focused()
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="aspirin Symptom", exact=True)).to_be_focused()
    page.keyboard.press("Tab")  # the button that removes it
    page.keyboard.press("Tab")
    page.keyboard.press("Delete")
    expect(page.locator("#mark-count")).to_have_text("2 marked")
    expect(page.get_by_role("button", name="came Drug", exact=True)).to_be_focused()
    page.get_by_role("button", name="Done").click()
    is_saved(page)
    assert value() == {"spans": marked(TEXT, ("aspirin", "symptom"), ("came", "drug"))}


def test_nothing_to_mark_is_an_answer(start):
    page = start("spans", SYMPTOMS)
    is_read(page)
    page.get_by_role("button", name="Nothing to mark").click()
    is_saved(page)
    assert value() == {"spans": []}


def test_a_label_without_words_says_what_is_missing(start):
    page = start("spans", SYMPTOMS)
    page.keyboard.press("1")
    expect(page.locator("#notices")).to_contain_text("First choose words in the text")
    assert marks_of(page) == []


def test_marks_survive_a_reload_and_nothing_of_the_text_is_kept(start):
    page = start("spans", SYMPTOMS)
    drag(page, "severe chest pain")
    page.keyboard.press("2")
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert "start" in kept
    assert not any(word in kept for word in ("severe", "chest", "pain"))
    page.reload()
    expect(page.locator("#mark-count")).to_have_text("1 marked")
    page.keyboard.press("Enter")
    is_saved(page)
    assert value() == {"spans": marked(TEXT, ("severe chest pain", "symptom"))}
    assert "hc.draft." not in page.evaluate("JSON.stringify(localStorage)")


def test_a_mark_moves_no_letter_of_the_text(start):
    page = start("spans", SYMPTOMS)
    place = "JSON.stringify(document.getElementById('text').getBoundingClientRect())"
    before = page.evaluate(place)
    for words, key in (("severe chest pain", "2"), ("chest", "3"), ("aspirin", "1")):
        drag(page, words)
        page.keyboard.press(key)
    expect(page.locator("#mark-count")).to_have_text("3 marked")
    assert page.evaluate(place) == before


def test_overlapping_marks_have_a_line_and_a_name_each(start):
    page = start("spans", SYMPTOMS)
    for words, key in (("severe chest", "1"), ("chest pain", "2"), ("severe chest pain came", "3")):
        drag(page, words)
        page.keyboard.press(key)
    expect(page.locator("#marks .mark-name")).to_have_count(3)
    assert (
        page.evaluate("""() => {
      const names = [...document.querySelectorAll("#marks .mark-name")].map((e) => e.getBoundingClientRect());
      const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
      return names.some((a, i) => names.some((b, j) => i !== j && meet(a, b)));
    }""")
        is False
    )
    styles = page.evaluate(
        "[...document.querySelectorAll('.mark-line')].map((line) => getComputedStyle(line).borderTopStyle)"
    )
    assert sorted(set(styles)) == ["dashed", "double", "solid"]


def test_marks_are_shown_again_and_changed_by_undo(start):
    page = start("spans", SYMPTOMS, [TEXT, "Another one."])
    drag(page, "aspirin")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_text("Another one.")
    page.keyboard.press("h")
    expect(page.get_by_role("dialog", name="What I did").get_by_role("listitem")).to_contain_text(
        "aspirin: Drug"
    )
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    expect(page.locator("#notices")).to_contain_text(
        "You answered “1 mark”. Change the marks and press Done."
    )
    assert marks_of(page) == ["aspirin\nDrug"]
    page.keyboard.press("Tab")
    page.keyboard.press("3")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#text")).to_have_text("Another one.")
    is_saved(page)
    assert value() == {"spans": marked(TEXT, ("aspirin", "body"))}
    assert Answer.objects.get().n_revisions == 1


# ---- Relations


def test_two_marks_are_related_by_keyboard(start):
    page = start("relations", CAUSES)
    for words, key in (("aspirin", "1"), ("severe chest pain", "2")):
        drag(page, words)
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    for key in ("r", "1", "2", "1"):
        page.keyboard.press(key)
    expect(page.locator("#relation-list")).to_contain_text("aspirin —causes→ severe chest pain")
    page.keyboard.press("Enter")
    is_saved(page)
    assert value() == {
        "spans": marked(TEXT, ("aspirin", "drug"), ("severe chest pain", "symptom")),
        "relations": [{"from": 0, "to": 1, "label": "causes"}],
    }


def test_two_marks_are_related_by_touch_and_show_where_they_are(start):
    page = start("relations", CAUSES, device=PHONE)
    tap(page, "aspirin")
    page.get_by_role("button", name="Drug", exact=True).tap()
    tap(page, "severe")
    tap(page, "pain")
    page.get_by_role("button", name="Symptom", exact=True).tap()
    page.get_by_role("button", name="Relate").tap()
    expect(page.locator("#prompt")).to_have_text("And which mark does it lead to? severe chest pain → …")
    tap(page, "aspirin")
    page.get_by_role("button", name="treats", exact=True).tap()
    relation = page.locator("#relation-list .relation-chip")
    expect(relation).to_have_text("severe chest pain —treats→ aspirin")
    expect(page.locator("#marks .shaft")).to_have_count(1)
    relation.focus()
    expect(page.locator("#marks .link.linked")).to_have_count(1)
    expect(page.locator("#marks .mark-ground.linked")).not_to_have_count(0)
    page.get_by_role("button", name="Done").tap()
    is_saved(page)
    assert value()["relations"] == [{"from": 1, "to": 0, "label": "treats"}]


def test_a_mark_that_goes_takes_its_relations_with_it(start):
    page = start("relations", CAUSES)
    for words, key in (("aspirin", "1"), ("severe chest pain", "2")):
        drag(page, words)
        page.keyboard.press(key)
    for key in ("Escape", "r", "1", "2", "1"):
        page.keyboard.press(key)
    page.reload()
    expect(page.locator("#relation-list")).to_contain_text("aspirin —causes→ severe chest pain")
    page.get_by_role("button", name="Remove the mark aspirin: Drug").click()
    expect(page.locator("#relation-list li")).to_have_count(0)
    expect(page.locator("#marks .shaft")).to_have_count(0)
    page.get_by_role("button", name="Done").click()
    is_saved(page)
    assert value() == {"spans": marked(TEXT, ("severe chest pain", "symptom")), "relations": []}


# ---- Sets of labels, scales, pairs, own words


def test_several_labels_are_switched_by_number_and_sent_by_enter(start):
    page = start("multiple", SYMPTOMS)
    for key in ("3", "1", "2", "2"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    is_saved(page)
    assert value() == {"labels": ["drug", "body"]}


def test_several_labels_are_switched_by_touch_and_none_is_an_answer(start):
    page = start("multiple", SYMPTOMS, [TEXT, "Another one."], PHONE)
    page.locator("label.answer", has_text="Symptom").tap()
    page.reload()
    expect(page.get_by_role("checkbox", name="Symptom")).to_be_checked()
    page.get_by_role("button", name="Done").tap()
    expect(page.locator("#text")).to_have_text("Another one.")
    is_read(page)
    page.get_by_role("button", name="None of these").tap()
    expect(page.get_by_role("heading", name="Nothing left for you here")).to_be_visible()
    given = Answer.objects.order_by("answered_at").values_list("value", flat=True)
    assert list(given) == [{"labels": ["symptom"]}, {"labels": []}]


@pytest.mark.parametrize("device", DEVICES)
def test_a_step_of_a_scale_is_one_press_and_the_steps_stand_in_a_row(start, device):
    page = start("ordinal", SCALE, device=device)
    tops = {
        round(page.get_by_role("button", name=name, exact=True).bounding_box()["y"])
        for name in ("None", "Mild", "Severe")
    }
    assert len(tops) == 1
    page.get_by_role("button", name="Severe", exact=True).click()
    is_saved(page)
    assert value() == {"label": "severe"}


@pytest.mark.parametrize(
    ("key", "side"), [("1", "first"), ("ArrowRight", "second"), ("ArrowLeft", "first"), ("3", "tie")]
)
def test_one_of_two_texts_is_chosen_by_number_or_arrow(start, key, side):
    page = start("pairs", SIDES, [("A rash 😀.", "No rash.")])
    expect(page.locator("#text")).to_have_text("A rash 😀.")
    expect(page.locator("#second")).to_have_text("No rash.")
    left, right = page.locator("#text").bounding_box(), page.locator("#second").bounding_box()
    assert left["x"] + left["width"] <= right["x"]
    page.keyboard.press(key)
    is_saved(page)
    assert value() == {"label": side}


def test_two_texts_stand_below_each_other_on_a_phone(start):
    page = start("pairs", SIDES, [("A rash.", "No rash.")], PHONE)
    upper, lower = page.locator("#text").bounding_box(), page.locator("#second").bounding_box()
    assert upper["y"] + upper["height"] <= lower["y"]
    page.get_by_role("button", name="Both alike").tap()
    is_saved(page)
    assert value() == {"label": "tie"}


def test_own_words_are_sent_by_control_and_enter(start):
    page = start("text", [])
    page.keyboard.type("aspirin hurt her stomach; skip")  # S and U are letters here
    page.keyboard.press("Control+Enter")
    is_saved(page)
    assert value() == {"text": "aspirin hurt her stomach; skip"}


def test_own_words_are_counted_in_characters_kept_over_a_reload_and_sent_by_touch(start):
    page = start("text", [], device=PHONE)
    is_read(page)
    field = page.get_by_role("textbox", name="Your answer")
    page.get_by_role("button", name="Done").tap()
    expect(field).to_be_focused()  # nothing to send yet
    field.fill("😀" * 1001)
    expect(page.locator("#own-words-count")).to_have_text("1 too many")
    page.get_by_role("button", name="Done").tap()
    field.fill("😀" * 1000)
    page.reload()
    expect(field).to_have_value("😀" * 1000)
    page.get_by_role("button", name="Done").tap()
    is_saved(page)
    assert value() == {"text": "😀" * 1000}


# ---- Sure or not


def test_one_press_says_nothing_of_being_sure_and_shift_says_not(start):
    page = start("choice", SYMPTOMS, [TEXT, "Another one."], asks_certainty=True)
    page.keyboard.press("Shift+2")
    expect(page.locator("#text")).to_have_text("Another one.")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Nothing left for you here")).to_be_visible()
    given = Answer.objects.order_by("answered_at").values_list("value", "certain")
    assert list(given) == [({"label": "symptom"}, False), ({"label": "drug"}, None)]


def test_not_sure_is_pressed_before_the_answer_holds_for_one_text_and_is_shown_again(start):
    page = start("choice", SYMPTOMS, [TEXT, "Another one."], PHONE, asks_certainty=True)
    page.get_by_role("button", name="Not sure").tap()
    page.get_by_role("button", name="Symptom").tap()
    expect(page.locator("#text")).to_have_text("Another one.")
    expect(page.get_by_role("button", name="Not sure")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Undo").tap()
    expect(page.get_by_role("button", name="Not sure")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Not sure").tap()
    page.get_by_role("button", name="Body").tap()
    expect(page.locator("#text")).to_have_text("Another one.")
    answer = Answer.objects.get()
    assert (answer.value, answer.certain) == ({"label": "body"}, None)


def test_not_sure_stands_beside_done(start):
    page = start("multiple", SYMPTOMS, asks_certainty=True)
    page.keyboard.press("?")
    expect(page.get_by_role("button", name="Not sure")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    is_saved(page)
    answer = Answer.objects.get()
    assert (answer.value, answer.certain) == ({"labels": ["drug"]}, False)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("kind", "given"), [("spans", {}), ("relations", {"relations": []})])
def test_who_marks_says_that_they_are_not_sure_by_key_and_by_touch(start, kind, given, device):
    page = start(kind, CAUSES if kind == "relations" else SYMPTOMS, device=device, asks_certainty=True)
    is_read(page)
    unsure, done = page.get_by_role("button", name="Not sure"), page.locator("#done")
    if device is PHONE:
        unsure.tap()
    else:
        page.keyboard.press("?")
    expect(unsure).to_have_attribute("aria-pressed", "true")
    if device is PHONE:
        done.tap()
    else:
        page.keyboard.press("Enter")
    is_saved(page)
    answer = Answer.objects.get()
    assert (answer.value, answer.certain) == ({"spans": [], **given}, False)


def test_who_is_not_asked_is_not_shown_the_key(start):
    page = start("choice", SYMPTOMS)
    expect(page.get_by_role("button", name="Not sure")).to_have_count(0)
    page.keyboard.press("Shift+1")
    is_saved(page)
    assert Answer.objects.get().certain is None


def test_every_kind_has_its_page(start):
    given = {"pairs": SIDES, "relations": CAUSES, "text": []}
    for kind in KINDS:
        texts = [("One.", "Other.")] if kind == "pairs" else [TEXT]
        Answer.objects.all().delete()
        page = start(kind, given.get(kind, SYMPTOMS), texts)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.close()
