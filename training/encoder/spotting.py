"""Spans in many texts, each with how likely it is right."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.special import expit
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from training.algorithms.examples import Span
from training.encoder.base_model import load_tagger, load_tokenizer
from training.encoder.kept_model import kept
from training.encoder.model_files import loadable_manifest
from training.encoder.precision import best_device, resolve_precision
from training.encoder.progress import Progress, ProgressReporter
from training.encoder.scoring import ready_to_score
from training.encoder.tagging import scored_spans, tag_scores
from training.encoder.tokens import tokenise

TEXTS_AT_ONCE = 250  # whose scores of every token are in memory; between two chunks the listener hears


def predict_spans(
    model_dir: Path | str,
    texts: Sequence[str],
    *,
    batch_tokens: int = 2048,
    on_progress: Callable[[float], None] = lambda share_done: None,
) -> list[list[tuple[Span, float]]]:
    """Return each text's spans, by place, each with the calibrated probability that all of it is right.

    All of it: start, end and label. Spans are in code points and end where tokens end. Those of one label do
    not overlap, those of different labels may. A text longer than the model's window is read in windows.
    """
    reporter = ProgressReporter(lambda progress: on_progress(progress.share_done))
    folder = Path(model_dir)
    manifest = loadable_manifest(folder)
    config, labels = manifest["config"], manifest["class_names"]
    tokenizer, model = kept(_ready_tagger, folder, config["precision"])
    found: list[list[tuple[Span, float]]] = []
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        chunk = texts[first : first + TEXTS_AT_ONCE]
        tokens = tokenise(
            tokenizer,
            chunk,
            max_tokens=config["max_tokens"],
            overlap=config["window_overlap"],
            with_offsets=True,
        )
        scores = tag_scores(model, tokens, np.arange(len(chunk)), batch_tokens=batch_tokens)
        for number, (text, one) in enumerate(zip(chunk, scores, strict=True)):
            spans = scored_spans(one / manifest["temperature"], tokens.text_offsets(number), text, labels)
            found.append([(span, _probability(score, manifest)) for span, score in spans])
        reporter.tell(Progress("scoring", len(found) / len(texts)))
    return found


def _ready_tagger(folder: Path, precision: str) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    device = best_device()
    model = ready_to_score(load_tagger(folder), resolve_precision(precision, device))
    return load_tokenizer(folder), model.to(device)


def _probability(score: float, manifest: dict) -> float:
    return float(expit(manifest["span_slope"] * score + manifest["span_shift"]))
