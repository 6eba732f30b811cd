"""What recipes with BIO tags share: spans to tags of words, windows of tagged words, tags back to spans.

A tag is O, B-TYPE or I-TYPE. The first piece of each word carries the word's tag; a word without pieces is
left out, so that a span runs over it where it lies inside and ends before it where it lies at an edge.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from worker.engine.alignment import Pieces
from worker.engine.crf import IMPOSSIBLE, Chain, bio_constraints, marginals, viterbi
from worker.engine.heads import TaskModel
from worker.engine.job import TokenSpan
from worker.engine.scoring import Answer
from worker.engine.windows import IGNORED, Window, cut
from worker.recipes.base import Encoder

OUTSIDE = "O"
Span = tuple[int, int, str]
"""Start and end offset in the text, and the type."""


@dataclass(frozen=True, slots=True)
class Found:
    """A decoded span with the words it covers, its first tag, and the least probability of its tags."""

    start: int
    end: int
    tag: str
    words: tuple[int, int]
    score: float


class TagSet:
    """Tags in order of their ids, and what BIO allows between them.

    A tag may say more than its type (`B-V:01`): `types` are what B and I must agree in.
    """

    def __init__(self, tags: Sequence[str], types: Sequence[str] | None = None) -> None:
        self.tags = list(tags)
        self.types = [tag[2:] for tag in tags] if types is None else list(types)
        self.number = {tag: i for i, tag in enumerate(tags)}
        self.constraints = bio_constraints(self.tags, self.types)

    def allowed(self, tags: Sequence[bool]) -> Tensor:
        """Scores to add to emissions so that only some tags can come out, (labels,)."""
        return torch.where(torch.tensor(tags), 0.0, IMPOSSIBLE)


def words_in(tokens: Sequence[TokenSpan], start: int, end: int) -> range:
    """The word tokens that a stretch of text touches."""
    return range(
        bisect_right(tokens, start, key=lambda t: t[1]),
        bisect_left(tokens, end, key=lambda t: t[0]),
    )


def layers_of(
    tokens: Sequence[TokenSpan], spans: Sequence[Span]
) -> Iterator[tuple[Span, range, int]]:
    """Each span with the words it touches and its layer: the first, from 0, where it touches no other span.
    Outer spans come before those that lie in them."""
    taken: list[set[int]] = []
    for span in sorted(spans, key=lambda s: (s[0], -s[1])):
        words = words_in(tokens, span[0], span[1])
        layer = next((i for i, those in enumerate(taken) if those.isdisjoint(words)), len(taken))
        if layer == len(taken):
            taken.append(set())
        taken[layer].update(words)
        yield span, words, layer


def tag_words(
    tokens: Sequence[TokenSpan],
    pieces: Pieces,
    spans: Sequence[Span],
    counts: Counter[str],
    *,
    layers: int = 1,
) -> list[dict[int, str]]:
    """For each layer, the tag of each word that is not outside.

    Counts `spans`, those `nested` too deep for the layers and so left out, and those `unaligned`: they
    cut through a word, or begin or end at a word without pieces, so that they are learned by the words
    they touch but can never be predicted exactly.
    """
    visible = set(pieces.words)
    tags: list[dict[int, str]] = [{} for _ in range(layers)]
    for (start, end, kind), touched, layer in layers_of(tokens, spans):
        counts["spans"] += 1
        if layer >= layers:
            counts["nested"] += 1
            continue
        usable = [word for word in touched if word in visible]
        exact = usable and (tokens[usable[0]][0], tokens[usable[-1]][1]) == (start, end)
        counts["unaligned"] += not exact
        for i, word in enumerate(usable):
            tags[layer][word] = f"{'I' if i else 'B'}-{kind}"
    return tags


def tag_windows(
    unit: int,
    pieces: Pieces,
    encoder: Encoder,
    *,
    targets: dict[int, int] | None,
    outside: int,
    inner: Sequence[dict[int, int]] = (),
    second: Sequence[int] = (),
    marked: frozenset[int] = frozenset(),
) -> list[Window]:
    """The windows of one unit. `targets` gives the tag ids of words that are not outside (None: no gold),
    `inner` those of the layers below; `second` is a second segment, `marked` the words that get its segment
    id in the text too."""
    first = pieces.first_pieces()
    if not first:
        return []
    frame = encoder.frame
    extra = len(second) + len(frame.between) if second else 0
    room = max(1, encoder.max_length - frame.size - extra)
    places = cut(len(pieces.ids), room)
    windows = []
    for start, end in places:
        ids, segments = frame.wrap(pieces.ids[start:end], second)
        shift = len(frame.before) - start
        for position in range(start, end):
            if pieces.words[position] in marked:
                segments[position + shift] = 1
        window = Window(unit, ids, segments)
        for word, position in first.items():
            if start <= position < end:
                left = position - start if start else len(pieces.ids)
                right = end - 1 - position if end < len(pieces.ids) else len(pieces.ids)
                window.words.append(word)
                window.positions.append(position + shift)
                window.context.append(min(left, right))
        if targets is not None:
            window.targets, *window.inner = (
                [layer.get(word, outside) for word in window.words] for layer in (targets, *inner)
            )
            window.weight = float(len(window.targets) * (1 + len(inner)))
        windows.append(window)
    return windows


def ignore_cut_spans(windows: Sequence[Window], tags: TagSet) -> None:
    """A later window may open in the middle of a span: those words are learned from the window before."""
    for window in windows[1:]:
        layers = [window.targets or [], *window.inner]
        cut_off = max(
            sum(1 for _ in takewhile(lambda t: tags.tags[t].startswith("I-"), layer))
            for layer in layers
        )
        for layer in layers:  # in step, so that all layers have the same words
            layer[:cut_off] = [IGNORED] * cut_off
        window.weight = float(sum(t != IGNORED for layer in layers for t in layer))


@torch.no_grad()
def decode(
    answers: Sequence[Answer],
    model: TaskModel,
    tags: TagSet,
    *,
    allowed: Tensor | None = None,
    with_scores: bool = False,
) -> list[tuple[list[int], list[float]]]:
    """The best allowed tag sequence of each answer, and the probability of each tag in it (else 1)."""
    if not answers:
        return []
    device = answers[0].logits.device
    constraints = Chain(*(t.to(device) for t in (
        tags.constraints.start, tags.constraints.transitions, tags.constraints.end
    )))  # fmt: skip
    chain = model.chain(constraints)
    lengths = torch.tensor([len(answer.words) for answer in answers], device=device)
    emissions = torch.nn.utils.rnn.pad_sequence([a.logits for a in answers], batch_first=True)
    if allowed is not None:
        emissions = emissions + allowed.to(device)
    paths = viterbi(chain, emissions, lengths)
    chances = torch.ones_like(paths, dtype=torch.float32)
    if with_scores:
        chances = marginals(chain, emissions, lengths).gather(2, paths[:, :, None])[:, :, 0]
    rows = zip(paths.tolist(), chances.tolist(), lengths.tolist(), strict=True)
    return [(path[:n], chance[:n]) for path, chance, n in rows]


def spans_of(
    words: Sequence[int],
    path: Sequence[int],
    chances: Sequence[float],
    tags: TagSet,
    tokens: Sequence[TokenSpan],
) -> list[Found]:
    """The spans that a valid tag sequence over some words says, by text offsets."""
    found: list[Found] = []
    i = 0
    while i < len(path):
        tag = tags.tags[path[i]]
        if not tag.startswith("B-"):
            i += 1
            continue
        kind = tags.types[path[i]]
        j = i + 1
        while j < len(path) and tags.tags[path[j]].startswith("I-") and tags.types[path[j]] == kind:
            j += 1
        found.append(
            Found(
                start=tokens[words[i]][0],
                end=tokens[words[j - 1]][1],
                tag=tag,
                words=(words[i], words[j - 1] + 1),
                score=min(chances[i:j]),
            )
        )
        i = j
    return found
