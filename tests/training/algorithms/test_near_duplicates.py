import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.algorithms.near_duplicates import SHINGLE, near_duplicate_groups

NOTE = "Patient seen for chest pain that began two days ago; the electrocardiogram was normal, troponin low. "


def jaccard(one, other):
    left, right = ({t[i : i + SHINGLE] for i in range(max(1, len(t) - SHINGLE + 1))} for t in (one, other))
    return len(left & right) / len(left | right)


def test_a_changed_word_in_a_long_text_makes_no_new_group_and_another_text_does():
    groups = near_duplicate_groups([NOTE + "Home.", NOTE + "Ward.", NOTE[::-1], NOTE.upper() + " HOME."])
    assert groups[0] == groups[1] == groups[3] != groups[2]


def test_chinese_texts_are_compared_by_their_characters():
    one = "入选标准:年龄在十八岁至七十五岁之间,性别不限,自愿参加并签署知情同意书,能够按时随访。"
    groups = near_duplicate_groups([one, one[:-1] + "！", "排除标准:妊娠或哺乳期妇女。"])
    assert groups[0] == groups[1] != groups[2]


def test_every_near_pair_among_thousands_is_found_and_no_other():
    rng = np.random.default_rng(0)
    words = [f"w{i:03d}" for i in range(500)]
    texts = [" ".join(rng.choice(words, size=40)) for _ in range(3000)]
    copies = [" ".join([*text.split()[:-2], "end"]) for text in texts[:300]]
    groups = near_duplicate_groups(texts + copies)
    near = np.array([jaccard(text, copy) >= 0.8 for text, copy in zip(texts[:300], copies, strict=True)])
    assert near.sum() > 250
    assert (groups[:300][near] == groups[3000:][near]).all()
    assert len(set(groups[:3000])) == 3000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_texts_have_groups_and_equal_ones_share_theirs(texts):
    groups = near_duplicate_groups(texts + texts)
    assert (groups[: len(texts)] == groups[len(texts) :]).all()
