"""How long an answer takes, by the length of the text and by who answers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

LEAST, MOST = 1.0, 600.0  # seconds that count as an answer's time: quicker is a slip, slower is a walk
HUBER = 1.5  # residuals beyond so many spreads pull no harder than that: people leave the desk
N_ROUNDS = 20
SHRINKAGE = 10.0  # answers of the average volunteer that a volunteer's own pace is weighed against
USUAL_LENGTH, USUAL_SECONDS, USUAL_EXPONENT = 100.0, 8.0, 0.4  # a guess, before any answer is timed
USUAL_WEIGHTS = np.array([20.0, 2.0])  # of the guess of the level, in answers, and of the exponent


@dataclass(frozen=True, slots=True)
class TimeModel:
    """seconds = exp(level) (length / 100)^exponent x the volunteer's pace."""

    level: float = float(np.log(USUAL_SECONDS))
    exponent: float = USUAL_EXPONENT
    spread: float = 0.6  # robust standard deviation of log seconds around it

    def expected_seconds(self, lengths: np.ndarray) -> np.ndarray:
        """Return [N] the median seconds of an average volunteer for texts of these lengths, in characters.

        >>> TimeModel(level=float(np.log(10)), exponent=1.0).expected_seconds(np.array([100, 200])).tolist()
        [10.0, 20.0]
        """
        return np.round(np.exp(self.level + self.exponent * _log_length(lengths)), 9)

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def fit_time_model(
    lengths: np.ndarray, volunteers: Sequence[object], seconds: np.ndarray
) -> tuple[TimeModel, dict[object, float]]:
    """Return the model and each volunteer's pace: below 1 is quicker than the average.

    log seconds = level + exponent log(length / 100) + log pace(volunteer) + noise, by iteratively reweighted
    least squares with Huber's weights (Huber 1964). Few answers say little: level and exponent are drawn to
    what is usual with USUAL_WEIGHTS, a pace to 1 with that of SHRINKAGE. The exponent
    is at least 0: a longer text never counts as quicker.

    Twice as long takes twice the time, and one of a hundred answers took a lunch:

    >>> lengths = np.tile([100, 200], 5000)
    >>> seconds = np.where(np.arange(10000) % 100 == 0, 3600.0, lengths / 10.0)
    >>> model, _ = fit_time_model(lengths, ["ann"] * 10000, seconds)
    >>> model.expected_seconds(np.array([100, 200])).round(0).tolist()
    [10.0, 20.0]
    """
    if not len(seconds):
        return TimeModel(), {}
    log_seconds = np.log(np.clip(np.asarray(seconds, dtype=np.float64), LEAST, MOST))
    log_length = _log_length(lengths)
    names = list(dict.fromkeys(volunteers))
    number = {name: place for place, name in enumerate(names)}
    who = np.array([number[name] for name in volunteers])
    usual = TimeModel()
    level, exponent, paces, weights = usual.level, usual.exponent, np.zeros(len(names)), np.ones(len(who))
    spread = usual.spread
    for _ in range(N_ROUNDS):
        level, exponent = _line(log_length, log_seconds - paces[who], weights, usual)
        residual = log_seconds - level - exponent * log_length
        mass = np.bincount(who, weights=weights)
        paces = np.bincount(who, weights=weights * residual) / (mass + SHRINKAGE)
        residual = residual - paces[who]
        spread = max(1.4826 * float(np.median(np.abs(residual))), 0.05)
        weights = np.minimum(1.0, HUBER * spread / np.maximum(np.abs(residual), 1e-9))
    factors = {name: float(np.exp(pace)) for name, pace in zip(names, paces, strict=True)}
    return TimeModel(float(level), float(exponent), spread), factors


def _line(x: np.ndarray, y: np.ndarray, weights: np.ndarray, usual: TimeModel) -> tuple[float, float]:
    """Weighted least squares for level and exponent, each drawn to the usual one."""
    design = np.stack([np.ones(len(x)), x], axis=1)
    left = (design * weights[:, None]).T @ design + np.diag(USUAL_WEIGHTS)
    right = (design * weights[:, None]).T @ y + USUAL_WEIGHTS * [usual.level, usual.exponent]
    level, exponent = np.linalg.solve(left, right)
    if exponent >= 0:
        return float(level), float(exponent)
    level = (weights @ y + USUAL_WEIGHTS[0] * usual.level) / (weights.sum() + USUAL_WEIGHTS[0])
    return float(level), 0.0


def _log_length(lengths: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.asarray(lengths, dtype=np.float64), 1.0) / USUAL_LENGTH)
