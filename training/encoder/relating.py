"""Relations, learned and read by two encoders: one finds the spans, one says how each pair belongs together.

The second reads a text for each pair, with the pair marked in it. Two encoders that share nothing do better
than one for both, and a marked pair better than the pair's tokens alone. Source: Zhong and Chen 2021, "A
frustratingly easy approach for entity and relation extraction".
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from training.algorithms.examples import Examples, Span
from training.algorithms.marking import mark_pair
from training.algorithms.relation_pairs import Reading, candidate_pairs, ends_that_join, pair_examples
from training.algorithms.splits import LEARNED, TRAIN
from training.config import FineTuneConfig
from training.encoder.fine_tuning import FineTuned, fine_tune
from training.encoder.model_files import FORMAT, loadable_manifest
from training.encoder.precision import this_process
from training.encoder.progress import Progress
from training.encoder.scoring import predict_proba
from training.encoder.spotting import predict_spans
from training.encoder.turns import plan_of
from training.errors import TrainingRefused
from training.model_folders import appearing_file, read_manifest, sha256_of_files

SPANS, PAIRS = "spans", "pairs"  # the two encoders' folders, each a model of its own
SPANS_SHARE = 0.3  # of the time that both take
TEXTS_AT_ONCE = 1000  # whose pairs are read in one go
History = list[dict[str, Any]]  # an entry an epoch, as in Progress


def fine_tune_relations(
    examples: Examples,
    config: FineTuneConfig,
    *,
    output_dir: Path,
    checkpoint_dir: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> FineTuned:
    """Fine-tune both encoders as fine_tune does one, with the same promises.

    Each point of the history says of which encoder it is: "spans", which marks, or "pairs".
    The manifest comes last, so that a folder without it is no model. What it says of the pairs' encoder is
    what a reader of relations needs; each encoder's own stands in its folder.
    """
    output_dir = Path(output_dir)
    (output_dir / "manifest.json").unlink(missing_ok=True)
    learned = np.isin(examples.parts, LEARNED)
    assert examples.relations is not None
    joined = ends_that_join(
        [one for one, teaches in zip(examples.relations, learned, strict=True) if teaches]
    )
    pairs = pair_examples(examples, joined)
    _refuse_unlearnable(pairs)
    plan_of(pairs, config)  # refuses too few of them before the first encoder has taken its time

    def tune(name: str, of_this: Examples, begin: float, end: float, before: History) -> FineTuned:
        def tell(progress: Progress) -> None:
            if on_progress is not None:
                share_done = begin + (end - begin) * progress.share_done
                history = [*before, *_history_of(name, progress.history)]
                on_progress(replace(progress, share_done=share_done, history=history))

        return fine_tune(
            of_this,
            config,
            output_dir=output_dir / name,
            checkpoint_dir=None if checkpoint_dir is None else Path(checkpoint_dir) / name,
            on_progress=tell,
        )

    try:
        spans = tune(SPANS, _span_examples(examples), 0.0, SPANS_SHARE, [])
        of_spans = _history_of(SPANS, spans.history)
        related = tune(PAIRS, pairs, SPANS_SHARE, 1.0, of_spans)
    except TrainingRefused:
        shutil.rmtree(output_dir, ignore_errors=True)
        raise
    of_pairs = {name: value for name, value in related.manifest.items() if name != "out_of_fold"}
    manifest = of_pairs | {
        "format": FORMAT,
        "head": "relations",
        "class_names": list(examples.class_names),
        "joined": sorted(joined),
        "history": [*of_spans, *_history_of(PAIRS, related.history)],
        "derived": {SPANS: spans.manifest["derived"], PAIRS: related.manifest["derived"]},
        "sha256": sha256_of_both(output_dir),
    }
    process = this_process()
    if process.is_main_process:
        with appearing_file(output_dir / "manifest.json") as file:
            json.dump(manifest, file, indent=1)
    process.wait_for_everyone()
    return FineTuned(output_dir, manifest["sha256"], manifest["history"], manifest)


def _history_of(name: str, history: History) -> History:
    return [{"encoder": name, **point} for point in history]


def read_relations(
    model_dir: Path | str,
    texts: Sequence[str],
    given: Sequence[Sequence[Span] | None] | None = None,
    *,
    on_progress: Callable[[float], None] = lambda share_done: None,
) -> list[Reading]:
    """Return what the model makes of each text: its spans, and how likely which pair is related how.

    given: of each text the spans, where they are known; these are taken for certain.
    """
    folder, texts = Path(model_dir), list(texts)
    joined = {(head, tail) for head, tail in read_manifest(folder)["joined"]}
    given = [None] * len(texts) if given is None else given
    unmarked = [text for text, spans in zip(texts, given, strict=True) if spans is None]
    found_now: list[list[tuple[Span, float]]] = []
    if unmarked:
        found_now = predict_spans(
            folder / SPANS, unmarked, on_progress=lambda done: on_progress(SPANS_SHARE * done)
        )
    left = iter(found_now)
    found = [next(left) if spans is None else [(span, 1.0) for span in spans] for spans in given]
    n_classes = len(loadable_manifest(folder / PAIRS)["class_names"])
    readings: list[Reading] = []
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        chunk = list(zip(texts, found, strict=True))[first : first + TEXTS_AT_ONCE]
        pairs = [candidate_pairs([span for span, _ in spans], joined) for _, spans in chunk]
        marked = [
            mark_pair(text, spans[head][0], spans[tail][0])
            for (text, spans), own in zip(chunk, pairs, strict=True)
            for head, tail in own
        ]
        scores = predict_proba(folder / PAIRS, marked) if marked else np.empty((0, n_classes), np.float32)
        of_texts = np.split(scores, np.cumsum([len(own) for own in pairs])[:-1])
        for (_, spans), own, probabilities in zip(chunk, pairs, of_texts, strict=True):
            readings.append(Reading(spans, own, probabilities))
        on_progress(SPANS_SHARE + (1 - SPANS_SHARE) * len(readings) / len(texts))
    return readings


def sha256_of_both(folder: Path) -> str:
    """Return the SHA-256 of both encoders' weights, read one after the other by their places."""
    return sha256_of_files(sorted(folder.rglob("*.safetensors")))


def _span_examples(examples: Examples) -> Examples:
    assert examples.spans is not None
    labels = sorted({span.label for spans in examples.spans for span in spans})
    return replace(examples, head="spans", class_names=tuple(labels), relations=None)


def _refuse_unlearnable(pairs: Examples) -> None:
    classes = pairs.labels[pairs.rows(TRAIN)] if len(pairs) else np.empty(0, dtype=np.int64)
    if not classes.any():
        raise TrainingRefused(
            "one_class",
            "Nothing is related in any of the examples to train on, so there is nothing to find. "
            "Collect texts in which something is related.",
        )
    if len(np.unique(classes)) < 2:
        raise TrainingRefused(
            "one_class",
            "Each two marks that could be related are, in all examples to train on, so there is nothing to "
            "tell apart. Collect texts in which some are not.",
        )
