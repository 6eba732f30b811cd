"""The linear chain against the sum and the maximum over every path, one by one."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from worker.engine.crf import (
    CRF,
    Chain,
    bio_constraints,
    log_partition,
    marginals,
    path_score,
    viterbi,
)

TAGS = ["O", "B-A", "I-A", "B-B", "I-B"]
TYPES = ["", "A", "A", "B", "B"]
LENGTHS = torch.tensor([4, 1, 3])


@pytest.fixture(params=range(5))
def random(request: pytest.FixtureRequest) -> torch.Generator:
    return torch.Generator().manual_seed(request.param)


def chain_of(random: torch.Generator, labels: int = len(TAGS)) -> Chain:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    return Chain(draw(labels), draw(labels, labels), draw(labels))


@torch.no_grad()
def scores(chain: Chain, emissions: Tensor) -> dict[tuple[int, ...], float]:
    """The score of every path over one unpadded sequence, added up step by step."""
    found = {}
    for path in product(range(emissions.shape[1]), repeat=len(emissions)):
        score = chain.start[path[0]] + chain.end[path[-1]]
        score = score + sum(emissions[t, tag] for t, tag in enumerate(path))
        for a, b in pairwise(path):
            score = score + chain.transitions[a, b]
        found[path] = float(score)
    return found


def is_bio(tags: list[str]) -> bool:
    return all(
        not tag.startswith("I-") or before[1:] == tag[1:]
        for before, tag in zip(["O", *tags], tags, strict=False)
    )


def test_the_likelihood_is_that_of_brute_force(random: torch.Generator) -> None:
    crf = CRF(bio_constraints(TAGS, TYPES))
    chain = chain_of(random)
    with torch.no_grad():
        crf.start.copy_(chain.start)
        crf.transitions.copy_(chain.transitions)
        crf.end.copy_(chain.end)
    emissions = torch.randn(3, 4, 5, generator=random)
    tags = torch.tensor([[1, 2, 0, 3], [3, 0, 0, 0], [0, 1, 2, 0]])
    loss = crf.negative_log_likelihood(emissions, tags, LENGTHS)
    for row, n in enumerate(LENGTHS.tolist()):
        every = scores(crf.chain(), emissions[row, :n])
        whole = torch.logsumexp(torch.tensor(list(every.values())), 0)
        assert loss[row].item() == pytest.approx(
            whole.item() - every[tuple(tags[row, :n].tolist())], abs=1e-4
        )


def test_viterbi_finds_the_best_of_all_paths(random: torch.Generator) -> None:
    chain, emissions = chain_of(random), torch.randn(3, 4, 5, generator=random)
    found = viterbi(chain, emissions, LENGTHS)
    for row, n in enumerate(LENGTHS.tolist()):
        every = scores(chain, emissions[row, :n])
        assert tuple(found[row, :n].tolist()) == max(every, key=every.__getitem__)
        assert not found[row, n:].any()


def test_marginals_are_the_shares_of_the_paths_through_a_label(random: torch.Generator) -> None:
    chain, emissions = chain_of(random), torch.randn(3, 4, 5, generator=random)
    found = marginals(chain, emissions, LENGTHS)
    for row, n in enumerate(LENGTHS.tolist()):
        every = scores(chain, emissions[row, :n])
        chances = torch.softmax(torch.tensor(list(every.values())), 0)
        wanted = torch.zeros(n, 5)
        for path, chance in zip(every, chances, strict=True):
            for t, tag in enumerate(path):
                wanted[t, tag] += chance
        torch.testing.assert_close(found[row, :n], wanted, atol=1e-4, rtol=1e-4)
        assert not found[row, n:].any()


def test_what_lies_beyond_a_sequence_changes_nothing(random: torch.Generator) -> None:
    chain, emissions = chain_of(random), torch.randn(3, 4, 5, generator=random)
    tags = torch.tensor([[1, 2, 0, 3], [3, 0, 0, 0], [0, 1, 2, 0]])
    filled, other = emissions.clone(), tags.clone()
    for row, n in enumerate(LENGTHS.tolist()):
        filled[row, n:], other[row, n:] = 1000.0, 4
    same = (
        log_partition(chain, emissions, LENGTHS),
        path_score(chain, emissions, tags, LENGTHS),
        viterbi(chain, emissions, LENGTHS),
        marginals(chain, emissions, LENGTHS),
    )
    again = (
        log_partition(chain, filled, LENGTHS),
        path_score(chain, filled, other, LENGTHS),
        viterbi(chain, filled, LENGTHS),
        marginals(chain, filled, LENGTHS),
    )
    for a, b in zip(same, again, strict=True):
        torch.testing.assert_close(a, b)


def test_no_impossible_tag_sequence_comes_out_however_much_the_emissions_want_it(
    random: torch.Generator,
) -> None:
    chain = bio_constraints(TAGS, TYPES)
    emissions = 30 * torch.randn(64, 12, 5, generator=random)
    emissions[..., [2, 4]] += 200  # everything should be inside of something
    for path in viterbi(chain, emissions, torch.full((64,), 12)).tolist():
        assert is_bio([TAGS[i] for i in path])


def test_constrained_decoding_is_the_best_of_the_allowed_paths(random: torch.Generator) -> None:
    chain, emissions = bio_constraints(TAGS, TYPES), torch.randn(1, 4, 5, generator=random)
    every = scores(chain, emissions[0])
    allowed = [path for path in every if is_bio([TAGS[i] for i in path])]
    found = viterbi(chain, emissions, torch.tensor([4]))[0]
    assert tuple(found.tolist()) == max(allowed, key=every.__getitem__)


def test_training_a_crf_never_makes_an_impossible_move_possible() -> None:
    crf = CRF(bio_constraints(TAGS, TYPES))
    optimizer = torch.optim.SGD(crf.parameters(), lr=1.0)
    tags, lengths = torch.tensor([[1, 2, 3, 4, 0]]), torch.tensor([5])
    for _ in range(50):
        optimizer.zero_grad()
        loss = crf.negative_log_likelihood(torch.zeros(1, 5, 5), tags, lengths).sum()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1
    emissions = torch.zeros(1, 5, 5)
    emissions[..., 2] = 500
    path = viterbi(crf.chain(), emissions, lengths)[0].tolist()
    assert is_bio([TAGS[i] for i in path])


def test_a_sequence_without_labelled_words_costs_nothing_and_has_a_gradient() -> None:
    crf = CRF(bio_constraints(TAGS, TYPES))
    emissions = torch.randn(2, 3, 5, requires_grad=True)
    loss = crf.negative_log_likelihood(
        emissions, torch.zeros(2, 3, dtype=torch.long), torch.tensor([0, 3])
    )
    assert loss[0] == 0
    loss.sum().backward()
    assert emissions.grad is not None
    assert not emissions.grad[0].any()
    assert torch.isfinite(emissions.grad).all()
