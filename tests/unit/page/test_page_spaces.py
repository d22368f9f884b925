"""Pictures and words for every space, for further metrics, for confirmed children, and for every strategy."""

import random
import re
from dataclasses import replace
from html import unescape

import pytest
from matplotlib.patches import FancyBboxPatch

from archsearch.api import SearchSpace, Strategy
from archsearch.engine.leaderboard import top
from archsearch.engine.record import SearchRecord
from archsearch.engine.rewards import reward_of
from archsearch.page import render, write_report
from archsearch.page.facts import Facts
from archsearch.page.networks import Card, network, networks
from archsearch.page.recurrent import TreePicture
from archsearch.page.story import story
from archsearch.page.strategies import how
from archsearch.page.style import svg
from archsearch.page.trees import lstm, tree_of
from archsearch.page.wiring import Row, wire
from archsearch.space import build
from archsearch.space.base import Architecture, Space

OWN = {"command": ["python3", "own.py"], "task": {"custom": {}}}
CELL = {"cell": {"blocks": 5}}
RECURRENT = {"recurrentCell": {"base": 8}}
ALSO = {"also": [{"metric": "parameters", "target": 45_000, "limit": 60_000}]}


def space_of(fields: dict[str, object]) -> Space:
    return build(SearchSpace.model_validate(fields, strict=False))


def sampled(space: Space, seed: int) -> Architecture:
    draws = random.Random(seed)
    return space.decode(space.sample(draws.randrange, 0))


def texts(picture: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture)]


def drawn(space: Space, architecture: Architecture) -> list[str]:
    return texts(svg(network(Card("one", graph=space.graph(architecture))), "one"))


NASNET = {
    "kind": "cell",
    "normal": {
        "blocks": [
            {"inputs": [0, 1], "operations": ["separable_5x5", "separable_3x3"], "combine": "add"},
            {"inputs": [1, 1], "operations": ["separable_5x5", "conv_1x7_7x1"], "combine": "concat"},
        ],
        "concat": [2, 3],
    },
    "reduction": {
        "blocks": [
            {"inputs": [0, 1], "operations": ["avg_pool_3x3", "identity"], "combine": "add"},
            {"inputs": [2, 2], "operations": ["max_pool_7x7", "dilated_3x3"], "combine": "add"},
        ],
        "concat": [3],
    },
}


def test_both_cells_are_drawn_with_every_operation_combination_and_state() -> None:
    found = drawn(space_of({"cell": {"blocks": 2}}), NASNET)
    assert {"normal cell", "reduction cell"} <= set(found)
    assert (found.count("h[i]"), found.count("h[i-1]"), found.count("h[i+1]")) == (2, 2, 2)
    assert found.count("add") == 3
    assert (
        found.count("concat") == 2
    )  # a block's of the normal cell, and the bar above its blocks; one state needs none
    lines = ["sep", "5x5", "3x3", "1x7", "7x1", "avg", "iden-", "tity", "max", "7x7", "dil"]
    assert set(lines) <= set(found)


@pytest.mark.parametrize("blocks", [1, 2, 5, 10])
def test_cells_of_any_size_are_drawn_and_no_box_lies_on_another(blocks: int) -> None:
    space = space_of({"cell": {"blocks": blocks}})
    for seed in range(4):
        figure = network(Card("one", graph=space.graph(sampled(space, seed))))
        (axes,) = figure.axes
        width, height = axes.get_xlim()[1], axes.get_ylim()[0]
        boxes = {p.get_path().get_extents().bounds for p in axes.patches if isinstance(p, FancyBboxPatch)}
        assert len(boxes) >= 2 * (3 * blocks + 2)
        places = sorted(boxes)
        for number, (left, top_, wide, tall) in enumerate(places):
            assert 0 <= left < left + wide <= width
            assert 0 <= top_ < top_ + tall <= height
            for left2, top2, wide2, tall2 in places[number + 1 :]:
                across = min(left + wide, left2 + wide2) - max(left, left2)
                down = min(top_ + tall, top2 + tall2) - max(top_, top2)
                assert across < 0 or down < 0


def test_a_recurrent_cell_has_every_node_and_its_states() -> None:
    space = space_of(RECURRENT)
    architecture = sampled(space, 3)
    found = drawn(space, architecture)
    every = [*architecture["nodes"], architecture["inject"]]
    names = {"add": "add", "elem_mult": "mult"}
    for combination, shown in names.items():
        assert found.count(shown) == sum(node["combine"] == combination for node in every)
    for activation in ("identity", "tanh", "sigmoid", "relu"):
        assert found.count(activation) == sum(node["activation"] == activation for node in every)
    assert {"x[t]", "h[t-1]", "c[t-1]", "h[t]", "c[t]"} <= set(found)


@pytest.mark.parametrize("base", [2, 4, 8, 16])
def test_nodes_of_one_level_stand_at_one_height_wherever_the_state_enters(base: int) -> None:
    space = space_of({"recurrentCell": {"base": base}})
    architecture = sampled(space, base)
    for node in range(2 * base - 1):
        entered = {**architecture, "inject": {**architecture["inject"], "node": node}, "output": node}
        tree = tree_of(space.graph(entered))
        assert len(tree.units) == 2 * base
        leaves = [tree.units[name] for name in tree.leaves]
        assert [(unit.column, unit.row) for unit in leaves] == [(place, 0) for place in range(base)]
        assert all(tree.units[source].row < tree.units[target].row for source, target in tree.links)
        rows = {unit.row: 0 for unit in tree.units.values()}
        for name, unit in tree.units.items():
            rows[unit.row] += name != "inject"
        assert sorted(rows.values()) == sorted([*(base >> level for level in range(base.bit_length())), 0])
        assert (tree.new_state, tree.old_state) == (f"node{node}", ("inject",))
        network(Card("one", graph=space.graph(entered)))


def test_the_lstm_has_its_gates_and_is_drawn_at_the_scale_of_the_cells() -> None:
    found = texts(svg(network(Card("LSTM", tree=lstm())), "one"))
    assert (found.count("sigmoid"), found.count("tanh"), found.count("mult"), found.count("add")) == (3, 2, 3, 5)
    space = space_of(RECURRENT)
    assert TreePicture(lstm()).width == TreePicture(tree_of(space.graph(sampled(space, 1)))).width


def test_networks_of_different_width_stand_side_by_side_within_the_picture() -> None:
    space = space_of(RECURRENT)
    cards = [Card("one", graph=space.graph(sampled(space, 1))), Card("LSTM", tree=lstm()), Card("no", problem="odd")]
    figure = networks(cards)
    for axes in figure.axes:
        left, below, width, height = axes.get_position().bounds
        assert left >= 0
        assert below >= 0
        assert left + width <= 1.0001
        assert below + height <= 1.0001


def test_a_wire_passes_between_boxes_and_no_two_share_their_place() -> None:
    row = Row(top=40.0, bottom=60.0, spans=[(10.0, 40.0), (60.0, 90.0)])
    ways = [wire((25.0, 100.0), (25.0, 0.0), [row], 100.0) for _ in range(4)]
    places = [way[1][0] for way in ways]
    assert all(not 10 < place < 40 and not 60 < place < 90 for place in places)
    assert len(set(places)) == 4
    assert all(way[1][0] == way[2][0] for way in ways)


@pytest.fixture(scope="module", params=["cell", "recurrentCell"])
def cells_record(request, record_maker) -> SearchRecord:
    return record_maker({"cell": CELL, "recurrentCell": RECURRENT}[request.param], 12, trial=OWN)


def test_the_page_draws_and_explains_cells(cells_record) -> None:
    page = render(cells_record)
    kind = cells_record.manifest.spec.search_space.kind
    assert ("For comparison: an LSTM" in page) is (kind == "recurrentCell")
    assert {"cell": "what no block reads is concatenated", "recurrentCell": "the root is the next hidden state"}[
        kind
    ] in page
    assert "The newest policy, place by place" in page
    assert "From image to classifier" not in page
    found = texts(page)
    assert {"cell": "block", "recurrentCell": "node"}[kind] in found


def test_fifty_decisions_are_a_line_each(record_maker) -> None:
    choices = [{"name": f"choice{n}", "values": ["left", "right"]} for n in range(50)]
    page = render(record_maker({"choices": choices}, 12, trial=OWN))
    assert "The newest policy, decision by decision" in page
    found = texts(page)
    assert {f"choice{n}" for n in range(50)} <= set(found)
    assert "Of 50 decisions the 24 of which the policy is surest are drawn." in page


def confirmed(record: SearchRecord, drop: float) -> SearchRecord:
    """The best three trained once more, each ``drop`` worse than before."""
    objective = record.manifest.spec.objective
    again = []
    for place, child in enumerate(top(record.trials, 3, objective)):
        metrics = {**child.metrics, "accuracy": child.metrics["accuracy"] - drop}
        reward = reward_of(objective, metrics)
        assert isinstance(reward, float)
        again.append(
            replace(
                child, index=len(record.trials) + place, confirm_of=child.index, observation=None, duplicate_of=None,
                reuse_of=None, metrics=metrics, reward=reward,
            )
        )  # fmt: skip
    return replace(record, trials=(*record.trials, *again))


def test_confirmed_children_stand_with_both_rewards_and_their_luck_is_told(record_maker, tmp_path) -> None:
    record = confirmed(record_maker(children=20), 0.02)
    text = " ".join(story(Facts(record)))
    assert "3 of them were trained once more at the end" in text
    assert "The best 3 children were trained once more with a fresh seed and ranked by the mean" in text
    assert "0.02 had been luck, for the best of many is lucky" in text
    assert "on average over two trainings" in text
    best, *_ = Facts(record).rows()
    first, second = (float(value) for value in best.rewards.split(" / "))
    assert first - second == pytest.approx(0.02)
    assert float(best.reward) == pytest.approx((first + second) / 2, abs=1e-5)
    assert "children asked for" in text or "20 children were asked for" in text
    write_report(record, tmp_path)
    assert (tmp_path / "pictures" / "confirming.png").is_file()
    assert "no luck to take off" in " ".join(story(Facts(confirmed(record_maker(children=20), -0.02))))


def test_further_metrics_have_their_picture_and_the_pareto_set_its_table(record_maker, tmp_path) -> None:
    record = record_maker(children=30, objective=ALSO)
    facts = Facts(record)
    assert facts.tradeoffs is not None
    members = facts.tradeoffs.members
    assert members
    assert all(member.metrics["parameters"] <= 60_000 for member in members)
    page = render(record)
    assert f"{len(members)} child{'ren are' if len(members) > 1 else ' is'} beaten by no other" in page
    assert "parameters: less is better, target 45,000, weight -0.07, never best beyond 60,000" in page
    found = texts(page)
    assert {"Pareto set", "target", "limit", "parameters (less is better)"} <= set(found)
    assert Facts(record_maker(children=5)).tradeoffs is None


STRATEGIES = [
    ({"random": {}}, "drawn uniformly"),
    ({"reinforce": {}}, "REINFORCE teaches"),
    ({"ppo": {}}, "proximal policy optimisation"),
    ({"regularizedEvolution": {"population": 20, "sample": 5}}, "(population 20, sample 5)"),
    ({"evolution": {}}, "pairwise tournaments"),
    ({"localSearch": {}}, "hill climbing with restarts"),
    ({"modelBased": {}}, "a model of them"),
]


def test_every_strategy_has_words() -> None:
    assert {next(iter(fields)) for fields, _ in STRATEGIES} == {
        field.alias or name for name, field in Strategy.model_fields.items()
    }


@pytest.mark.parametrize(("fields", "words"), STRATEGIES, ids=[next(iter(fields)) for fields, _ in STRATEGIES])
def test_the_story_says_how_children_were_chosen(record_maker, fields, words) -> None:
    strategy = Strategy.model_validate(fields, strict=False).resolved()
    assert words in how(strategy)
    record = replace(record_maker(children=4), strategy=strategy)
    assert f"Children were {how(strategy)}." in " ".join(story(Facts(record)))
