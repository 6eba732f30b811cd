"""Predicting with a saved model."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_model
from transformers import AutoTokenizer

from worker.engine.environment import choose_device
from worker.engine.errors import ModelError
from worker.engine.heads import TaskModel
from worker.engine.job import Item, TokenSpan
from worker.engine.latency import latency
from worker.engine.models import load_network
from worker.engine.scoring import Runner
from worker.engine.windows import Frame
from worker.recipes import RECIPES
from worker.recipes.base import Encoder, Evaluation, Prediction

CARD = "annotune.json"
CRF_WEIGHTS = "crf.safetensors"


class Predictor:
    """A model in memory. Calls from several threads wait for one another."""

    def __init__(self, folder: Path | str, *, precision: str = "auto") -> None:
        """Raises ModelError when the folder holds no model of Annotune's."""
        folder = Path(folder)
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            recipe = RECIPES[card["recipe"]]
            self._recipe = recipe.restore(card["schema"], card["labels"], card["state"])
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"The folder {folder.name} is not a model of Annotune: {CARD} is missing or broken."
            ) from error
        self.card: dict[str, Any] = card
        device = choose_device(precision)
        network = load_network(folder, self._recipe.family)
        crf = self._recipe.crf() if card["head"] == "crf" else None
        if crf is not None:
            load_model(crf, str(folder / CRF_WEIGHTS))
        model = TaskModel(network, crf=crf).to(device.torch).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self._run = Runner(model, device, pad=tokenizer.pad_token_id or 0)
        self._encoder = Encoder(
            tokenizer, Frame.of(tokenizer), card["max_length"], two_segments=model.takes_segments
        )
        self._lock = threading.Lock()

    @property
    def primary(self) -> str:
        """The score that models of its task are compared by."""
        return self._recipe.primary

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return sum(p.numel() for p in self._run.model.parameters())

    def evaluate(
        self, items: Sequence[Item], *, check: Callable[[], None] = lambda: None
    ) -> Evaluation:
        """How good it is on annotated items, in detail. `check` may raise Stopped between batches."""
        with self._lock:
            encoded = self._recipe.encode(items, self._encoder)
            run = replace(self._run, check=check)
            return self._recipe.evaluate(items, encoded, run, detailed=True)

    def latency(self, items: Sequence[Item]) -> dict[str, Any]:
        """How long it takes to answer."""
        with self._lock:
            return latency(self._recipe, self._encoder, self._run, items)

    def predict(
        self,
        texts: Sequence[str],
        *,
        tokens: Sequence[Sequence[TokenSpan] | None] | None = None,
    ) -> list[dict[str, Any]]:
        """One `{"annotation": payload, "scores": ...}` a text, in order.

        `tokens` are the word tokens of texts that came with their own; spans fall on their borders.
        `scores` hold `confidence`, the probability of the least certain decision, and one for each part of
        the annotation.
        """
        own = tokens if tokens is not None else [None] * len(texts)
        items = [Item.of(text, words) for text, words in zip(texts, own, strict=True)]
        return [prediction.as_json() for prediction in self.predict_items(items)]

    def predict_items(self, items: Sequence[Item]) -> list[Prediction]:
        """The same, for items."""
        with self._lock:  # tokenizers keep their settings in themselves, so one at a time
            return self._recipe.predict(items, self._encoder, self._run)
