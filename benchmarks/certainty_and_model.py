"""What "not sure" is worth, and a model as one more annotator, on simulated crowds. Prints JSON.

Doubt: three of twenty volunteers answer each task (of spans five as well), three answers of ten in a bad
moment, in which they are much worse. Half of the volunteers say "not sure" then and only then, the others as
often by chance; who is sure says nothing, as on the page. Beside it the same where no moment is worse, so
that doubt says nothing.

Model: two or three answers a task (of spans three or five), and a model whose opinion of each is worth
something or nothing; gold for the first tasks says whether it is heard, all other tasks measure. `forced` is
with it whatever gold says.

Of one label and of sets the share that is right as a whole, of spans strict F1 on bc5cdr_test.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
from scipy.special import expit, logit
from span_consensus import ROOT, read_lines

sys.path.insert(0, str(ROOT))

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.crowd import fit_crowd
from annotation.algorithms.model_of_marks import measured_model_habits, model_of_marks_earns_its_place
from annotation.algorithms.model_of_sets import (
    measured_annotator_of_sets,
    model_of_sets_earns_its_place,
    sets_with_model,
)
from annotation.algorithms.multiple_choice import LabelSets, fit_multiple
from annotation.algorithms.simulated_spans import NOISE, Carelessness, make_span_crowd, mark_spans
from annotation.algorithms.spans import SpanAnswers, fit_span_crowd, span_f1, task_spans

N_TASKS, N_CLASSES, N_VOLUNTEERS, N_GOLD = 500, 5, 20, 60
BAD_MOMENTS, WORSE = 0.3, 1.8  # share of answers; in log odds
CARELESS = {True: 2.5, False: 0.7}  # factor on what goes wrong in marks, in a bad moment or not
MODELS_OF_SETS = {
    "good": 2.5,
    "fair": 1.2,
    "useless": 2.5,
}  # how far its scores lie apart; useless: of others
MODELS_OF_MARKS = {
    "good": Carelessness(drop=0.15, shift=0.08, spurious=0.15, mislabel=0.04),
    "fair": Carelessness(drop=0.35, shift=0.2, spurious=0.35, mislabel=0.1),
    "useless": Carelessness(drop=0.95, shift=0.5, spurious=0.95, mislabel=0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--only", default="", help="one label, sets or spans")
    arguments = parser.parse_args()
    seeds, documents = arguments.seeds, read_lines("bc5cdr_test", "spans.jsonl")[: arguments.texts]
    doubts: dict[str, Callable] = {
        "one label": doubt_on_labels,
        "sets": doubt_on_sets,
        "spans, 3 answers": lambda rng, tells: doubt_on_spans(rng, tells, 3, documents),
        "spans, 5 answers": lambda rng, tells: doubt_on_spans(rng, tells, 5, documents),
    }
    models: dict[str, tuple[Callable, tuple[int, ...]]] = {
        "sets": (model_of_sets, (2, 3)),
        "spans": (lambda rng, name, per_task: model_of_spans(rng, name, per_task, documents), (3, 5)),
    }
    figures = {
        "doubt": {
            kind: {
                ("tells" if tells else "says nothing"): doubt_figures(measure, tells, seeds)
                for tells in (True, False)
            }
            for kind, measure in doubts.items()
            if kind.startswith(arguments.only)
        },
        "model": {
            kind: {
                f"{name}, {per_task} answers": model_figures(measure, name, per_task, seeds)
                for name in MODELS_OF_SETS
                for per_task in answers
            }
            for kind, (measure, answers) in models.items()
            if kind.startswith(arguments.only)
        },
    }
    print(json.dumps({"benchmark": "certainty_and_model"} | figures, indent=1))


def doubt_figures(measure: Callable, tells: bool, n_seeds: int) -> dict:
    unheard, heard = zip(
        *(measure(np.random.default_rng(seed), tells) for seed in range(n_seeds)), strict=True
    )
    better = sum(b > a for a, b in zip(unheard, heard, strict=True))
    return {"unheard": mean(unheard), "heard": mean(heard), "seeds_better": better}


def model_figures(measure: Callable, name: str, per_task: int, n_seeds: int) -> dict:
    rows = [measure(np.random.default_rng(seed), name, per_task) for seed in range(n_seeds)]
    without, forced, earned = zip(*rows, strict=True)
    return {
        "without": mean(without),
        "forced": mean(forced),
        "heard_in_seeds": sum(earned),
        "in_force": mean(b if heard else a for a, b, heard in rows),
    }


def turns(rng, n_tasks: int, per_task: int) -> tuple[np.ndarray, np.ndarray]:
    """Task and volunteer of each answer."""
    task = np.repeat(np.arange(n_tasks), per_task)
    return task, np.concatenate([rng.permutation(N_VOLUNTEERS)[:per_task] for _ in range(n_tasks)])


def moments(rng, worker: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which answers came in a bad moment, and what was said: 0 not sure, -1 nothing."""
    knows, is_bad = rng.random(N_VOLUNTEERS) < 0.5, rng.random(len(worker)) < BAD_MOMENTS
    doubts = np.where(knows[worker], is_bad, rng.random(len(worker)) < BAD_MOMENTS)
    return is_bad, np.where(doubts, 0, -1).astype(np.int8)


def doubt_on_labels(rng, tells: bool) -> tuple[float, float]:
    truth = rng.integers(0, N_CLASSES, N_TASKS)
    task, worker = turns(rng, N_TASKS, 3)
    is_bad, certain = moments(rng, worker)
    skill = logit(rng.uniform(0.6, 0.95, N_VOLUNTEERS))[worker] - WORSE * (is_bad & tells)
    wrong = (truth[task] + rng.integers(1, N_CLASSES, len(task))) % N_CLASSES
    label = np.where(rng.random(len(task)) < expit(skill), truth[task], wrong)
    answers = Answers(task, worker, label, N_TASKS, N_VOLUNTEERS, N_CLASSES)
    fits = fit_crowd(answers), fit_crowd(replace(answers, certain=certain))
    unheard, heard = (float((fit.posterior.argmax(axis=1) == truth).mean()) for fit in fits)
    return unheard, heard


def doubt_on_sets(rng, tells: bool) -> tuple[float, float]:
    truth, answers, certain = sets(rng, 3, tells)
    fits = fit_multiple(answers), fit_multiple(replace(answers, certain=certain))
    unheard, heard = (share_of_sets(fit.posterior, truth) for fit in fits)
    return unheard, heard


def sets(rng, per_task: int, tells: bool) -> tuple[np.ndarray, LabelSets, np.ndarray]:
    truth = rng.random((N_TASKS, N_CLASSES)) < rng.uniform(0.1, 0.4, N_CLASSES)
    task, worker = turns(rng, N_TASKS, per_task)
    is_bad, certain = moments(rng, worker)
    skills = rng.uniform(0.6, 0.95, N_VOLUNTEERS), rng.uniform(0.85, 0.98, N_VOLUNTEERS)
    sensitivity, specificity = (
        expit(logit(skill)[worker] - WORSE * (is_bad & tells))[:, None] for skill in skills
    )
    chosen = rng.random((len(task), N_CLASSES)) < np.where(truth[task], sensitivity, 1 - specificity)
    return truth, LabelSets(task, worker, chosen, N_TASKS, N_VOLUNTEERS), certain


def share_of_sets(posterior: np.ndarray, truth: np.ndarray) -> float:
    return float(((posterior > 0.5) == truth).all(axis=1).mean())


def doubt_on_spans(rng, tells: bool, per_task: int, documents: list[dict]) -> tuple[float, float]:
    answers, gold = spans(rng, per_task, tells, documents)
    fits = fit_span_crowd(replace(answers, certain=[])), fit_span_crowd(answers)
    unheard, heard = (strict_f1([[s.span for s in found] for found in fit.consensus], gold) for fit in fits)
    return unheard, heard


def spans(rng, per_task: int, tells: bool, documents: list[dict]) -> tuple[SpanAnswers, list]:
    gold = [[tuple(span) for span in document["gold"]] for document in documents]
    texts = [document["text"] for document in documents]
    labels = sorted({span[2] for marks in gold for span in marks})
    crowd = make_span_crowd(N_VOLUNTEERS, NOISE["medium"], rng)
    task, worker = turns(rng, len(texts), per_task)
    is_bad, certain = moments(rng, worker)
    marked: list[list] = [[] for _ in texts]
    for n, who, bad in zip(task.tolist(), worker.tolist(), is_bad.tolist(), strict=True):
        careless = times(crowd[who], CARELESS[bad]) if tells else crowd[who]
        marked[n].append((who, mark_spans(texts[n], gold[n], labels, careless, rng)))
    said = certain.reshape(len(texts), per_task).tolist()
    return SpanAnswers(texts, marked, N_VOLUNTEERS, labels, said), gold


def times(careless: Carelessness, factor: float) -> Carelessness:
    names = [field.name for field in fields(careless)]
    return Carelessness(**{name: min(getattr(careless, name) * factor, 0.95) for name in names})


def strict_f1(found: list, gold: list) -> float:
    return span_f1(found, gold)["strict"]["f1"]


def model_of_sets(rng, name: str, per_task: int) -> tuple[float, float, bool]:
    truth, answers, _ = sets(rng, per_task, tells=False)
    seen = rng.permutation(truth) if name == "useless" else truth
    apart = MODELS_OF_SETS[name]
    score = rng.normal(np.where(seen, apart / 2, -apart / 2))
    probabilities = expit(logit(truth.mean(axis=0).clip(0.01, 0.99)) + apart * score)  # calibrated where true
    fit, gold = fit_multiple(answers), np.where(np.arange(N_TASKS)[:, None] < N_GOLD, truth, -1)
    annotator = measured_annotator_of_sets(
        probabilities, fit.posterior, np.full(N_TASKS, per_task), fit.crowd
    )
    if annotator is None:
        return (share_of_sets(fit.posterior[N_GOLD:], truth[N_GOLD:]),) * 2 + (False,)
    together = sets_with_model(fit.posterior, probabilities, annotator)
    earned = model_of_sets_earns_its_place(fit.posterior, together, gold).earned
    without, forced = (share_of_sets(found[N_GOLD:], truth[N_GOLD:]) for found in (fit.posterior, together))
    return without, forced, earned


def model_of_spans(rng, name: str, per_task: int, documents: list[dict]) -> tuple[float, float, bool]:
    answers, gold = spans(rng, per_task, False, documents)
    answers = replace(answers, certain=[])
    fit, texts = fit_span_crowd(answers), range(len(gold))
    model = {
        n: mark_spans(answers.texts[n], gold[n], answers.labels, MODELS_OF_MARKS[name], rng) for n in texts
    }
    annotator = measured_model_habits(answers, fit, model)
    known = dict(enumerate(gold[:N_GOLD]))
    earned = model_of_marks_earns_its_place(answers, fit, model, known, annotator).earned
    found = (
        [[s.span for s in fit.consensus[n]] for n in texts],
        [[s.span for s in with_model(answers, fit, n, annotator, model[n])] for n in texts],
    )
    without, forced = (strict_f1(one[N_GOLD:], gold[N_GOLD:]) for one in found)
    return without, forced, earned


def with_model(answers: SpanAnswers, fit, n: int, annotator: dict, model: list) -> list:
    workers, marks = zip(*answers.answers[n], strict=True)
    known, crowd = [fit.workers[worker] for worker in workers], fit.crowd | {"annotator": annotator}
    return task_spans(answers.texts[n], list(marks), known, crowd, model=model).consensus


def mean(values) -> float:
    return round(statistics.fmean(values), 4)


if __name__ == "__main__":
    main()
