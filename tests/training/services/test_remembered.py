"""What an encoder has read it need not read again; a file that is no such thing is as good as none."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.services.remembered import NAME, recall, remember


def packed(numbers) -> np.ndarray:
    return np.array([int(n).to_bytes(16, "big") for n in numbers], dtype="V16")


@settings(max_examples=50)
@given(kept=st.sets(st.integers(0, 300)), asked=st.sets(st.integers(0, 300)), k=st.integers(1, 4))
def test_of_the_tasks_asked_for_those_kept_come_back_with_what_was_said_of_them(
    tmp_path_factory, kept, asked, k
):
    folder = tmp_path_factory.mktemp("model")
    kept, asked = sorted(kept, reverse=True), sorted(asked)
    said = np.random.default_rng(0).random((len(kept), k), dtype=np.float32)
    remember(folder, packed(n * 256 for n in kept), said)  # ids that end in a zero byte among them
    known, found = recall(folder, packed(n * 256 for n in asked), k)
    assert known.tolist() == [n in kept for n in asked]
    for row in np.flatnonzero(known):
        assert (found[row] == said[kept.index(asked[row])]).all()


def test_a_damaged_file_and_one_of_other_classes_are_as_good_as_none(tmp_path):
    ids = packed([1, 2])
    for content in (b"", b"no array", np.zeros(3).tobytes()):
        (tmp_path / NAME).write_bytes(content)
        assert not recall(tmp_path, ids, 2)[0].any()
    remember(tmp_path, ids, np.ones((2, 3), dtype=np.float32))
    assert not recall(tmp_path, ids, 2)[0].any()
    assert recall(tmp_path, ids, 3)[0].all()
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[:-5])
    assert not recall(tmp_path, ids, 3)[0].any()
    assert [path.name for path in tmp_path.iterdir()] == [NAME], "nothing half written stays"
