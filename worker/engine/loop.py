"""The training loop: steps, evaluations and checkpoints, until all epochs are through or nothing gets better."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from app.training import TrainingParams
from worker.engine import batches
from worker.engine.batches import Batch
from worker.engine.checkpoint import Checkpoints, Position, random_states
from worker.engine.environment import Device
from worker.engine.errors import ModelError, Stopped, is_out_of_memory
from worker.engine.progress import Progress
from worker.engine.schedule import CLIP, factor, set_rates
from worker.engine.speed import Speed, memory
from worker.engine.team import Team
from worker.engine.windows import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a training works in. `check` is asked between steps, of the leader alone, and may raise Stopped."""

    device: Device
    progress: Progress
    check: Callable[[], None]
    team: Team = field(default_factory=Team)


@dataclass(frozen=True, slots=True)
class Rows:
    """What is learned from: the pieces of each row, and the windows of some rows in an epoch."""

    lengths: Sequence[int]
    windows: Callable[[int, Sequence[int]], list[Window]]
    pad: int

    @classmethod
    def of(cls, windows: Sequence[Window], pad: int) -> "Rows":
        """Windows that are the same in every epoch."""
        lengths = [len(window) for window in windows]
        return cls(lengths, lambda _epoch, rows: [windows[row] for row in rows], pad)


def astray(step: int) -> ModelError:
    """What to say when the loss is no longer a number."""
    return ModelError(
        f"The loss is no longer a number at step {step}: training went astray. Lower the learning rate, "
        "lengthen the warm-up, or set the precision to fp32."
    )


class Loop:
    """One model being trained. `run` does it, from the newest checkpoint if there is one.

    `loss` gives the summed loss of a batch, which the weights of its windows divide. `evaluate` is called
    after each epoch and says how good the model is: the larger list is the better one; None: there is
    nothing to evaluate on. After `patience` epochs without a better one the loop ends.

    Several loops can make one curve: `first_step` and `all_steps` are what the steps are counted from, and
    to, where they are reported.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        params: TrainingParams,
        rows: Rows,
        around: Surroundings,
        checkpoints: Checkpoints,
        *,
        loss: Callable[[Batch], Tensor],
        evaluate: Callable[[], list[float] | None],
        patience: int | None = None,
        first_step: int = 0,
        all_steps: int | None = None,
    ) -> None:
        self.model, self.optimizer, self.params = model, optimizer, params
        self.rows, self.around, self.checkpoints = rows, around, checkpoints
        self.loss, self.evaluate, self.patience = loss, evaluate, patience
        self.position = Position()
        self.epoch_steps = batches.count(len(rows.lengths), params.batch_size)
        self.total_steps = self.epoch_steps * params.epochs
        self.first_step, self.all_steps = first_step, all_steps or self.total_steps
        self._micro_size = params.batch_size // params.gradient_accumulation
        self._gradient_norm = torch.zeros(())
        # Does nothing but for fp16: there a step whose gradients overflow is left out, and the scale halved.
        self.scaler = torch.amp.GradScaler(around.device.torch.type, enabled=around.device.fp16)

    @property
    def step(self) -> int:
        """The step as it is reported."""
        return self.first_step + self.position.step

    @property
    def epoch(self) -> float:
        """Epochs done, with the part of this one."""
        return round(self.position.step / self.epoch_steps, 4)

    def run(self) -> Position:
        """Train; the leader's model has the best epoch's weights then. Raises Stopped after a checkpoint, ModelError
        when the loss is no longer a number, or what torch raises."""
        around, position = self.around, self._restore()
        try:
            while not self._is_done():
                around.progress.status(
                    "training", f"Epoch {position.epoch + 1} of {self.params.epochs}"
                )
                self._epoch()
                with self.speed.pause():
                    score = around.team.told(self.evaluate)
                if score and (position.best_score is None or score > position.best_score):
                    position.best_score, position.best_step = score, position.step
                position.epoch, position.batch = position.epoch + 1, 0
                self._save()
        except Stopped:
            around.progress.status("saving", f"Stopping after step {self.step}")
            self._save()
            raise
        if position.epoch < self.params.epochs:
            log.info("No better score for %d epochs: stopping early.", self.patience)
        position.seconds = self.speed.seconds
        if around.team.leads:
            self.checkpoints.load_best(position, self.model)
        return position

    def _restore(self) -> Position:
        around = self.around
        newest = around.team.told(self.checkpoints.newest)
        if not around.team.leads:
            # All have begun with the same weights; what each leaves out (dropout) is its own.
            torch.manual_seed(self.params.seed + around.team.rank)
        if newest is not None:
            self.position = self.checkpoints.restore(
                newest,
                self.model,
                self.optimizer,
                device=around.device.torch,
                scaler=self.scaler,
                rank=around.team.rank,
            )
            # When all have read it: the leader may remove it soon.
            self.position = around.team.gathered(self.position)[0]
        if newest is not None or (around.progress.had_earlier_attempt and not self.first_step):
            around.progress.write("resumed", step=self.step)
            log.info("Going on from step %d", self.step)
        left = self.all_steps - self.step
        self.speed = Speed(left, before=self.position.seconds)
        return self.position

    def _is_done(self) -> bool:
        """Whether all epochs are through, or enough of them brought nothing."""
        position, best = self.position, self.position.best_step
        is_stale = (
            self.patience
            and best is not None
            and position.step - best >= self.patience * self.epoch_steps
        )
        return bool(is_stale) or position.epoch >= self.params.epochs

    def _epoch(self) -> None:
        """The rest of the epoch that the position is in."""
        position, around, lengths = self.position, self.around, self.rows.lengths
        plan = batches.epoch_batches(
            lengths, self.params.batch_size, seed=self.params.seed, epoch=position.epoch
        )
        for rows in plan[position.batch :]:
            loss = self._train_step(self.rows.windows(position.epoch, rows))
            position.batch += 1
            position.step += 1
            self.speed.step(loss, rows=len(rows), pieces=sum(lengths[row] for row in rows))
            is_last = position.batch == self.epoch_steps
            if around.team.leads and (around.progress.step_is_due() or is_last):
                self._report()
            if around.team.told(self._checkpoint_is_due) and not is_last:
                self._save()

    def _checkpoint_is_due(self) -> bool:
        """Whether it is time for one. Raises Stopped."""
        self.around.check()
        return self.speed.since_saved > self.params.checkpoint_seconds

    def _train_step(self, windows: list[Window]) -> Tensor:
        """One optimiser step over the windows; the mean loss."""
        self.model.train()
        share = factor(self.position.step, total=self.total_steps, warmup=self.params.warmup_ratio)
        set_rates(self.optimizer, share)
        loss = self._backward(windows)
        self.around.team.add_up_gradients(self.model.parameters(), loss)
        self.scaler.unscale_(self.optimizer)
        self._gradient_norm = nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def _backward(self, windows: list[Window]) -> Tensor:
        """The gradient of the mean loss, in micro-batches as large as the memory allows; the loss. Of a team,
        each has its part of both."""
        while True:
            try:
                return self._accumulate(windows)
            except Exception as error:
                if self._micro_size == 1 or not is_out_of_memory(error):
                    raise
            # Out of the handler, whose error holds the tensors of the failed attempt.
            self.optimizer.zero_grad(set_to_none=True)
            if self.around.device.torch.type == "cuda":
                torch.cuda.empty_cache()
            self._micro_size = -(-self._micro_size // 2)
            log.warning("Out of memory: going on with %d examples at a time.", self._micro_size)

    def _accumulate(self, windows: list[Window]) -> Tensor:
        device = self.around.device.torch
        weight = max(sum(window.weight for window in windows), 1e-12)
        loss = torch.zeros((), device=device)
        mine = self.around.team.share(windows)
        if not mine:
            # It must have the same gradients as the others, so it has some that are nothing.
            mine, weight = windows[:1], float("inf")
        for start in range(0, len(mine), self._micro_size):
            micro = mine[start : start + self._micro_size]
            part = self.loss(batches.collate(micro, pad=self.rows.pad, device=device)) / weight
            self.scaler.scale(part).backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        return loss

    def _report(self) -> None:
        loss = self.speed.mean_loss()
        if loss != loss or loss == float("inf"):
            raise astray(self.step)
        norm = float(self._gradient_norm)
        self.around.progress.write(
            "step",
            step=self.step,
            total_steps=self.all_steps,
            epoch=self.epoch,
            loss=round(loss, 6),
            learning_rate=self.optimizer.param_groups[0]["lr"],
            # Not a number where fp16 left the step out.
            **({"gradient_norm": round(norm, 6)} if math.isfinite(norm) else {}),
            **self.speed.rates(),
            **memory(self.around.device.torch),
        )

    def _save(self) -> None:
        # With fp16 a step may overflow, and is left out.
        if not self.scaler.is_enabled() and not math.isfinite(self._gradient_norm):
            raise astray(self.step)
        self.position.seconds = self.speed.seconds
        states = self.around.team.gathered(random_states(self.around.device.torch))
        if self.around.team.leads:
            self.checkpoints.save(
                self.position, self.model, self.optimizer, states=states, scaler=self.scaler
            )
        self.speed.saved()
