import numpy as np
import pytest

from training.algorithms.outcomes import outcomes_of_classes
from training.algorithms.slices import slice_report, slices_of


def sizes(found):
    return {name: int(rows.sum()) for name, rows in found.items()}


def test_ages_are_cut_into_bands_of_twenty_years_whether_they_are_numbers_or_text():
    metadata = [{"age": "7"}] * 20 + [{"Age": 1}] * 20 + [{"age": 45.5}] * 25 + [{"age": "59"}] * 5
    assert sizes(slices_of(metadata)) == {"age = 00–19": 20, "age = 40–59": 30}


def test_other_numbers_of_many_values_are_cut_at_their_quartiles():
    found = slices_of([{"length_of_stay": n} for n in range(101)])
    assert sizes(found) == {
        "length_of_stay = 0 to 25": 25,
        "length_of_stay = 25 to 50": 25,
        "length_of_stay = 50 to 75": 25,
        "length_of_stay = 75 to 100": 26,
    }


def test_small_groups_identifiers_free_text_and_what_is_no_value_make_no_slices():
    metadata = [
        {"site": "north" if n < 60 else "south", "note": f"seen {n}", "sex": "F" if n < 5 else "M",
         "codes": [1, 2], "ward": None}
        for n in range(120)
    ]  # fmt: skip
    assert sizes(slices_of(metadata)) == {"site = north": 60, "site = south": 60}


def test_of_too_many_groups_those_of_the_columns_with_the_fewest_stay():
    metadata = [{"ward": f"w{n % 10}", "shift": f"s{n % 4}", "sex": "FM"[n % 2]} for n in range(400)]
    columns = [name.split(" = ")[0] for name in slices_of(metadata, most_groups=7)]
    assert columns == ["sex"] * 2 + ["shift"] * 4


def test_a_column_that_holds_an_equals_sign_and_an_empty_file_do_no_harm():
    assert slices_of([]) == {}
    found = slices_of([{"a = b": "x = y"}] * 20 + [{"a = b": "z"}] * 20)
    outcomes = outcomes_of_classes(np.zeros(40, int), np.zeros(40, int), 2)
    assert [group["name"] for group in slice_report(found, outcomes)[0]["groups"]] == ["x = y", "z"]


def test_the_report_names_the_smallest_group_and_the_largest_gap():
    metadata = [{"sex": "F"}] * 30 + [{"sex": "M"}] * 20 + [{"sex": ""}] * 10
    y_true = np.zeros(60, dtype=int)
    y_predicted = np.array([0] * 24 + [1] * 6 + [0] * 10 + [1] * 10 + [1] * 10)
    report = slice_report(slices_of(metadata), outcomes_of_classes(y_true, y_predicted, 2))
    assert report == [
        {
            "column": "sex",
            "groups": [
                {"name": "F", "n": 30, "score": pytest.approx(0.8)},
                {"name": "M", "n": 20, "score": pytest.approx(0.5)},
            ],
            "smallest": "M",
            "largest_gap": pytest.approx(0.3),
        }
    ]
