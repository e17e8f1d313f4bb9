"""What a base model is called and under which licence it came, as far as its own folder says."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from training.model_folders import weights_sha256

UNKNOWN = "unknown: ask whoever runs the site"
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
LICENCE_LINE = re.compile(r"^licen[sc]e:\s*[\"']?([\w .+-]{1,60}?)[\"']?\s*$", re.MULTILINE | re.IGNORECASE)
TITLE = re.compile(r"^#\s+([^\n#`<>]{1,80}?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BaseOrigin:
    name: str
    licence: str
    sha256: str  # of the weights that a model started from
    is_adapted: bool = False  # these weights had read the campaign's texts


def base_origin(folder: str | None, sha256: str) -> BaseOrigin:
    """Nothing is said of a folder that holds another model by now, or is gone; its place is never told."""
    path = Path(folder or "")
    if not folder or not (path / "config.json").is_file() or weights_sha256(path) != sha256:
        return BaseOrigin("unknown", UNKNOWN, sha256)
    if known := _noted(path):
        return BaseOrigin(known["name"], known["licence"], sha256, is_adapted=True)
    return BaseOrigin(_name_of(path), _licence_of(path), sha256)


def _noted(folder: Path) -> dict[str, str] | None:
    """What an encoder that has read a campaign's texts was before, as it was noted then."""
    manifest = folder / "manifest.json"
    return json.loads(manifest.read_text(encoding="utf-8")).get("base_origin") if manifest.is_file() else None


def _name_of(folder: Path) -> str:
    """As the site offers it, else as its own README is headed, else as its folder is called."""
    offered = settings.BASE_MODELS_DIR
    if offered is not None and folder.resolve().is_relative_to(offered.resolve()):
        return folder.resolve().relative_to(offered.resolve()).as_posix()
    title = TITLE.search(FRONT_MATTER.sub("", _start_of(folder / "README.md")))
    return title[1] if title else folder.name


def _licence_of(folder: Path) -> str:
    """From the head of README.md, else config.json, else the first line of the file LICENSE."""
    head = FRONT_MATTER.search(_start_of(folder / "README.md"))
    if head and (named := LICENCE_LINE.search(head[1])):
        return named[1]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if isinstance(config.get("license"), str):
        return " ".join(config["license"].split())[:60]
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE"):
        lines = [line.strip(" #\t") for line in _start_of(folder / name).splitlines() if line.strip(" #\t")]
        if lines:
            return " ".join(lines[0].split())[:60]
    return UNKNOWN


def _start_of(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(20_000)
