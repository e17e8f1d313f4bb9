"""By what weights are told apart: their SHA-256, which is hundreds of megabytes to read."""

import hashlib
import os
from pathlib import Path

import pytest

from training import model_folders
from training.model_folders import weights_sha256

ONE, TWO = b"one" * 1000, b"two" * 1000
AT = 1_700_000_000  # seconds since the epoch: long ago


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(ONE)
    os.utime(path, (AT, AT))
    return path


@pytest.fixture
def long_ago(monkeypatch):
    """Files count as settled at once: nobody can set back when the system saw a file change."""
    monkeypatch.setattr(model_folders, "SETTLED_NANOSECONDS", -1)


def unwanted(*content):
    raise AssertionError("weights were read again")


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(TWO)
    os.utime(other, (AT, AT))
    other.replace(path)


def overwrite(path: Path) -> None:
    path.write_bytes(TWO)
    os.utime(path, (AT + 1, AT + 1))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(TWO)
    os.utime(path, (AT, AT))


def add_shards(path: Path) -> None:
    path.rename(path.with_name("model-00001-of-00002.safetensors"))
    path.with_name("model-00002-of-00002.safetensors").write_bytes(TWO)


def test_weights_that_stay_as_they_are_are_read_once(weights, long_ago, monkeypatch):
    assert weights_sha256(weights.parent) == sha256(ONE)
    monkeypatch.setattr(hashlib, "sha256", unwanted)
    known = weights_sha256(weights.parent)
    monkeypatch.undo()
    assert known == sha256(ONE)


@pytest.mark.parametrize(
    ("change", "content"),
    [(replace, TWO), (overwrite, TWO), (grow, ONE + TWO), (add_shards, ONE + TWO), (Path.unlink, b"")],
)
def test_changed_weights_are_read_anew(weights, long_ago, change, content):
    assert weights_sha256(weights.parent) == sha256(ONE)
    change(weights)
    assert weights_sha256(weights.parent) == sha256(content)


def test_weights_changed_a_moment_ago_are_not_taken_as_known(weights):
    for content in (ONE, TWO, ONE):  # within one tick of the file system's clock, perhaps
        weights.write_bytes(content)
        os.utime(weights, (AT, AT))
        assert weights_sha256(weights.parent) == sha256(content)
