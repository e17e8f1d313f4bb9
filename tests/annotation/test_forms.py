import pytest

from annotation.forms import LabelFormSet


def label_rows(*rows: tuple[str, str, str]) -> LabelFormSet:
    data = {"labels-TOTAL_FORMS": len(rows), "labels-INITIAL_FORMS": 0}
    for i, row in enumerate(rows):
        data |= {
            f"labels-{i}-{name}": value for name, value in zip(("key", "name", "hint"), row, strict=True)
        }
    return LabelFormSet(data, prefix="labels")


def test_empty_rows_are_left_out_and_the_order_stays():
    rows = label_rows(("yes", "Yes", "it says so"), ("", "", ""), ("no", "No", ""))
    assert rows.is_valid()
    assert rows.label_list() == [
        {"key": "yes", "name": "Yes", "hint": "it says so"},
        {"key": "no", "name": "No", "hint": ""},
    ]


@pytest.mark.parametrize(("name", "key"), [("Cannot tell", "cannot_tell"), ("不确定", "不确定")])
def test_a_key_left_out_is_made_of_the_name(name, key):
    rows = label_rows(("", name, ""), ("no", "No", ""))
    assert rows.is_valid()
    assert rows.label_list()[0]["key"] == key


def test_two_labels_with_one_key_are_refused():
    rows = label_rows(("yes", "Yes", ""), ("yes", "Yes, surely", ""))
    assert rows.non_form_errors() == ["Two labels have the same key."]


def test_one_label_is_not_a_question():
    assert label_rows(("yes", "Yes", "")).non_form_errors() == ["A question needs at least two labels."]


def test_a_hint_without_a_name_says_what_is_missing():
    rows = label_rows(("yes", "Yes", ""), ("no", "No", ""), ("", "", "when in doubt"))
    assert rows.errors[2] == {"name": ["A label needs a name."]}
