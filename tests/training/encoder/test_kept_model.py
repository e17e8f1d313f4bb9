"""A process that scores again and again loads its model once, and never another one's in its place."""

import os

from training.encoder.kept_model import kept, let_go


def folder_with(path, content: bytes):
    path.mkdir(exist_ok=True)
    (path / "model.safetensors").write_bytes(content)
    return path


def test_a_model_is_loaded_once_while_the_same_one_is_asked_for(tmp_path):
    loads = []

    def load(folder, precision):
        loads.append((folder.name, precision))
        return object()

    let_go()
    one, other = folder_with(tmp_path / "one", b"1"), folder_with(tmp_path / "other", b"1")
    first = kept(load, one, "fp32")
    assert kept(load, one, "fp32") is first
    assert kept(load, one, "bf16") is not first
    kept(load, other, "bf16")
    kept(load, one, "bf16")
    assert loads == [("one", "fp32"), ("one", "bf16"), ("other", "bf16"), ("one", "bf16")], "one is kept"

    os.utime(folder_with(one, b"2") / "model.safetensors", ns=(1, 1))
    kept(load, one, "bf16")
    assert len(loads) == 5, "the files are others now"
