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
    assert rows.label_list("choice") == [
        {"key": "yes", "name": "Yes", "hint": "it says so"},
        {"key": "no", "name": "No", "hint": ""},
    ]


@pytest.mark.parametrize(("name", "key"), [("Cannot tell", "cannot_tell"), ("不确定", "不确定")])
def test_a_key_left_out_is_made_of_the_name(name, key):
    rows = label_rows(("", name, ""), ("no", "No", ""))
    assert rows.is_valid()
    assert rows.label_list("choice")[0]["key"] == key


def test_labels_of_relations_have_a_role_and_a_free_text_has_no_labels():
    rows = label_rows(("drug", "Drug", ""), ("causes", "causes", ""))
    rows.data |= {"labels-1-role": "relation"}
    assert rows.is_valid()
    assert [label["role"] for label in rows.label_list("relations")] == ["span", "relation"]
    assert "role" not in rows.label_list("spans")[0]
    assert rows.label_list("text") == []


def test_a_hint_without_a_name_says_what_is_missing():
    rows = label_rows(("yes", "Yes", ""), ("no", "No", ""), ("", "", "when in doubt"))
    assert rows.errors[2] == {"name": ["A label needs a name."]}
