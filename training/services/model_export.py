"""A model as a folder for others: loadable by path, with a card that says what it is and what it is not."""

import json
import shutil
from pathlib import Path

from annotation.errors import Conflict, Invalid
from annotation.models import Campaign
from training.algorithms.token_tags import TAGS
from training.config import shown_settings
from training.encoder.heads import HEADS
from training.model_folders import appearing_folder, read_manifest, sha256_of_files
from training.models import ModelVersion
from training.services.base_models import folder_of_encoder
from training.services.base_origin import BaseOrigin, base_origin
from training.services.model_card import card_of

COPIED = (".safetensors", ".json", ".txt", ".model")  # nothing that would have to be unpickled
SERVER_PATHS = ("_name_or_path", "name_or_path")  # keys under which transformers keeps where it loaded from


def export_model(version: ModelVersion, target: Path, *, language: str | None) -> BaseOrigin:
    """Write the model's folder to `target`, which appears whole or not at all and must not be there yet."""
    if target.exists():
        raise Invalid("There is something at that place already. Name a new folder.", code="out_exists")
    manifest = read_manifest(version.path)
    base = _base_of(version, manifest)
    with appearing_folder(target) as folder:
        for path in sorted(Path(version.path).rglob("*")):
            if path.suffix in COPIED:
                copy = folder / path.relative_to(version.path)
                copy.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, copy)
        _refuse_changed(folder, version)
        for path in folder.rglob("manifest.json"):  # of relations, each encoder's as well
            _publish(path, version.campaign, base)
        for path in folder.rglob("*config.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            _rewrite(path, {key: value for key, value in content.items() if key not in SERVER_PATHS})
        names = names_of(version.campaign, version.label_keys)
        card = card_of(version, manifest, names, base, language=language)
        (folder / "README.md").write_text(card, encoding="utf-8")
    return base


def names_of(campaign: Campaign, keys: list[str]) -> list[str]:
    """What the campaign calls each label, told apart by their keys where two are called the same."""
    names = [campaign.label_names.get(key) or key for key in keys]
    return [
        name if names.count(name) == 1 else f"{name} ({key})" for name, key in zip(names, keys, strict=True)
    ]


def _base_of(version: ModelVersion, manifest: dict) -> BaseOrigin | None:
    if version.family == ModelVersion.Family.TFIDF:
        return None
    is_encoder = version.family == ModelVersion.Family.ENCODER
    folder = manifest["config"]["base_model_path"] if is_encoder else folder_of_encoder(version)
    return base_origin(folder, manifest["base_model_sha256"])


def _refuse_changed(folder: Path, version: ModelVersion) -> None:
    """What is published is what was judged."""
    weights = sorted(folder.rglob("*.safetensors"))
    if sha256_of_files([*weights, *folder.glob("vocabulary.json")]) != version.sha256:
        raise Conflict("The model's files were changed since it was made.", code="model_changed")


def _publish(path: Path, campaign: Campaign, base: BaseOrigin | None) -> None:
    """Rewrite a manifest without what is this server's own, and name an encoder's outputs."""
    manifest = json.loads(path.read_text(encoding="utf-8"))
    names = names_of(campaign, manifest["class_names"])
    if (path.parent / "config.json").is_file():
        _name_outputs(path.parent / "config.json", manifest, names)
    _rewrite(path, _public(manifest, names, base))


def _public(manifest: dict, names: list[str], base: BaseOrigin | None) -> dict:
    """Without a place on this server, and what was thought of single texts; class_names are the campaign's
    label keys."""
    config = shown_settings(manifest["config"])
    known = {name: value for name, value in manifest.items() if name != "out_of_fold"}
    return known | {"config": config, "label_names": names, "base_model": base.name if base else None}


def _name_outputs(path: Path, manifest: dict, names: list[str]) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    keys, head = manifest["class_names"], manifest["head"]
    named = dict(zip(_outputs(head, keys), _outputs(head, names), strict=True))
    outputs = [named[config["id2label"][str(place)]] for place in range(len(config["id2label"]))]
    config["id2label"] = {str(place): name for place, name in enumerate(outputs)}
    config["label2id"] = {name: place for place, name in enumerate(outputs)}
    _rewrite(path, config)


def _outputs(head: str, labels: list[str]) -> list[str]:
    if head == "spans":
        return [f"{tag}-{label}" for label in labels for tag in TAGS]
    return HEADS[head].output_names(labels)


def _rewrite(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
