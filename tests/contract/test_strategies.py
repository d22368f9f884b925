"""One suite that every strategy passes: it is a fold over the log of asks and tells, and an honest distribution."""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from archsearch.api import SearchSpace, Strategy
from archsearch.controller.session import Session
from archsearch.controller.strategies import STRATEGIES, make
from archsearch.controller.strategy import Strategy as Policy
from archsearch.controller.strategy import generator
from archsearch.controller_contract import Ask, Mismatch, Observation, ReplayRequest, Tell
from archsearch.space import Anchor, Decision, Draw, Genotype, Graph, Space, build, walk

CONFIGURED: dict[str, dict[str, Any]] = {
    # Every strategy of the release, as it is when the manifest says no more than its name ...
    **{name: {name: {}} for name in STRATEGIES},
    # ... and settings that take other ways through it.
    "default": {},
    "reinforce, paper": {"reinforce": {"preset": "Paper"}},
    "reinforce, step for each reward": {
        "reinforce": {"batchSize": 1, "entropyWeight": 0.1, "hiddenSize": 8, "layers": 1}
    },
    "ppo, steps for each reward": {"ppo": {"preset": "Fast", "batchSize": 1, "steps": 2, "hiddenSize": 8}},
    "regularizedEvolution, few": {"regularizedEvolution": {"population": 3, "sample": 2, "identityProbability": 0.25}},
    "evolution, few": {"evolution": {"population": 3}},
    "localSearch, best": {"localSearch": {"step": "Best"}},
}
WALKERS = {"random", "reinforce", "ppo"}
"""Strategies that draw decision by decision, also where a decision narrows the next."""
CHOOSERS = {"modelBased"}
"""Strategies whose child is chosen and not drawn: what they tell as log_probability does not add up to 1."""
SPACES: dict[str, dict[str, Any]] = {
    "choices": {"choices": [{"name": name, "values": [0, 1, 2]} for name in "abc"]},
    "one option": {"choices": [{"name": "only", "values": [7]}]},
    "cell": {"cell": {"blocks": 2, "operations": ["identity", "conv_3x3", "max_pool_3x3"]}},
    "recurrentCell": {"recurrentCell": {"base": 2}},
    "skips, growing": {
        "convolutional": {
            "depth": {"initial": 2, "final": 4, "every": 5, "step": 1},
            "filterHeights": [1, 3],
            "filterWidths": [3],
            "filters": [4, 8, 16],
        }
    },
}


class Narrowing:
    """Decisions that narrow one another, part ways, and skips of which at least one must be chosen.

    ``op``: 3 options; after op 0 comes ``size`` (3 options, of which 2 are legal), after others ``rate`` (2 options,
    after op 2 only one legal). Then a second ``op``, then skips of layer 2 from layers 0 and 1, not both refused.
    """

    kind = "narrowing"

    def stage(self, index: int) -> int:
        return 0

    def next(self, prefix: Sequence[int], stage: int) -> Decision | None:
        place = len(prefix)
        if place in (0, 2):
            return Decision(f"op{place}", "op", ("a", "b", "c"), (0, 1, 2))
        if place == 1 and prefix[0] == 0:
            return Decision("size", "size", (1, 3, 5), (0, 2))
        if place == 1:
            return Decision("rate", "rate", (0.1, 0.2), (1,) if prefix[0] == 2 else (0, 1))
        if place == 3:
            return Decision("skip0", "skip", (False, True), (0, 1), Anchor(2, 0))
        if place == 4:
            return Decision("skip1", "skip", (False, True), (0, 1) if prefix[3] else (1,), Anchor(2, 1))
        return None

    def size(self, stage: int | None = None) -> int:
        return len(children_of(self))

    def sample(self, draw: Draw, stage: int) -> Genotype:
        children = children_of(self)
        return children[draw(len(children))]

    def problem(self, genotype: Sequence[int], stage: int | None = None) -> str | None:
        return None if tuple(genotype) in children_of(self) else f"{genotype!r} is none of its children"

    def decode(self, genotype: Sequence[int]) -> dict[str, Any]:
        return {"kind": self.kind, "tokens": list(genotype)}

    def encode(self, architecture: dict[str, Any]) -> Genotype:
        return tuple(architecture["tokens"])

    def graph(self, architecture: dict[str, Any]) -> Graph:
        return Graph((), ())


def children_of(space: Space, stage: int = 0) -> list[Genotype]:
    """Every child of a small space."""
    done: list[Genotype] = []
    growing: list[Genotype] = [()]
    while growing:
        prefix = growing.pop()
        decision = space.next(prefix, stage)
        if decision is None:
            done.append(prefix)
        else:
            growing.extend((*prefix, token) for token in decision.legal)
    return sorted(done)


def space_of(name: str) -> Space:
    if name == "narrowing":
        return Narrowing()
    return build(SearchSpace.model_validate_json(json.dumps(SPACES[name])))


def policy_of(strategy: str, space: str, seed: int = 5) -> Policy:
    return make(Strategy.model_validate_json(json.dumps(CONFIGURED[strategy])), space_of(space), seed)


def session_of(strategy: str, space: str, seed: int = 5) -> Session:
    return Session(lambda: policy_of(strategy, space, seed), space_of(space))


def reward_of(genotype: Genotype, number: int) -> float | None:
    """Some reward; every seventh trial fails."""
    return None if number % 7 == 6 else 50 + 10 * math.sin(sum((place + 1) * t for place, t in enumerate(genotype)))


def live(session: Session, waiting: Sequence[int]) -> list[Ask | Tell]:
    """Drive a search: before each ask, ``waiting`` says which of the children in flight is told, -1 none; the log."""
    log: list[Ask | Tell] = []
    flying: list[Ask] = []
    told = 0
    for index, which in enumerate(waiting):
        if flying and which >= 0:
            child = flying.pop(which % len(flying))
            reward = reward_of(child.genotype, told)
            tell = Tell(observation=Observation(number=told, index=child.index, genotype=child.genotype, reward=reward))
            session.observe([tell.observation])
            log.append(tell)
            told += 1
        proposal = session.propose(index)
        ask = Ask(index=index, genotype=proposal.genotype, policy_version=proposal.policy_version)
        flying.append(ask)
        log.append(ask)
    return log


def kind_of(strategy: str) -> str:
    return Strategy.model_validate_json(json.dumps(CONFIGURED[strategy])).resolved().kind


DRAWING = [name for name in CONFIGURED if kind_of(name) not in CHOOSERS]


def everywhere(names: Collection[str]) -> pytest.MarkDecorator:
    """Each strategy on each space; the further settings of a strategy on two of them."""
    pairs = [
        (name, space)
        for name in names
        for space in ([*SPACES, "narrowing"] if name in STRATEGIES else ["choices", "skips, growing"])
        if space != "narrowing" or kind_of(name) in WALKERS
    ]
    return pytest.mark.parametrize(("strategy", "space"), pairs)


every = pytest.mark.parametrize("strategy", CONFIGURED)


def test_every_strategy_of_the_api_has_a_factory_and_is_tried_here() -> None:
    fields = {to_camel(name) for name in Strategy.model_fields}
    assert set(STRATEGIES) == fields == {kind_of(name) for name in CONFIGURED}
    assert set(STRATEGIES) >= WALKERS | CHOOSERS


@everywhere(CONFIGURED)
def test_a_proposal_depends_on_the_state_and_the_index_and_not_on_the_order_of_calls(strategy: str, space: str) -> None:
    one, other = policy_of(strategy, space), policy_of(strategy, space)
    forwards = [one.propose(index) for index in range(8)]
    backwards = [other.propose(index) for index in reversed(range(8))][::-1]
    assert forwards == backwards
    assert [one.propose(index) for index in range(8)] == forwards


@everywhere(CONFIGURED)
def test_asking_and_looking_change_nothing_that_the_hash_covers(strategy: str, space: str) -> None:
    policy = policy_of(strategy, space)
    before = policy.hash()
    child = policy.propose(0)
    policy.log_probability(0, child.genotype)
    policy.summary()
    first, second = policy.decisions(space_of(space).stage(0)), policy.decisions(space_of(space).stage(0))
    assert first == second
    assert policy.hash() == before == policy_of(strategy, space).hash()


@everywhere(CONFIGURED)
def test_every_child_is_of_its_stage_of_the_space(strategy: str, space: str) -> None:
    session, where = session_of(strategy, space), space_of(space)
    log = live(session, [0] * 20)
    asks = [entry for entry in log if isinstance(entry, Ask)]
    assert len(asks) == 20
    for ask in asks:
        assert where.problem(ask.genotype, where.stage(ask.index)) is None


@everywhere(CONFIGURED)
def test_another_seed_gives_other_children_and_another_hash(strategy: str, space: str) -> None:
    one, other = policy_of(strategy, space, 5), policy_of(strategy, space, 6)
    assert one.hash() != other.hash()
    if space != "one option":
        draws = [[policy.propose(index).genotype for index in range(12)] for policy in (one, other)]
        assert draws[0] != draws[1]


@everywhere(CONFIGURED)
def test_the_hash_changes_with_every_tell_also_of_a_failed_trial(strategy: str, space: str) -> None:
    policy = policy_of(strategy, space)
    hashes = [policy.hash()]
    for number, reward in enumerate([1.0, 1.0, None, 2.0, 0.5, None, 1.0, 1.0, 3.0, 1.0]):
        genotype = policy.propose(number).genotype
        policy.observe(Observation(number=number, index=number, genotype=genotype, reward=reward))
        hashes.append(policy.hash())
    assert len(set(hashes)) == len(hashes)


@everywhere(DRAWING)
def test_the_probabilities_of_all_children_add_up_to_one_before_and_after_learning(strategy: str, space: str) -> None:
    policy, where = policy_of(strategy, space), space_of(space)
    for number in range(17):
        stage = where.stage(number)
        if number in (0, 16) and where.size(stage) < 2000:
            total = sum(math.exp(policy.log_probability(number, child)) for child in children_of(where, stage))
            assert total == pytest.approx(1, abs=1e-4)
        genotype = policy.propose(number).genotype
        policy.observe(Observation(number=number, index=number, genotype=genotype, reward=reward_of(genotype, number)))


@everywhere(CONFIGURED)
def test_a_child_reports_its_own_log_probability_and_entropy(strategy: str, space: str) -> None:
    policy, where = policy_of(strategy, space), space_of(space)
    widest = max(len(decision.options) for decision in walk(where, first_child(where, where.stage(0)), where.stage(0)))
    for index in range(5):
        child = policy.propose(index)
        assert child.log_probability == pytest.approx(policy.log_probability(index, child.genotype), abs=1e-4)
        assert child.log_probability <= 0
        assert 0 <= child.entropy <= math.log(widest) + 1e-6


@pytest.mark.parametrize(
    ("strategy", "space", "children"),
    [(name, "choices", count) for name in DRAWING for count in (7, 32)]
    + [(name, "narrowing", 32) for name in sorted(WALKERS)],
)
def test_children_are_drawn_as_often_as_their_probability_says(strategy: str, space: str, children: int) -> None:
    policy = policy_of(strategy, space)
    for number in range(children):  # away from uniform
        genotype = policy.propose(number).genotype
        policy.adopt(number, genotype)
        policy.observe(
            Observation(number=number, index=number, genotype=genotype, reward=float(genotype[0] - genotype[2]))
        )
    draws = 400
    seen = Counter(policy.propose(1000 + index).genotype[:2] for index in range(draws))
    expected: Counter[Genotype] = Counter()
    for child in children_of(space_of(space)):
        expected[child[:2]] += math.exp(policy.log_probability(1000, child))  # type: ignore[assignment]
    for start, probability in expected.items():
        deviation = math.sqrt(draws * probability * (1 - probability))
        assert abs(seen[start] - draws * probability) < 4 * deviation + 1


@everywhere(CONFIGURED)
def test_decision_distributions_name_every_decision_and_add_up_to_one(strategy: str, space: str) -> None:
    policy, where = policy_of(strategy, space), space_of(space)
    for stage in {where.stage(0), where.stage(10**6)}:
        found = {entry.decision: entry for entry in policy.decisions(stage)}
        for decision in walk(where, first_child(where, stage), stage):
            entry = found[decision.name]
            assert (entry.kind, entry.options) == (decision.kind, decision.options)
            assert len(entry.probabilities) == len(decision.options)
            assert sum(entry.probabilities) == pytest.approx(1)


@pytest.mark.parametrize("strategy", sorted(WALKERS))
def test_decision_distributions_give_illegal_options_nothing(strategy: str) -> None:
    found = {entry.decision: entry for entry in policy_of(strategy, "narrowing").decisions(0)}
    assert set(found) == {"op0", "size", "rate", "op2", "skip0", "skip1"}
    assert found["size"].probabilities[1] == 0
    assert min(found["size"].probabilities[0], found["size"].probabilities[2]) > 0.1


@everywhere(CONFIGURED)
def test_decision_distributions_add_up_to_one_after_learning(strategy: str, space: str) -> None:
    session, where = session_of(strategy, space), space_of(space)
    live(session, [-1] * 3 + [0] * 22)
    found = session.policy().decisions
    assert found is not None
    known = {decision.name for decision in walk(where, first_child(where, where.stage(25)), where.stage(25))}
    assert known <= {entry.decision for entry in found}
    for entry in found:
        assert min(entry.probabilities) >= 0
        assert sum(entry.probabilities) == pytest.approx(1)


@pytest.mark.parametrize(
    ("strategy", "space"),
    [(name, space) for name in CONFIGURED for space in ("choices", "skips, growing")]
    + [(name, "narrowing") for name in sorted(WALKERS)],
)
@settings(max_examples=3)
@given(waiting=st.lists(st.integers(-1, 5), min_size=5, max_size=20))
def test_a_replay_is_the_live_policy_bit_for_bit_in_whatever_order_children_end(
    strategy: str, space: str, waiting: list[int]
) -> None:
    session = session_of(strategy, space)
    log = live(session, waiting)
    again = session_of(strategy, space)
    replayed = again.replay(log, verify=True)
    assert replayed.mismatches == ()
    assert again.policy() == session.policy()
    assert again.propose(len(waiting)) == session.propose(len(waiting))
    # What was asked before the replay is answered as it was then.
    for index in (0, len(waiting) // 2):
        before, after = session.propose(index), again.propose(index)
        assert after.model_copy(update={"log_probability": 0}) == before.model_copy(update={"log_probability": 0})
        assert after.log_probability == pytest.approx(before.log_probability, abs=1e-4)


@everywhere(CONFIGURED)
def test_a_replay_is_the_live_policy_with_eight_in_flight(strategy: str, space: str) -> None:
    session = session_of(strategy, space)
    # Eight are in flight once the first are told; they end in an order of their own, some of them failed.
    log = live(session, [-1] * 8 + [5, 0, 7, 3, 3, 6, 1, 0] * 3)
    assert sum(isinstance(entry, Tell) and entry.observation.reward is None for entry in log) == 3
    again = session_of(strategy, space)
    assert again.replay(log, verify=True).mismatches == ()
    assert again.policy() == session.policy()
    assert again.propose(32) == session.propose(32)


@every
def test_many_children_may_be_out_before_the_first_is_told(strategy: str) -> None:
    session, where = session_of(strategy, "skips, growing"), space_of("skips, growing")
    asks = [entry for entry in live(session, [-1] * 60) if isinstance(entry, Ask)]
    for number, ask in enumerate(reversed(asks)):
        session.observe([Observation(number=number, index=ask.index, genotype=ask.genotype, reward=float(number % 5))])
    genotype = session.propose(60).genotype
    assert where.problem(genotype, where.stage(60)) is None


@everywhere(CONFIGURED)
def test_children_that_it_would_not_have_drawn_are_taken_as_they_are(strategy: str, space: str) -> None:
    where = space_of(space)
    stream = generator(11, "foreign")
    log: list[Ask | Tell] = []
    for index in range(20):
        genotype = where.sample(lambda options: int(stream.integers(options)), where.stage(index))
        log.append(Ask(index=index, genotype=genotype, policy_version=max(0, index - 2)))
        if index >= 2:
            child = [entry for entry in log if isinstance(entry, Ask)][index - 2]
            reward = reward_of(child.genotype, index - 2)
            told = Observation(number=index - 2, index=child.index, genotype=child.genotype, reward=reward)
            log.append(Tell(observation=told))
    sessions = [session_of(strategy, space) for _ in range(2)]
    states = [session.replay(log) for session in sessions]
    assert states[0] == states[1]
    proposals = [session.propose(20) for session in sessions]
    assert proposals[0] == proposals[1]
    assert where.problem(proposals[0].genotype, where.stage(20)) is None
    for index in (0, 12, 19):  # also where it could not have drawn that child
        assert math.isfinite(sessions[0].propose(index).log_probability)


@every
def test_a_search_in_which_most_children_fail_goes_on_to_others(strategy: str) -> None:
    session = session_of(strategy, "skips, growing")
    found: list[Genotype] = []
    for index in range(40):
        genotype = session.propose(index).genotype
        reward = float(sum(genotype)) if index % 10 == 9 else None
        session.observe([Observation(number=index, index=index, genotype=genotype, reward=reward)])
        found.append(genotype)
    assert len(set(found[20:])) > 5


@pytest.mark.timeout(300)  # a fresh process imports torch, which a busy machine may take a minute over
@pytest.mark.parametrize("strategy", ["default", "reinforce"])
def test_a_fresh_process_replays_to_the_same_hash_and_goes_on_alike(strategy: str) -> None:
    session = session_of(strategy, "skips, growing")
    log = live(session, [0] * 30)
    request = ReplayRequest(log=tuple(log))
    program = (
        "import sys, json\n"
        "from archsearch.api import SearchSpace, Strategy\n"
        "from archsearch.controller.session import Session\n"
        "from archsearch.controller.strategies import make\n"
        "from archsearch.controller_contract import ReplayRequest\n"
        "from archsearch.space import build\n"
        "space_json, strategy_json, request = sys.stdin.read().splitlines()\n"
        "space = build(SearchSpace.model_validate_json(space_json))\n"
        "strategy = Strategy.model_validate_json(strategy_json)\n"
        "session = Session(lambda: make(strategy, space, 5), space)\n"
        "state = session.replay(ReplayRequest.model_validate_json(request).log)\n"
        "print(json.dumps([state.hash, session.propose(30).genotype, 'torch._dynamo' in sys.modules]))\n"
    )
    given_lines = [json.dumps(SPACES["skips, growing"]), json.dumps(CONFIGURED[strategy]), request.model_dump_json()]
    answer = subprocess.run(
        [sys.executable, "-c", program], input="\n".join(given_lines), capture_output=True, text=True, check=True
    )
    # The compiler of torch would cost every controller 4 s and 150 MiB at its start.
    assert json.loads(answer.stdout) == [session.policy().hash, list(session.propose(30).genotype), False]


@every
def test_an_ask_that_the_ledger_holds_otherwise_is_adopted_and_an_audit_names_it(strategy: str) -> None:
    session = session_of(strategy, "choices")
    log = live(session, [0] * 12)
    asks = [position for position, entry in enumerate(log) if isinstance(entry, Ask)]
    changed = log[asks[-1]]
    assert isinstance(changed, Ask)
    other = tuple((token + 1) % 3 for token in changed.genotype)
    log[asks[-1]] = changed.model_copy(update={"genotype": other})
    audited = session.replay(log, verify=True)
    assert audited.mismatches == (Mismatch(index=changed.index, logged=other, derived=changed.genotype),)
    assert session.propose(changed.index).genotype == other


@every
def test_rewards_of_any_size_leave_it_able_to_propose(strategy: str) -> None:
    policy = policy_of(strategy, "skips, growing")
    where = space_of("skips, growing")
    for number, reward in enumerate([0.0, 1e308, -1e308, 1e-308, -1.7e308, 1.7e308, 5e-324, 1e30] * 3):
        child = policy.propose(number)
        assert math.isfinite(child.log_probability)
        assert where.problem(child.genotype, where.stage(number)) is None
        policy.observe(Observation(number=number, index=number, genotype=child.genotype, reward=reward))
    summary = policy.summary()
    assert summary.baseline is None or math.isfinite(summary.baseline)
    assert summary.entropy is None or math.isfinite(summary.entropy)


@pytest.mark.parametrize("space", ["choices", "skips, growing"])
def test_equal_settings_written_out_or_left_to_the_preset_are_the_same_policy(space: str) -> None:
    short = make(Strategy(), space_of(space), 3)
    full = make(Strategy().resolved(), space_of(space), 3)
    assert short.hash() == full.hash()


def first_child(space: Space, stage: int) -> Genotype:
    """The child of first legal options."""
    prefix: Genotype = ()
    while (decision := space.next(prefix, stage)) is not None:
        prefix += (decision.legal[0],)
    return prefix
