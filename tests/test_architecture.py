"""The layout's promises: who imports whom, and what the web process never loads."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALGORITHMS = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for app in ("annotation", "training")
    for path in (ROOT / app / "algorithms").glob("[!_]*.py")
)


LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def python(code: str, tree: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    surroundings = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tree,
        env=surroundings | {"PYTHONPATH": str(tree)} | environment,
        capture_output=True,
        text=True,
    )


def test_the_import_rules_of_pyproject_hold():
    done = python(LINT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_import_rules_notice_a_service_that_knows_http(tmp_path):
    """The check above can fail."""
    for app in ("hc_platform", "annotation", "training"):
        shutil.copytree(ROOT / app, tmp_path / app, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with open(tmp_path / "annotation" / "services" / "answers.py", "a", encoding="utf-8") as module:
        module.write("\nimport rest_framework\n")
    done = python(LINT, tmp_path)
    assert done.returncode == 1
    assert "annotation.services.answers -> rest_framework" in done.stdout


@pytest.mark.parametrize("loads", ["hc_platform.urls", "hc_platform.wsgi", "hc_platform.celery"])
def test_loading_the_web_process_does_not_load_torch(loads):
    code = f"""
import sys, django
django.setup()
import {loads}
print(sorted({{"torch", "transformers", "sklearn", "pandas"}} & set(sys.modules)))
"""
    done = python(code, DJANGO_SETTINGS_MODULE="hc_platform.settings")
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_there_are_algorithms_in_both_apps():
    assert {module.split(".")[0] for module in ALGORITHMS} == {"annotation", "training"}


def test_algorithms_load_without_django_and_everything_that_comes_with_it():
    """One process for all of them: what one loads would be seen at the end."""
    heavy = {"django", "rest_framework", "celery", "torch", "transformers", "psycopg2"}
    imports = "\n".join(f"import {module}" for module in ALGORITHMS)
    done = python(f"import sys\n{imports}\nprint(sorted({heavy} & set(sys.modules)))")
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_shares_are_written_in_one_way():
    """By annotation.shares, in sentences as on pages; Python's own per cent has no space."""
    found = [
        f"{path.relative_to(ROOT)}: {written}"
        for app in ("hc_platform", "annotation", "training")
        for path in (ROOT / app).rglob("*.py")
        for written in re.findall(r"\{[^{}]*:\.\d%\}", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_no_file_holds_both_sides_of_a_conflict():
    tracked = subprocess.run(["git", "grep", "-lE", "^(<<<<<<<|>>>>>>>) "], cwd=ROOT, capture_output=True)
    assert (tracked.returncode, tracked.stdout) == (1, b""), tracked.stderr


def test_nothing_is_unpickled_and_no_remote_code_is_trusted():
    wrong = ("import pickle", "from pickle", "import joblib", "torch.load(", "trust_remote_code=True")
    found = [
        f"{path.relative_to(ROOT)}: {words}"
        for app in ("hc_platform", "annotation", "training")
        for path in (ROOT / app).rglob("*.py")
        for words in wrong
        if words in path.read_text(encoding="utf-8")
    ]
    assert found == []
