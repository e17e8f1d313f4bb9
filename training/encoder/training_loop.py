"""The loop: turns, epochs, steps. It knows nothing of heads; what is learned is a Lesson."""

from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel

from training.config import LoopConfig
from training.encoder.checkpoints import Checkpoints, Standing, State, copy_into, moments_of, put_back
from training.encoder.layers import freeze_bottom
from training.encoder.optimiser import make_optimiser, share_of_peak
from training.encoder.precision import resolve_precision
from training.encoder.progress import Progress, ProgressReporter
from training.encoder.refusals import is_no_memory, out_of_memory
from training.encoder.tokens import Inputs, Tokens, bucketed_batches
from training.encoder.turns import Turn
from training.encoder.windows import drawn_windows
from training.errors import TrainingRefused

STILL_LEARNS = 0.9  # of the training loss halfway, and less at the end: the rehearsals were not at rest


class Lesson(Protocol):
    """What is learned from which texts."""

    tokens: Tokens
    turns: list[Turn]  # one, or some that rehearse and the last, which holds nothing out
    spares: list[Turn]  # other starts of the last of several, for when it learns next to nothing
    weights: np.ndarray  # float32 [N], what each text counts; 1 on the mean of the last turn's

    def fresh_model(self) -> PreTrainedModel:
        """Return the pretrained model under a new head."""

    def inputs(self, windows: np.ndarray, device: torch.device, seed: list[int]) -> Inputs:
        """Return what the network is given of R windows; chance in it follows from the step's seed."""

    def losses(
        self, outputs: Tensor, inputs: Inputs, texts: np.ndarray, windows: np.ndarray, place: np.ndarray
    ) -> Tensor:
        """Return the loss [B] of each text, given the network's outputs for R windows and their texts [R]."""

    def predict(self, model: PreTrainedModel, precision: str, rows: np.ndarray) -> np.ndarray:
        """Return what the network makes of the texts in these rows, float32, one after the other."""

    def judge(self, predicted: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        """Return figures of what was predicted, validation_loss among them; see stopping_loss."""


class Training:
    """One training: model, optimiser, where it stands. Epochs count from 1, steps from 0."""

    def __init__(self, lesson: Lesson, config: LoopConfig, reporter: ProgressReporter) -> None:
        self.lesson, self.config, self.reporter = lesson, config, reporter
        # Precision is our own business: an Accelerator has one for the whole process, and a worker trains
        # models with others.
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        precision = resolve_precision(config.precision, self.accelerator.device)
        self.standing = Standing(precision=precision)
        self.best: dict[str, Tensor] = {}  # the weights to keep
        self.predicted: dict[str, Tensor] = {}  # by "turn/epoch", what was predicted after it
        self.checkpoints: Checkpoints | None = None
        self.share_done = 0.0
        self._start_turn()

    @property
    def turns(self) -> list[Turn]:
        return self.lesson.turns + self.lesson.spares[: self.standing.n_spares]

    @property
    def turn(self) -> Turn:
        return self.turns[min(self.standing.turn, len(self.turns) - 1)]

    @property
    def rehearsals(self) -> list[Turn]:
        return [turn for turn in self.lesson.turns if len(turn.held_out)]

    def _start_turn(self) -> None:
        """Go back to the pretrained weights, under a head of the next seed."""
        self.n_epochs, self.steps_per_epoch = self._epochs_of(self.turn), self._steps_of(self.turn)
        torch.manual_seed(self.turn.seed)
        self.model = self.lesson.fresh_model().to(self.accelerator.device)
        self.frozen = freeze_bottom(self.model, self.config.frozen_share)
        self.network = self.accelerator.prepare_model(self.model)  # itself, if there is one process
        self.weights = {
            name: weight for name, weight in self.model.named_parameters() if weight.requires_grad
        }
        self.optimiser = make_optimiser(self.model, self.config)
        self.peak_learning_rate = self.config.learning_rate_for(self.model.config.hidden_size)

    def keep_checkpoints(self, checkpoints: Checkpoints) -> None:
        """Go on from the last checkpoint, if there is one of this training, and write more."""
        self.checkpoints = checkpoints
        state = checkpoints.last()
        if state is None:
            return
        self.standing, self.best, self.predicted = state.standing, state.best, state.predicted
        self._start_turn()
        if state.moments:
            put_back(state, self.optimiser, self.weights)

    def run(self) -> PreTrainedModel:
        """Take every turn; return the last one's model, with its best weights."""
        while self.standing.turn < len(self.turns):
            while not self._turn_finished():
                self._train_epoch()
                self._end_epoch()
                self._save_when_due()
            self._end_turn()
        copy_into(self.weights, self.best)
        return self.model

    def _turn_finished(self) -> bool:
        n_without_gain = self.standing.epoch - self.standing.best_epoch
        gave_up = bool(len(self.turn.held_out)) and n_without_gain >= self.config.patience
        return self.standing.epoch >= self.n_epochs or gave_up

    def _epochs_of(self, turn: Turn) -> int:
        """Return the most epochs of a turn; of one that holds nothing out, as many as suited the others."""
        if not len(turn.held_out) and self.standing.turn >= len(self.rehearsals):
            return self.best_epoch
        return self.config.epochs_for(len(turn.train))

    def _steps_of(self, turn: Turn) -> int:
        """Return the steps of an epoch."""
        return -(-len(turn.train) // self.config.batch_size)

    @property
    def best_epoch(self) -> int:
        """The epoch after which the texts held out were told apart best, on the mean over all rehearsals.

        Not from the start: against few noisy labels, a network that only knows the classes' shares is hard to
        beat.
        """
        courses = [[stopping_loss(point) for point in self._course(turn)] for turn in self.rehearsals]
        n_common = min(map(len, courses))
        sizes = [len(turn.held_out) for turn in self.rehearsals]
        means = np.average([course[:n_common] for course in courses], axis=0, weights=sizes)
        first = max(self.config.epochs_for(len(self.rehearsals[0].train)) // 4 - 1, 0)
        return first + int(np.argmin(means[first:])) + 1

    def _course(self, turn: Turn) -> list[dict[str, Any]]:
        """Return what was noted of a turn, epoch after epoch."""
        return [point for point in self.standing.history if point["seed"] == turn.seed]

    def predicted_at_best(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (rows, what was made of them after the best epoch by the networks that they were held out
        of)."""
        epoch = self.best_epoch
        predicted = [self.predicted[f"{number}/{epoch}"].numpy() for number in range(len(self.rehearsals))]
        return np.concatenate([turn.held_out for turn in self.rehearsals]), np.concatenate(predicted)

    def _train_epoch(self) -> None:
        """Take a pass over the training part, or what is left of it."""
        standing, tokens = self.standing, self.lesson.tokens
        # Order and dropout follow from seed, epoch and step: a training that goes on from a checkpoint sees
        # what it would have seen.
        order = np.random.default_rng([self.turn.seed, standing.epoch])
        batches = bucketed_batches(tokens.lengths, self.turn.train, self.config.batch_size, order)
        self.network.train()
        for module in self.frozen:
            module.eval()
        for batch in batches[standing.step :]:
            standing.losses.append(self._step(batch) * len(batch))
            standing.step += 1
            self._tell("training", train_loss=standing.losses[-1] / len(batch))
            if standing.step < len(batches):
                self._save_when_due()

    def _step(self, batch: np.ndarray) -> float:
        """Change the weights once, by the mean loss of a batch, which is returned."""
        n_done = self.standing.epoch * self.steps_per_epoch + self.standing.step
        share = share_of_peak(n_done, self.n_epochs * self.steps_per_epoch, self.config.warmup_share)
        for group in self.optimiser.param_groups:
            group["lr"] = self.peak_learning_rate * group["factor"] * share
        value = self._gradient(batch, seed=[self.turn.seed, n_done])
        if not np.isfinite(value):
            raise TrainingRefused(
                "loss_not_finite",
                "The training did not converge: its loss is no longer a number. "
                "A lower learning rate, or precision fp32, usually helps.",
            )
        self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        self.optimiser.step()
        return value

    def _gradient(self, batch: np.ndarray, seed: list[int]) -> float:
        """Set the gradient of the batch's mean loss, in as many pieces as the memory asks for."""
        while True:
            rng = np.random.default_rng(seed)
            torch.manual_seed(int(rng.integers(2**62)))
            windows, place = drawn_windows(self.lesson.tokens, batch, self.config.train_windows, rng)
            self.optimiser.zero_grad(set_to_none=True)
            try:
                n_pieces = min(self.standing.n_pieces, len(batch))
                pieces = np.array_split(np.arange(len(batch)), n_pieces)
                return sum(self._add_gradient(batch, piece, windows, place, seed) for piece in pieces)
            except RuntimeError as error:
                if not is_no_memory(error):
                    raise
                self._cut_smaller(len(batch))

    def _add_gradient(
        self, batch: np.ndarray, piece: np.ndarray, windows: np.ndarray, place: np.ndarray, seed: list[int]
    ) -> float:
        """Add the gradient of some texts, by their places in the batch; return their share of its loss."""
        # Several processes share a piece. One that gets nothing computes a text and counts it for nothing,
        # because the others wait for its part of the gradient.
        mine = piece[self.accelerator.process_index :: self.accelerator.num_processes]
        counts, piece = float(len(mine) > 0), mine if len(mine) else piece[:1]
        chosen = np.isin(place, piece)
        texts, windows, place = batch[piece], windows[chosen], np.searchsorted(piece, place[chosen])
        device, bf16 = self.accelerator.device, self.standing.precision == "bf16"
        inputs = self.lesson.inputs(windows, device, seed)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            outputs = self.network(**inputs).logits
        losses = self.lesson.losses(outputs.float(), inputs, texts, windows, place)  # [B]
        weights = torch.from_numpy(self.lesson.weights[texts]).to(device)
        loss = counts * (weights * losses).sum() / len(batch)
        # Gradients of several processes are averaged; theirs are shares of one sum.
        self.accelerator.backward(loss * self.accelerator.num_processes)
        return self.accelerator.reduce(loss.detach()).item()

    def _cut_smaller(self, n_texts: int) -> None:
        """After memory ran out: halve what is computed at once. The batch, and so the result, stays."""
        if self.standing.n_pieces >= n_texts or self.accelerator.num_processes > 1:
            raise out_of_memory()
        self.standing.n_pieces *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _end_epoch(self) -> None:
        """Note the losses, and what the network makes of the texts held out; keep the best weights."""
        standing, turn = self.standing, self.turn
        standing.epoch += 1
        mean_loss = sum(standing.losses) / len(turn.train)
        standing.step, standing.losses = 0, []
        point = {
            "seed": turn.seed,
            "epoch": standing.epoch,
            "step": self._steps_done(),
            "train_loss": mean_loss,
            "validation_loss": None,
        }
        if len(turn.held_out):
            self._tell("evaluating")
            predicted = self.lesson.predict(self.model, standing.precision, turn.held_out)
            point |= self.lesson.judge(predicted, turn.held_out)
            self._keep(predicted, stopping_loss(point))
        standing.history.append(point)

    def _keep(self, predicted: np.ndarray, loss: float) -> None:
        standing, is_only_turn = self.standing, len(self.turns) == 1
        is_best = standing.epoch <= self.n_epochs // 4 or loss < standing.best_loss  # see best_epoch
        if is_best:
            standing.best_loss, standing.best_epoch = loss, standing.epoch
        if is_only_turn and is_best:
            self.predicted.clear()
            self.best = self._weights_now()
        if is_best or not is_only_turn:
            self.predicted[f"{standing.turn}/{standing.epoch}"] = torch.from_numpy(predicted)

    def _end_turn(self) -> None:
        standing = self.standing
        if not len(self.turn.held_out):
            self._keep_or_start_again()
        standing.turn += 1
        standing.epoch, standing.best_epoch, standing.best_loss = 0, 0, float("inf")
        if standing.turn < len(self.turns):
            self._start_turn()
        elif self.checkpoints is not None:
            self._save(State(standing, best=self.best, predicted=self.predicted, weights={}, moments={}))

    def _keep_or_start_again(self) -> None:
        """Keep what learned from all, unless another start of it learned more; ask for one if it failed.

        Some starts of a network on few labels never get further than the classes' shares (Mosbach et al.
        2021, section 5), and nothing was held out that could tell of this one. So its training loss has to
        be lower in the end than the rehearsals' was after half as many epochs, if these went on learning.
        """
        losses = {turn.seed: self._train_losses(turn)[-1] for turn in self.turns if not len(turn.held_out)}
        this = losses[self.turn.seed]
        if this == min(losses.values()):
            self.best, self.standing.kept_seed = self._weights_now(), self.turn.seed
        rehearsed = [self._train_losses(turn) for turn in self.rehearsals]
        halfway = np.mean([of_one[(self.best_epoch - 1) // 2] for of_one in rehearsed])
        in_the_end = np.mean([of_one[self.best_epoch - 1] for of_one in rehearsed])
        failed = this > halfway and in_the_end < STILL_LEARNS * halfway
        if failed and self.standing.n_spares < len(self.lesson.spares):
            self.standing.n_spares += 1

    def _train_losses(self, turn: Turn) -> list[float]:
        return [point["train_loss"] for point in self._course(turn)]

    def _weights_now(self) -> dict[str, Tensor]:
        return {name: weight.detach().cpu().clone() for name, weight in self.weights.items()}

    def _save_when_due(self) -> None:
        if self.checkpoints is None or not self.checkpoints.due:
            return
        standing = self.standing
        is_best = bool(self.best) and standing.step == 0 and standing.best_epoch == standing.epoch
        weights = {} if is_best else self.weights
        moments = moments_of(self.optimiser, self.weights)
        self._save(State(standing, self.best, self.predicted, weights, moments))

    def _save(self, state: State) -> None:
        if self.accelerator.is_main_process:
            self.checkpoints.save(state)

    def derived(self) -> dict[str, Any]:
        """Return what followed from config and examples, for the manifest."""
        return {
            "n_train": len(self.turn.train),
            "seeds": [turn.seed for turn in self.turns],
            "kept_seed": self.turns[0].seed if len(self.turns) == 1 else self.standing.kept_seed,
            "max_epochs": self.config.epochs_for(len(self.rehearsals[0].train)),
            "best_epoch": self.best_epoch,
            "peak_learning_rate": self.peak_learning_rate,
            "precision": self.standing.precision,
            "n_pieces": self.standing.n_pieces,
            "device": self.accelerator.device.type,
        }

    def _steps_done(self) -> int:
        """Return the steps behind us over all turns; a turn that stopped early counts in full."""
        before = self.turns[: self.standing.turn]
        of_this = self.standing.epoch * self.steps_per_epoch + self.standing.step
        return self._steps_in(before) + of_this

    def _steps_in(self, turns: list[Turn]) -> int:
        return sum(self._epochs_of(turn) * self._steps_of(turn) for turn in turns)

    def tell_saving(self) -> None:
        """Ask the listener for the last time; a worker that lost its run must not put its model in place."""
        self._tell("saving")

    def _tell(self, stage: str, train_loss: float | None = None) -> None:
        history, step = self.standing.history, self._steps_done()
        n_turns, n_steps = len(self.turns), self._steps_in(self.turns)
        last = history[-1] if history else {"train_loss": None, "validation_loss": None}
        # Another start is more to do than was known; what is done already stays done.
        self.share_done = max(self.share_done, 0.02 + 0.95 * step / n_steps)
        self.reporter.tell(
            Progress(
                stage=stage,
                share_done=1.0 if stage == "saving" else self.share_done,
                turn=min(self.standing.turn + 1, n_turns),
                n_turns=n_turns,
                epoch=self.standing.epoch + (stage == "training" and self.standing.step > 0),
                n_epochs=self.n_epochs,
                step=step,
                n_steps=n_steps,
                train_loss=last["train_loss"] if train_loss is None else train_loss,
                validation_loss=last["validation_loss"],
                history=list(history),
            )
        )


def stopping_loss(figures: dict[str, float]) -> float:
    """Return the loss by which epochs are compared: the tempered one, where labels may be wrong.

    Where a volunteers' label in ten is wrong, the plain loss rises as soon as the network is sure of itself,
    while what the network knows of the truth still grows.
    """
    return figures.get("tempered_loss", figures["validation_loss"])
