"""The session: idempotent, strict about order, whole or not at all."""

from collections.abc import Callable
from typing import Any

import pytest

from archsearch.api import Choice, SearchSpace, Strategy
from archsearch.controller.fold import Refused
from archsearch.controller.session import Session
from archsearch.controller.strategies import make
from archsearch.controller.strategy import Sampled
from archsearch.controller.strategy import Strategy as Policy
from archsearch.controller_contract import Ask, Observation, PolicyState, Tell
from archsearch.space import Genotype, build

SPACE = build(SearchSpace(choices=(Choice(name="a", values=(0, 1, 2)), Choice(name="b", values=(0, 1, 2)))))


def policy() -> Policy:
    return make(Strategy(), SPACE, 4)


@pytest.fixture
def session() -> Session:
    return Session(policy, SPACE)


def ask(session: Session, children: int) -> list[Genotype]:
    return [session.propose(index).genotype for index in range(children)]


def told(number: int, index: int, genotype: Genotype, reward: float | None = 1.0) -> Observation:
    return Observation(number=number, index=index, genotype=genotype, reward=reward)


def refusal(call: Callable[[], Any]) -> tuple[int, str, str]:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.status, caught.value.reason, caught.value.message


def test_asking_twice_gives_the_same_answer_even_after_the_policy_has_moved_on(session: Session) -> None:
    children = [session.propose(index) for index in range(12)]
    for number, child in enumerate(children):
        session.observe([told(number, number, child.genotype, float(number))])
    assert [session.propose(index) for index in range(12)] == children
    assert session.health().asked == 12


def test_asks_follow_the_index(session: Session) -> None:
    status, reason, message = refusal(lambda: session.propose(1))
    assert (status, reason) == (409, "AskOutOfOrder")
    assert "index is 1; the next child is 0" in message


def test_a_version_that_is_not_the_policys_is_a_conflict_and_asks_nothing(session: Session) -> None:
    assert refusal(lambda: session.propose(0, 1))[:2] == (409, "VersionDiffers")
    assert session.health().asked == 0
    assert session.propose(0, 0).policy_version == 0
    # The version is a condition on new asks: an old one is answered as it was.
    assert session.propose(0, 7) == session.propose(0)


def test_the_version_of_a_proposal_counts_the_observations_taught(session: Session) -> None:
    first, second = ask(session, 2)
    session.observe([told(0, 1, second)])
    assert session.propose(2).policy_version == 1
    session.observe([told(1, 0, first, None)])
    assert session.propose(3, 2).policy_version == 2


def test_observations_told_again_are_passed_over_and_new_ones_after_them_are_taught(session: Session) -> None:
    children = ask(session, 3)
    first = [told(number, number, children[number]) for number in range(2)]
    state = session.observe(first)
    assert session.observe(first) == state
    assert session.observe([*first, told(2, 2, children[2])]).version == 3
    assert session.observe([first[1]]).version == 3


@pytest.mark.parametrize(
    ("observations", "reason", "message"),
    [
        ([(3, 2, 0, 1.0)], "ObservationOutOfOrder", "observation number is 3; the next one is 2"),
        ([(2, 2, 0, 1.0), (4, 3, 0, 1.0)], "ObservationOutOfOrder", "observation number is 4; the next one is 3"),
        ([(0, 0, 0, 2.0)], "ObservationDiffers", "observation 0 has reward 2.0; it was taught with 1.0"),
        ([(0, 0, 0, None)], "ObservationDiffers", "observation 0 has reward None; it was taught with 1.0"),
        ([(0, 1, 0, 1.0)], "ObservationDiffers", "observation 0 has index 1; it was taught with 0"),
        ([(0, 0, 1, 1.0)], "ObservationDiffers", "observation 0 has genotype"),
        ([(2, 2, 0, 1.0), (2, 2, 0, 3.0)], "ObservationDiffers", "observation 2 has reward 3.0"),
        ([(2, 5, 0, 1.0)], "UnknownChild", "observation 2 is of child 5; asked: 4"),
        ([(2, 1, 0, 1.0)], "ChildToldTwice", "observation 2 is of child 1, which was told before"),
        ([(2, 2, 0, 1.0), (3, 2, 0, 1.0)], "ChildToldTwice", "observation 3 is of child 2"),
        ([(2, 2, 1, 1.0)], "GenotypeDiffers", "child 2 was proposed as"),
    ],
)
def test_observations_that_do_not_fit_are_a_conflict_and_none_of_them_is_taught(
    session: Session, observations: list[tuple[int, int, int, float | None]], reason: str, message: str
) -> None:
    children = ask(session, 4)
    before = session.observe([told(number, number, children[number]) for number in range(2)])
    # The third entry says by how much the first token is off.
    sent = [
        told(number, index, ((children[index % 4][0] + off) % 3, *children[index % 4][1:]), reward)
        for number, index, off, reward in observations
    ]
    status, found, text = refusal(lambda: session.observe(sent))
    assert (status, found) == (409, reason)
    assert message in text
    assert session.policy().hash == before.hash
    assert session.health().version == 2


def log_of(session: Session, children: int) -> list[Ask | Tell]:
    log: list[Ask | Tell] = []
    for index in range(children):
        child = session.propose(index)
        log.append(Ask(index=index, genotype=child.genotype, policy_version=child.policy_version))
        observation = told(index, index, child.genotype, float(index % 3))
        session.observe([observation])
        log.append(Tell(observation=observation))
    return log


def test_a_replay_starts_from_nothing_whatever_was_before(session: Session) -> None:
    log = log_of(session, 9)
    whole = session.policy()
    assert session.replay(log[:6]).version == 3
    assert session.replay([]).hash == Session(policy, SPACE).policy().hash
    replayed = session.replay(log)
    assert replayed.mismatches is None
    assert replayed.hash == whole.hash


def change(log: list[Ask | Tell], position: int, **fields: Any) -> list[Ask | Tell]:
    entry = log[position]
    if isinstance(entry, Tell):
        changed: Ask | Tell = Tell(observation=entry.observation.model_copy(update=fields))
    else:
        changed = entry.model_copy(update=fields)
    return [*log[:position], changed, *log[position + 1 :]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda log: log[1:], "log[0]: observation 0 is of child 0; asked: 0"),
        (lambda log: log[:2] + log[3:], "log[2]: observation 1 is of child 1; asked: 1"),
        (lambda log: log[:1] + log[2:], "log[1]: ask of child 1 has policyVersion 1; 0 tells came before"),
        (lambda log: change(log, 2, index=5), "log[2]: ask of child 5; the next child is 1"),
        (lambda log: change(log, 2, policy_version=0), "policyVersion 0; 1 tells came before"),
        (lambda log: change(log, 0, genotype=(0, 9)), "log[0]: ask of child 0: token 1 (b) is 9; allowed: 0 (0)"),
        (lambda log: change(log, 0, genotype=(0,)), "log[0]: ask of child 0: genotype ends after 1 tokens"),
        (lambda log: change(log, 1, number=1), "log[1]: observation number is 1; the next one is 0"),
        (lambda log: [*log[:2], log[1], *log[2:]], "log[2]: observation number is 0; the next one is 1"),
        (lambda log: [*log[:3], log[2], *log[3:]], "log[3]: ask of child 1; the next child is 2"),
    ],
)
def test_a_log_that_does_not_follow_is_refused_with_its_place_and_changes_nothing(
    session: Session, damage: Callable[[list[Ask | Tell]], list[Ask | Tell]], message: str
) -> None:
    log = log_of(session, 4)
    before = session.policy()
    status, reason, text = refusal(lambda: session.replay(damage(log)))
    assert (status, reason) == (400, "BadLog")
    assert message in text
    assert session.policy() == before


class Fragile:
    """A strategy whose every call may be told to fail."""

    name = "fragile"
    fails = ""

    def __init__(self) -> None:
        self.inner = policy()

    def __getattr__(self, name: str) -> Any:
        if name == self.fails:
            raise MemoryError("no room")
        return getattr(self.inner, name)

    def propose(self, index: int) -> Sampled:
        if self.fails == "propose":
            raise MemoryError("no room")
        return self.inner.propose(index)


def test_a_strategy_that_fails_while_it_learns_answers_nothing_until_the_ledger_is_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session(Fragile, SPACE)
    log = log_of(session, 3)
    child = session.propose(3)
    before: PolicyState = session.policy()
    monkeypatch.setattr(Fragile, "fails", "observe")
    with pytest.raises(MemoryError):
        session.observe([told(3, 3, child.genotype)])
    monkeypatch.setattr(Fragile, "fails", "")
    for call in (lambda: session.propose(4), lambda: session.observe([told(3, 3, child.genotype)]), session.policy):
        assert refusal(call)[:2] == (409, "StateLost")
    log.append(Ask(index=3, genotype=child.genotype, policy_version=3))
    assert session.replay(log).hash == before.hash
    assert session.propose(4).policy_version == 3


def test_a_strategy_that_cannot_propose_says_why_and_goes_on_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(Fragile, SPACE)
    monkeypatch.setattr(Fragile, "fails", "propose")
    status, reason, message = refusal(lambda: session.propose(0))
    assert (status, reason) == (422, "ProposalFailed")
    assert "MemoryError: no room" in message
    monkeypatch.setattr(Fragile, "fails", "")
    assert session.propose(0).genotype == policy().propose(0).genotype
