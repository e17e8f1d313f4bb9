"""Models for whoever serves or exports them, each made once."""

import pytest

from tests.tiny_bert import save_tiny_bert


@pytest.fixture(scope="session")
def served_base(tmp_path_factory):
    from tests.served_models import WORDS

    return save_tiny_bert(tmp_path_factory.mktemp("served-base"), WORDS)


@pytest.fixture(scope="session")
def served(served_base, tmp_path_factory):
    """served("choice") is the folder of a small model that answers that kind of question."""
    from tests.served_models import fine_tuned

    made = {}

    def folder(kind: str):
        if kind not in made:
            made[kind] = fine_tuned(kind, served_base, tmp_path_factory.mktemp("served") / kind)
        return made[kind]

    return folder
