"""What processes that share a training are given to do, as JSON: nothing of ours is ever unpickled."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from training.algorithms.examples import Examples, Relation, Span
from training.config import FineTuneConfig, LoopConfig, PretrainConfig

CONFIGS = {config.__name__: config for config in (FineTuneConfig, PretrainConfig)}


def write_job(path: Path, training: str, arguments: tuple, options: dict[str, Any]) -> None:
    """Write what read_job reads. arguments: Examples, configs, or texts and the records that they are of;
    options: what JSON knows, and paths."""
    job = {
        "training": training,
        "arguments": [_packed(argument) for argument in arguments],
        "options": {
            name: str(value) if isinstance(value, Path) else value for name, value in options.items()
        },
        "paths": [name for name, value in options.items() if isinstance(value, Path)],
    }
    path.write_text(json.dumps(job), encoding="utf-8")


def read_job(path: Path) -> tuple[str, list, dict[str, Any]]:
    """Return (name of the training, its arguments, its options)."""
    job = json.loads(path.read_text(encoding="utf-8"))
    options = job["options"] | {name: Path(job["options"][name]) for name in job["paths"]}
    return job["training"], [_unpacked(one) for one in job["arguments"]], options


def _packed(argument: Any) -> dict | list[str]:
    if isinstance(argument, Examples):
        return {"examples": _columns(argument)}
    if isinstance(argument, LoopConfig):
        return {"config": type(argument).__name__, "settings": argument.to_dict()}
    return [str(one) for one in argument]


def _unpacked(packed: dict | list[str]) -> Any:
    if isinstance(packed, list):
        return packed
    if "config" in packed:
        return CONFIGS[packed["config"]].from_dict(packed["settings"])
    return _examples(packed["examples"])


def _columns(examples: Examples) -> dict[str, Any]:
    """Numbers stay what they are: a float32 is a float64, and JSON writes that to its last digit."""
    return {
        "head": examples.head,
        "class_names": examples.class_names,
        "texts": list(examples.texts),
        "seconds": examples.seconds and list(examples.seconds),
        "targets": None if examples.targets is None else examples.targets.tolist(),
        "weights": examples.weights.tolist(),
        "parts": examples.parts.tolist(),
        "spans": examples.spans and [list(spans) for spans in examples.spans],
        "relations": examples.relations and [list(stated.items()) for stated in examples.relations],
        "records": examples.records and [str(record) for record in examples.records],
        "span_beliefs": examples.span_beliefs and [list(held.items()) for held in examples.span_beliefs],
    }


def _examples(columns: dict[str, Any]) -> Examples:
    spans, beliefs, relations = (columns[name] for name in ("spans", "span_beliefs", "relations"))
    targets = columns["targets"]
    return Examples(
        head=columns["head"],
        class_names=tuple(columns["class_names"]),
        texts=columns["texts"],
        seconds=columns["seconds"],
        targets=targets if targets is None else np.array(targets, dtype=np.float32),
        weights=np.array(columns["weights"], dtype=np.float32),
        parts=np.array(columns["parts"], dtype=np.int8),
        spans=spans and [[Span(*span) for span in one] for one in spans],
        relations=relations and [{_relation(one): p for one, p in stated} for stated in relations],
        records=columns["records"],
        span_beliefs=beliefs and [{Span(*span): p for span, p in held} for held in beliefs],
    )


def _relation(written: list) -> Relation:
    head, tail, label = written
    return Relation(Span(*head), Span(*tail), label)
