import pytest

from training.algorithms.examples import Span
from training.algorithms.marking import CONTEXT, mark_pair

TEXT = "🤒 After aspirin the 皮疹 went away."
ASPIRIN = Span(TEXT.index("aspirin"), TEXT.index("aspirin") + 7, "drug")
RASH = Span(TEXT.index("皮疹"), TEXT.index("皮疹") + 2, "effect")


def test_both_spans_are_marked_in_the_order_of_the_text_and_head_and_tail_differ():
    marked = "🤒 After @ * drug * aspirin @ the # ^ effect ^ 皮疹 # went away."
    assert mark_pair(TEXT, ASPIRIN, RASH) == marked
    assert (
        mark_pair(TEXT, RASH, ASPIRIN) == "🤒 After # ^ drug ^ aspirin # the @ * effect * 皮疹 @ went away."
    )


@pytest.mark.parametrize(
    ("head", "tail", "marked"),
    [
        (Span(0, 6, "a"), Span(3, 6, "b"), "@ * a * no # ^ b ^ yes # @."),
        (Span(3, 6, "a"), Span(0, 6, "b"), "# ^ b ^ no @ * a * yes @ #."),
        (Span(0, 3, "a"), Span(3, 6, "b"), "@ * a * no  @# ^ b ^ yes #."),
    ],
)
def test_spans_may_be_nested_or_touch(head, tail, marked):
    assert mark_pair("no yes.", head, tail) == marked


def test_what_is_far_from_the_pair_is_left_out():
    far = "word " * 100
    shift = len(far)
    head, tail = (Span(span.start + shift, span.end + shift, span.label) for span in (ASPIRIN, RASH))
    marked = mark_pair(far + TEXT + far, head, tail)
    near = "word " * (CONTEXT // 5)
    assert mark_pair(TEXT, ASPIRIN, RASH) in marked
    assert len(marked) < len(mark_pair(TEXT, ASPIRIN, RASH)) + 2 * CONTEXT
    assert near[: CONTEXT // 2] in marked.split("@")[0] and near[: CONTEXT // 2] in marked.split("#")[-1]


def test_nothing_of_a_short_text_is_lost():
    marked = mark_pair(TEXT, ASPIRIN, Span(0, len(TEXT), "note"))
    for sign in ("@ * drug * ", " @", "# ^ note ^ ", " #"):
        assert marked.count(sign) == 1
        marked = marked.replace(sign, "")
    assert marked == TEXT
