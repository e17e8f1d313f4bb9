"""An example in a docstring is a promise that a reader can check by hand: it holds."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for app in ("annotation", "hc_platform", "training")
    for path in sorted((ROOT / app).rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_of_a_module_hold(name):
    tried = doctest.testmod(importlib.import_module(name))
    assert tried.attempted and not tried.failed
