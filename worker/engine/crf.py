"""Linear-chain sequence models: exact likelihood, constrained Viterbi and marginals, over whole batches.

Lafferty et al., 2001. A path's score is start[y0] + sum emissions[t, yt] + sum transitions[yt-1, yt] + end[yT].
Sequences are padded on the right; `lengths` says how many positions count. A softmax head decodes through
the same functions with transitions of 0, so impossible tag sequences cannot come out of either head.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

IMPOSSIBLE = -1e4
"""Score of what must not be: far below any emission, yet finite, so gradients stay numbers."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Scores of starts (labels,), steps (labels, labels) from row to column, and ends (labels,)."""

    start: Tensor
    transitions: Tensor
    end: Tensor


def bio_constraints(tags: Sequence[str], types: Sequence[str]) -> Chain:
    """0 for what BIO allows, IMPOSSIBLE elsewhere: I of a type only follows B or I of the same type.

    `types` holds each tag's type ("" for O); it is given apart because a tag may carry more than its type.
    """
    inside = torch.tensor([tag.startswith("I-") for tag in tags])
    same = torch.tensor([[a == b != "" for b in types] for a in types])
    start = torch.where(inside, IMPOSSIBLE, 0.0)
    transitions = torch.where(inside[None, :] & ~same, IMPOSSIBLE, 0.0)
    return Chain(start, transitions, torch.zeros(len(tags)))


def log_partition(chain: Chain, emissions: Tensor, lengths: Tensor) -> Tensor:
    """Log of the summed exponential scores of all paths, (batch,), by the forward algorithm."""
    alpha = chain.start + emissions[:, 0]  # (batch, labels)
    for t in range(1, emissions.shape[1]):
        longer = torch.logsumexp(alpha[:, :, None] + chain.transitions, dim=1) + emissions[:, t]
        alpha = torch.where((t < lengths)[:, None], longer, alpha)
    return torch.logsumexp(alpha + chain.end, dim=1)


def path_score(chain: Chain, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
    """Score of the given paths, (batch,). tags: (batch, steps), anything valid beyond the lengths."""
    steps = torch.arange(tags.shape[1], device=tags.device)
    counted = steps < lengths[:, None]
    score = (emissions.gather(2, tags[:, :, None])[:, :, 0] * counted).sum(1)
    moves = chain.transitions[tags[:, :-1], tags[:, 1:]] * counted[:, 1:]
    last = tags.gather(1, (lengths - 1)[:, None])[:, 0]
    return score + moves.sum(1) + chain.start[tags[:, 0]] + chain.end[last]


def viterbi(chain: Chain, emissions: Tensor, lengths: Tensor) -> Tensor:
    """The best path of each sequence, (batch, steps); 0 beyond the lengths."""
    batch, steps, _ = emissions.shape
    best = chain.start + emissions[:, 0]
    origins = []
    for t in range(1, steps):
        scores, origin = (best[:, :, None] + chain.transitions).max(dim=1)  # (batch, labels)
        goes_on = (t < lengths)[:, None]
        best = torch.where(goes_on, scores + emissions[:, t], best)
        origins.append(origin)
    tag = (best + chain.end).argmax(dim=1)
    path = torch.zeros(batch, steps, dtype=torch.long, device=emissions.device)
    for t in range(steps - 1, -1, -1):
        inside = t < lengths
        path[:, t] = torch.where(inside, tag, 0)
        if t:
            before = origins[t - 1].gather(1, tag[:, None])[:, 0]
            tag = torch.where(inside, before, tag)
    return path


def marginals(chain: Chain, emissions: Tensor, lengths: Tensor) -> Tensor:
    """Probability of each label at each position, (batch, steps, labels): the gradient of the partition."""
    with torch.enable_grad():
        emissions = emissions.detach().requires_grad_()
        fixed = Chain(chain.start.detach(), chain.transitions.detach(), chain.end.detach())
        total = log_partition(fixed, emissions, lengths).sum()
        return torch.autograd.grad(total, emissions)[0]


class CRF(nn.Module):
    """Learned transitions over the emissions of a token classifier, within constraints."""

    def __init__(self, constraints: Chain) -> None:
        super().__init__()
        labels = len(constraints.start)
        self.start = nn.Parameter(torch.zeros(labels))
        self.transitions = nn.Parameter(torch.zeros(labels, labels))
        self.end = nn.Parameter(torch.zeros(labels))
        self.register_buffer("allowed_start", constraints.start, persistent=False)
        self.register_buffer("allowed_transitions", constraints.transitions, persistent=False)

    def chain(self) -> Chain:
        """The learned scores with the impossible moves ruled out."""
        return Chain(
            self.start + self.get_buffer("allowed_start"),
            self.transitions + self.get_buffer("allowed_transitions"),
            self.end,
        )

    def negative_log_likelihood(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """-log p(tags | emissions) of each sequence, (batch,); 0 for sequences of length 0."""
        chain = self.chain()
        safe = lengths.clamp(min=1)
        loss = log_partition(chain, emissions, safe) - path_score(chain, emissions, tags, safe)
        return torch.where(lengths > 0, loss, 0.0)
