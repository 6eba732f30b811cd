"""Whatever three people do in whatever order: gold is never lost but by choice, and every counter is right."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import Annotation, Contribution, Example, Project, Remark, UnseenChange, now
from tests.api.conftest import Site
from tests.api.people import say
from tests.factories import make_project, make_user, work_off

PEOPLE = ("Ann", "Bo", "Cy")
ROLES = ("annotator", "reviewer", "manager")
LABELS = ("positive", "negative")
SAVES = ("stand", "stand", "replace", "replace", "propose", "skip", "skip")
MOVES = ("claim", "release", "lease", "seen", "leases end", "leases end", "again", "restore")
ACTIONS = (*SAVES, *SAVES, *MOVES, "role", "role", "import", "undo")
people = st.sampled_from(PEOPLE)
places = st.integers(0, 3)
"""Few, so that people meet."""


@dataclass
class Known:
    """What the test expects of one example."""

    gold: int | None = None
    gold_by: str | None = None
    status: str = "open"
    skipped_by: str | None = None
    newest: int = 0
    spoken: set[str] = field(default_factory=set)
    """Who has ever said anything of it."""


def machine(site: Site) -> type[RuleBasedStateMachine]:
    users = {name: make_user(name) for name in PEOPLE}
    callers = {name: site.caller(user) for name, user in users.items()}
    names = {user.id: name for name, user in users.items()}

    class ThreePeople(RuleBasedStateMachine):
        """Ann starts as the manager, Bo as a reviewer, Cy as an annotator."""

        def __init__(self) -> None:
            super().__init__()
            self.project: Project = make_project(users["Ann"])
            self.path = f"/projects/{self.project.id}"
            self.roles: dict[str, str] = {"Ann": "manager"}
            self.known: dict[int, Known] = {}
            self.imports: list[str] = []
            self.sent: list[tuple[str, int, str | None, dict[str, Any], int]] = []
            self.keys = 0

        @initialize()
        def begin(self) -> None:
            self.change_role(name="Bo", role="reviewer")
            self.change_role(name="Cy", role="annotator")
            self.import_rows()

        @rule(
            what=st.sampled_from(ACTIONS),
            name=people,
            place=places,
            label=st.sampled_from(LABELS),
            is_seldom=st.integers(0, 4).map(lambda n: n == 4),
        )
        def act(self, what: str, name: str, place: int, label: str, is_seldom: bool) -> None:
            """One rule for all: rules of their own would be left out by turns, so that people seldom meet."""
            if not self.known:  # all of it was taken back
                what = "import"
            match what:
                case "stand" | "replace" | "propose":
                    self.save(name, place, label, what, is_seldom)
                case "skip":
                    self.save(name, place, None, "replace" if is_seldom else "stand", False)
                case "claim":
                    self.claim(name, place if is_seldom else None)
                case "release" | "lease" | "seen":
                    self.touch(name, place, what)
                case "leases end":
                    self.leases_end()
                case "again":
                    self.send_again(place, is_seldom)
                case "restore":
                    self.restore(name, "all" if is_seldom else "mine")
                case "role":
                    self.change_role(name, "" if is_seldom else ROLES[place % 3])
                case "import":
                    self.import_rows()
                case "undo":
                    self.undo_import(place)

        # -- what people do ---------------------------------------------------------------------

        def claim(self, name: str, place: int | None) -> None:
            wish = {} if place is None else {"after": self.example(place)}
            answer = callers[name].post(f"{self.path}/queue/next", json=wish)
            assert answer.status_code in ((200, 204) if self.allowed(name) else (404,))
            if answer.status_code == 200:
                assert self.known[answer.json()["id"]].status == "open"

        def touch(self, name: str, place: int, what: str) -> None:
            answer = callers[name].post(f"{self.path}/examples/{self.example(place)}/{what}")
            assert answer.status_code in ((200, 204, 409) if self.allowed(name) else (404,))

        def leases_end(self) -> None:
            with session_scope() as session:
                session.execute(
                    update(Example)
                    .where(
                        Example.project_id == self.project.id, Example.lease_user_id.is_not(None)
                    )
                    .values(lease_until=now() - timedelta(seconds=1))
                )

        def save(
            self, name: str, place: int, label: str | None, effect: str, is_stale: bool
        ) -> None:
            example = self.example(place)
            known = self.known[example]
            base = max(0, known.newest - 1) if is_stale else known.newest
            self.keys += 1
            key = f"{self.project.id}-{self.keys}"
            answer = say(
                callers[name], self.project, example, label, base=base, effect=effect, key=key
            )
            if answer.status_code != 201:
                assert answer.status_code in ((403, 409, 422) if self.allowed(name) else (404,))
                return
            assert self.allowed(name)
            saved = answer.json()
            self.sent.append((name, example, label, saved, self.keys))
            if effect != "propose":
                assert base == known.newest, "somebody was overheard"
                others = known.gold is not None and known.gold_by != name
                assert not (label is None and known.gold is not None), "a skip took gold away"
                chosen = effect == "replace" and self.roles[name] in ("reviewer", "manager")
                assert chosen or not others, "gold was replaced without a choice"
                known.skipped_by = None if label else name
                known.status = "labelled" if label else "skipped"
                known.gold, known.gold_by = (saved["id"], name) if label else (None, None)
            assert saved["stands"] == (known.gold == saved["id"])
            known.newest = saved["id"]
            known.spoken.add(name)

        def send_again(self, which: int, other: bool) -> None:
            if not self.sent:
                return
            author, example, label, saved, key = self.sent[which % len(self.sent)]
            label = (LABELS[0] if label != LABELS[0] else LABELS[1]) if other else label
            if not self.allowed(author) or example not in self.known:
                return
            sent = f"{self.project.id}-{key}"
            answer = say(callers[author], self.project, example, label, base=0, key=sent)
            assert answer.status_code == (409 if other else 201)
            if not other:
                assert answer.json() == saved

        def restore(self, name: str, whose: str) -> None:
            answer = callers[name].post(f"{self.path}/queue/restore", json={"whose": whose})
            if whose == "all" and self.allowed(name) and self.roles[name] != "manager":
                assert answer.status_code == 403
            if answer.status_code != 200:
                return
            back = [
                known
                for known in self.known.values()
                if known.status == "skipped" and (whose == "all" or known.skipped_by == name)
            ]
            assert answer.json() == {"restored": len(back)}
            for known in back:
                known.status, known.skipped_by = "open", None

        # -- what a manager does ----------------------------------------------------------------

        def change_role(self, name: str, role: str) -> None:
            caller, user = callers[self.manager()], users[name]
            if role:
                answer = caller.put(
                    f"{self.path}/members", json={"email": user.email, "role": role}
                )
            else:
                answer = caller.delete(f"{self.path}/members/{user.id}")
            if answer.status_code == 204:
                self.roles.pop(name, None)
                if role:
                    self.roles[name] = role

        def import_rows(self) -> None:
            if len(self.imports) >= 3:
                return
            rows = [
                {"text": f"Open {len(self.imports)}."},
                {"text": f"Known {len(self.imports)}.", "annotation": {"labels": ["neutral"]}},
                {"text": f"Open again {len(self.imports)}."},
            ]
            before = set(self.known)
            answer = (
                callers[self.manager()].post(f"{self.path}/examples", json={"items": rows}).json()
            )
            assert work_off(answer["job"]["id"]).state == "succeeded"
            self.imports.append(answer["id"])
            with session_scope(read_only=True) as session:
                for example in self.examples(session).values():
                    if example.id not in before:
                        gold = example.gold_id
                        self.known[example.id] = Known(
                            gold, status=example.status, newest=gold or 0
                        )

        def undo_import(self, which: int) -> None:
            if which >= len(self.imports):
                return
            undone = callers[self.manager()].post(f"{self.path}/imports/{self.imports[which]}/undo")
            assert undone.status_code == 202
            assert work_off(undone.json()["undo"]["id"]).state == "succeeded"
            with session_scope(read_only=True) as session:
                left = set(self.examples(session))
            for gone in set(self.known) - left:
                assert not self.known.pop(gone).spoken, "what a person said went with an import"

        # -- what is always so ------------------------------------------------------------------

        @invariant()
        def tables_are_as_they_should_be(self) -> None:
            with session_scope(read_only=True) as session:
                examples = self.examples(session)
                self.gold_is_as_it_was_left(examples)
                self.counters_equal_what_the_tables_hold(session, examples)

        def gold_is_as_it_was_left(self, examples: dict[int, Example]) -> None:
            assert examples.keys() == self.known.keys()
            for example in examples.values():
                known = self.known[example.id]
                assert (example.gold_id, example.status) == (known.gold, known.status)
                assert names.get(example.skipped_by or "") == known.skipped_by
                assert example.lease_user_id is None or example.status == "open"

        def counters_equal_what_the_tables_hold(
            self, session: Session, examples: dict[int, Example]
        ) -> None:
            of_project = {"project_id": self.project.id}
            project = session.get_one(Project, self.project.id)
            counts = Counter(example.status for example in examples.values())
            assert project.example_count == len(examples)
            assert project.labelled_count == counts["labelled"]
            assert project.skipped_count == counts["skipped"]
            said = list(
                session.scalars(select(Annotation).filter_by(**of_project).order_by(Annotation.id))
            )
            unseen = list(session.scalars(select(UnseenChange).filter_by(**of_project)))
            for user in users.values():
                own = session.get(Contribution, (self.project.id, user.id))
                annotated = {one.example_id for one in said if one.user_id == user.id}
                skipped = [e for e in examples.values() if e.skipped_by == user.id]
                changed = [row for row in unseen if row.user_id == user.id]
                kept = (own.annotated, own.skipped, own.changed) if own else (0, 0, 0)
                assert kept == (len(annotated), len(skipped), len(changed))
            remarks = list(session.scalars(select(Remark).filter_by(**of_project)))
            waiting = {row.example_id for row in remarks if row.has_proposal}
            assert project.proposal_count == len(waiting)
            for user in users.values():
                own = session.get(Contribution, (self.project.id, user.id))
                mine = [row for row in remarks if row.user_id == user.id and row.has_proposal]
                assert (own.proposals if own else 0) == len(mine)
            newest = {(one.example_id, one.user_id): one for one in said}
            for row in remarks:
                one = newest[row.example_id, row.user_id]
                assert (one.id, one.is_proposal) == (row.annotation_id, row.has_proposal)
                gold = next((a for a in said if a.id == examples[row.example_id].gold_id), None)
                assert gold is None or gold.payload != one.payload, "settled, and still waiting"
            for row in unseen:
                gold = next(one for one in said if one.id == examples[row.example_id].gold_id)
                mine = [
                    one
                    for one in said
                    if (one.example_id, one.user_id, one.is_proposal)
                    == (row.example_id, row.user_id, False)
                    and one.payload is not None
                ]
                assert gold.user_id != row.user_id, "told of what they said themselves"
                assert mine, "told of a change of what they never said"
                assert mine[-1].id < gold.id

        def manager(self) -> str:
            return next(name for name, role in self.roles.items() if role == "manager")

        def allowed(self, name: str) -> bool:
            return name in self.roles

        def example(self, place: int) -> int:
            ids = sorted(self.known)
            return ids[place % len(ids)]

        def examples(self, session: Session) -> dict[int, Example]:
            found = session.scalars(select(Example).filter_by(project_id=self.project.id))
            return {example.id: example for example in found}

    return ThreePeople


def test_gold_is_never_lost_and_counters_are_right(site: Site) -> None:
    run_state_machine_as_test(
        machine(site),
        settings=settings(
            max_examples=5,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
