"""The model under training: a transformers network with its loss; for a CRF, the transitions beside it."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worker.engine.batches import Batch
from worker.engine.crf import CRF, Chain
from worker.engine.windows import IGNORED


class TaskModel(nn.Module):
    """Logits and losses of an AutoModelForSequenceClassification or -TokenClassification."""

    def __init__(self, network: Any, *, crf: CRF | None = None) -> None:
        super().__init__()
        self.network = network
        self.crf = crf
        accepted = inspect.signature(network.forward).parameters
        self.takes_segments = (
            "token_type_ids" in accepted and getattr(network.config, "type_vocab_size", 0) >= 2
        )

    def logits(self, batch: Batch) -> Tensor:
        """The network's float32 logits: (rows, labels) for texts, (rows, pieces, labels) for tokens."""
        extra = {"token_type_ids": batch.segment_ids} if self.takes_segments else {}
        output = self.network(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, **extra
        )
        logits: Tensor = output.logits
        return logits.float()

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """The summed loss of a batch; divide by the summed weights of the windows for the mean.

        Sums, so that a step split into micro-batches has exactly the gradient of the whole step.
        """
        targets, weights = batch.targets, batch.weights
        if targets is None or weights is None:
            raise ValueError("the batch has no targets")
        if batch.label_positions is not None and batch.label_lengths is not None:
            emissions = at(logits, batch.label_positions)
            if self.crf is not None:
                known = targets.clamp(min=0)
                return self.crf.negative_log_likelihood(emissions, known, batch.label_lengths).sum()
            return F.cross_entropy(
                emissions.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
            )
        if targets.dtype == torch.float32:
            each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
        else:
            each = F.cross_entropy(logits, targets, reduction="none")
        return (each * weights).sum()

    def parameter_groups(
        self, *, learning_rate: float, head_learning_rate: float | None, weight_decay: float
    ) -> list[dict[str, Any]]:
        """Groups for AdamW: no decay on biases and normalisation; heads at their own rate.

        With a CRF, `head_learning_rate` is that of its transitions, 1e-2 unless given: at the encoder's
        rate they would stay near their start. Without one it is that of the classification head.
        """
        body = f"{self.network.base_model_prefix}."
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            if not parameter.requires_grad:
                continue
            decay = weight_decay if parameter.ndim >= 2 else 0.0
            in_head = self.crf is None and not name.startswith(body)
            rate = (head_learning_rate or learning_rate) if in_head else learning_rate
            groups.setdefault((rate, decay), []).append(parameter)
        if self.crf is not None:
            groups[(head_learning_rate or 1e-2, -1.0)] = list(self.crf.parameters())
        return [
            {"params": parameters, "lr": rate, "peak": rate, "weight_decay": max(decay, 0.0)}
            for (rate, decay), parameters in groups.items()
        ]

    def chain(self, constraints: Chain) -> Chain:
        """The scores to decode with: the CRF's, else the constraints alone."""
        return self.crf.chain() if self.crf is not None else constraints


class MaskedModel(TaskModel):
    """Logits and losses of an AutoModelForMaskedLM, at the masked pieces alone.

    A vocabulary has tens of thousands of pieces, so logits of all pieces would cost most of the time and
    memory: what the body says of the others is dropped before the head sees it.
    """

    def logits(self, batch: Batch) -> Tensor:
        """Float32 logits of the masked pieces, row by row: (masked pieces, vocabulary)."""
        if batch.label_positions is None:
            raise ValueError("the batch has no masked pieces")
        rows, columns = _masked(batch).nonzero(as_tuple=True)
        positions = batch.label_positions[rows, columns]

        def drop(_body: nn.Module, _given: Any, output: Any) -> Any:
            output.last_hidden_state = output.last_hidden_state[rows, positions][None]
            return output

        handle = self.network.base_model.register_forward_hook(drop)
        try:
            return super().logits(batch)[0]
        finally:
            handle.remove()

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """The summed loss of the masked pieces."""
        if batch.targets is None:
            raise ValueError("the batch has no targets")
        return F.cross_entropy(logits, batch.targets[_masked(batch)], reduction="sum")


def _masked(batch: Batch) -> Tensor:
    if batch.targets is None:
        raise ValueError("the batch has no targets")
    return batch.targets != IGNORED  # (rows, masked pieces)


def at(logits: Tensor, positions: Tensor) -> Tensor:
    """Logits at the given pieces: (rows, pieces, labels), (rows, words) -> (rows, words, labels)."""
    return logits.gather(1, positions[:, :, None].expand(-1, -1, logits.shape[2]))
