"""The model as one more annotator of marks: habits of its own, measured by what people found.

What it marks must be out-of-fold. It has a say once the people's habits are learned, and teaches nothing of
them: its own are counted where people's marks alone say what is there. It speaks for and against what people
marked, at no place of a text more than CAP volunteers of the crowd's habits who mark the same (span_crowd);
what it alone marks is not found.
"""

from collections.abc import Mapping

import numpy as np

from annotation.algorithms.model_annotator import N_PEOPLE, N_TASKS, Earned, earns_its_place
from annotation.algorithms.span_chains import cells_of, chains_of
from annotation.algorithms.span_crowd import emissions, moves_from_json, refit_habits
from annotation.algorithms.span_habits import habits_from_json, habits_to_json
from annotation.algorithms.span_scores import set_f1
from annotation.algorithms.span_sequence import forward_backward
from annotation.algorithms.spans import Span, SpanAnswers, SpanFit, answers_by_row, rows_of_habits, task_spans

MOST_TRIED = 1000  # texts of gold, each read twice in every fit: enough to tell whether a model helps


def measured_model_habits(answers: SpanAnswers, fit: SpanFit, model: Mapping[int, list[Span]]) -> dict | None:
    """JSON for crowd["annotator"], or None where too little is known. model: by text, what it marks there."""
    known = [n for n in sorted(model) if len(answers.answers[n]) >= N_PEOPLE]
    if len(known) < N_TASKS:
        return None
    by_row, rows = answers_by_row(answers), rows_of_habits(fit.workers, fit.crowd)
    chains = [
        chain
        for n in known
        for chain in chains_of(
            answers.texts[n], [*by_row[n], (len(rows), model[n])], answers.labels, text_index=n
        )
    ]
    cells = cells_of(chains)
    habits = habits_from_json(fit.crowd, rows, answers.labels)
    moves = moves_from_json(fit.crowd, answers.labels)
    of_people = emissions(cells.without(len(rows)), habits, moves)
    smoothed = forward_backward(of_people, cells.run_first, cells.run_length, moves)
    _, learned = habits_to_json(*refit_habits(cells, smoothed.posterior, len(rows) + 1), answers.labels)
    return learned[-1]


def model_of_marks_earns_its_place(
    answers: SpanAnswers,
    fit: SpanFit,
    model: Mapping[int, list[Span]],
    gold: Mapping[int, list[Span]],
    annotator: dict,
) -> Earned:
    """Compare what is found in the texts of known marks without the model and with it, by their strict F1."""
    crowds = fit.crowd, fit.crowd | {"annotator": annotator}
    tried = [n for n in sorted(model) if n in gold and answers.answers[n]]
    tried = tried[:: max(1, -(-len(tried) // MOST_TRIED))]
    scores = np.array([[_f1(answers, fit, crowd, n, model[n], gold[n]) for n in tried] for crowd in crowds])
    return earns_its_place(scores[1] - scores[0], *scores)


def _f1(
    answers: SpanAnswers, fit: SpanFit, crowd: dict, n: int, model: list[Span], gold: list[Span]
) -> float:
    workers, marks = zip(*answers.answers[n], strict=True)
    certain = answers.certain[n] if answers.certain else None
    known = [fit.workers[worker] for worker in workers]
    read = task_spans(answers.texts[n], list(marks), known, crowd, certain, model=model)
    return set_f1({span.span for span in read.consensus}, set(gold))
