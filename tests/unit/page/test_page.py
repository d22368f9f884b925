import json
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser

import pytest
from ruamel.yaml import YAML

from archsearch.api import Objective, Strategy
from archsearch.engine.leaderboard import times_sampled, top
from archsearch.engine.model import Outcome, Phase, Result
from archsearch.engine.record import HumanBaseline, SearchRecord
from archsearch.page import render, write_report
from archsearch.page.facts import Facts, short_genotype
from archsearch.page.manifest import manifest_yaml
from archsearch.page.story import story
from archsearch.space import build

VOID = {"meta", "br", "link", "img", "input", "hr"}
NASTY = (
    "</code><script>alert(1)</script> \" ' & $x_{$ \\frac #2a6fb0 font-family: 'DejaVu Sans' 漢字 \x00\x1b[31m\nnext"
)


class Page(HTMLParser):
    """What a browser would make of a page: tags that balance, attributes, text, tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


def read(record: SearchRecord) -> Page:
    page = Page(render(record))
    assert page.open == []
    return page


def bare(record: SearchRecord, **fields: object) -> SearchRecord:
    return replace(record, **{"trials": (), "policy": (), "outcome": None, "human": None, "warnings": (), **fields})  # type: ignore[arg-type]


def failed(record: SearchRecord, message: str = "out of memory") -> SearchRecord:
    trials = tuple(
        replace(t, phase=Phase.FAILED, reward=None, metrics={}, reason="OutOfMemory", message=message, failures=1)
        for t in record.trials
    )
    end = Outcome(Result.FAILED, "TooManyFailures", "11 children failed; trials.maxFailed is 10")
    return replace(record, trials=trials, outcome=end)


def test_the_table_has_the_record_s_numbers_of_the_best_25(convolutional_record, convolutional_html):
    best = top(convolutional_record.trials, 25, Objective())
    header, *rows = Page(convolutional_html).tables[0]
    assert header[:5] == ["rank", "child", "reward", "accuracy", "testAccuracy"]
    assert len(rows) == len(best) == 25
    sampled = times_sampled(convolutional_record.trials)
    for rank, (row, trial) in enumerate(zip(rows, best, strict=True), start=1):
        assert row[:2] == [str(rank), str(trial.index)]
        assert float(row[2]) == pytest.approx(trial.reward, abs=5e-6)
        assert row[3] == f"{100 * trial.metrics['accuracy']:.2f} %"
        assert row[4] == f"{100 * trial.metrics['testAccuracy']:.2f} %"
        assert row[header.index("policy version")] == str(trial.policy_version)
        assert row[header.index("parameters")] == f"{trial.metrics['parameters']:,.0f}"
        assert row[header.index("genotype")] == short_genotype(trial.genotype)
        assert int(row[-1]) == sampled[trial.network] - 1


def test_a_child_sampled_often_stands_once_and_says_how_often_it_came_again(choices_record, choices_html):
    rows = Page(choices_html).tables[0][1:]
    assert len({row[1] for row in rows}) == len(rows)
    sampled = times_sampled(choices_record.trials)
    assert sum(int(row[-1]) for row in rows) == sum(
        sampled[t.network] - 1 for t in top(choices_record.trials, 25, Objective())
    )


def test_the_story_names_the_best_child_and_warns_that_it_was_picked(convolutional_record, convolutional_html):
    best = top(convolutional_record.trials, 1, Objective())[0]
    text = Page(convolutional_html).text
    assert f"The best child, number {best.index}, reached a validation accuracy" in text
    gap = 100 * abs(best.metrics["accuracy"] - 0.958)
    assert f"{gap:.2f} percentage points worse than the human baseline (95.80 %)" in text
    assert "so it flatters the child" in text
    assert f"the same child has {100 * best.metrics['testAccuracy']:.2f} %" in text


@pytest.mark.parametrize(
    ("human", "words"),
    [(0.5, "percentage points better than the human baseline (50.00 %)"), (0.999, "worse than the human baseline")],
)
def test_the_story_is_honest_about_who_is_ahead(convolutional_record, human, words):
    baseline = replace(convolutional_record.human, metrics={"accuracy": human})
    assert words in " ".join(story(Facts(replace(convolutional_record, human=baseline))))


def test_less_is_better_where_the_objective_is_minimised(record_maker):
    record = record_maker(children=12, objective={"metric": "loss", "direction": "Minimize"})
    facts = Facts(record)
    assert facts.best[0].metrics["loss"] == min(t.metrics["loss"] for t in record.trials if t.metrics)
    worse = replace(record, human=replace(record.human, metrics={"loss": 99.0}))
    assert "better than the human baseline (99)" in " ".join(story(Facts(worse)))
    assert "less is better" in render(record)


def test_a_search_without_test_figure_says_so(convolutional_record):
    trials = tuple(
        replace(t, metrics={k: v for k, v in t.metrics.items() if k != "testAccuracy"})
        for t in convolutional_record.trials
    )
    text = " ".join(story(Facts(replace(convolutional_record, trials=trials, human=None))))
    assert "No test figure was reported" in text


def test_key_figures_count_children_and_add_their_time(choices_record):
    figures = {figure.name: figure for figure in Facts(choices_record).figures()}
    reused = sum(t.reuse_of is not None for t in choices_record.trials)
    assert figures["children asked for"].value == "80"
    assert f"{reused} reused" in figures["children asked for"].note
    assert reused > 0
    total = sum(t.seconds for t in choices_record.trials)
    assert figures["time of children"].value == f"{round(total) // 60} min {round(total) % 60:02d} s"


def test_time_is_what_was_measured_on_gpus_cpus_or_the_clock(record_maker):
    record = record_maker(children=4)

    def times(**fields):
        trials = tuple(replace(t, seconds=60.0, **fields) for t in record.trials)
        figures = {figure.name: figure.value for figure in Facts(replace(record, trials=trials)).figures()}
        return {name: value for name, value in figures.items() if name in ("GPU time", "CPU time", "time of children")}

    assert times() == {"time of children": "4 min 00 s"}
    assert times(cpu_seconds=90.0) == {"CPU time": "6 min 00 s"}
    half = tuple(replace(t, seconds=60.0, cpu_seconds=30.0 * (t.index % 2)) for t in record.trials)
    names = [figure.name for figure in Facts(replace(record, trials=half)).figures()]
    assert "CPU time" not in names
    assert "time of children" in names
    measured = {"accuracy": 0.5, "gpuSeconds": 30.0}
    assert times(cpu_seconds=90.0, metrics=measured) == {"GPU time": "2 min 00 s", "CPU time": "6 min 00 s"}


def test_columns_are_the_objective_the_test_part_and_what_differs_between_children(convolutional_record):
    trials = tuple(
        replace(t, metrics={**t.metrics, "epochs": 6.0, "aaa": float(t.index)} if t.metrics else {})
        for t in convolutional_record.trials
    )
    names = Facts(replace(convolutional_record, trials=trials)).metric_names
    assert names == ("accuracy", "testAccuracy", "parameters", "loss")


def test_the_page_loads_nothing(convolutional_html, choices_html):
    for html in (convolutional_html, choices_html):
        assert "http://" not in html
        assert "https://" not in html
        assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", html)
        for tag, attributes in Page(html).tags:
            assert tag not in ("script", "link", "iframe", "object", "embed")
            for name, value in attributes.items():
                if name in ("src", "href", "xlink:href"):
                    assert value is not None
                    assert value.startswith(("#", "data:image/png;base64,"))
                assert not name.startswith("on")


def test_ids_are_unique_and_every_reference_has_its_target(convolutional_html):
    html = convolutional_html
    ids = [attributes["id"] for _, attributes in Page(html).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', html)) <= set(ids)


def test_every_picture_has_words_for_those_who_cannot_see_it(convolutional_html):
    page = Page(convolutional_html)
    pictures = [attributes for _, attributes in page.tags if attributes.get("role") == "img"]
    assert len(pictures) == 5 + 6
    assert all(len(attributes["aria-label"] or "") > 40 for attributes in pictures)
    hidden = [attributes.get("aria-hidden") for tag, attributes in page.tags if tag == "svg"]
    assert hidden == ["true"] * len(pictures)


def test_pictures_take_their_colours_from_the_page_so_that_dark_fits(convolutional_html):
    html = convolutional_html
    styles = html[: html.index("</style>")]
    assert "prefers-color-scheme: dark" in styles
    used = set(re.findall(r"var\(--(\w+)\)", html))
    assert {"ink", "blue", "orange", "grid"} <= used
    assert used <= set(re.findall(r"--(\w+):", styles))
    assert not re.search(r"#1c2530|#2a6fb0", html[html.index("</style>") :])


def test_the_manifest_leaves_out_what_only_a_cluster_reads_unless_it_was_set(record_maker):
    task = {"imageClassification": {"dataset": {"digits": {}}}}
    plain = manifest_yaml(record_maker(children=1, trial={"task": task}))
    assert "resources" not in plain
    assert "controller" not in plain
    assert "epochs: 10" in plain
    limits = {"limits": {"nvidia.com/gpu": 1}}
    asked = manifest_yaml(record_maker(children=1, trial={"task": task, "resources": limits}, suspend=True))
    assert YAML(typ="safe").load(asked)["spec"]["trial"]["resources"] == limits
    assert "suspend: true" in asked


@pytest.mark.parametrize("reproducible", [True, False])
def test_the_manifest_can_be_read_back_with_the_strategy_in_force(record_maker, reproducible):
    record = record_maker(children=3, trials={"max": 3, "reproducible": reproducible})
    html = render(record)
    shown = unescape(re.search(r'<pre class="manifest"[^>]*>(.*?)</pre>', html, re.DOTALL)[1])
    fields = json.loads(json.dumps(YAML(typ="safe").load(shown)))
    again = type(record.manifest).model_validate_json(json.dumps(fields))
    assert again.spec.strategy == record.strategy
    assert again.spec.search_space == record.manifest.spec.search_space
    assert again.spec.trials == record.manifest.spec.trials
    assert again.spec.seed == record.manifest.spec.seed
    assert "archsearch run search.yaml" in html


def test_failures_are_grouped_by_reason_with_their_messages(convolutional_record, convolutional_html):
    table = Page(convolutional_html).tables[-1]
    broken = [t for t in convolutional_record.trials if t.phase is Phase.FAILED]
    assert broken
    assert table[1][:2] == ["TrainingDiverged", str(len(broken))]
    assert table[1][2] == ", ".join(str(t.index) for t in broken)
    assert "<script>alert('x')</script>" in table[1][3]


@pytest.mark.parametrize("space", ["convolutional", "choices"])
def test_text_from_outside_is_text_wherever_it_stands(record_maker, space):
    if space == "choices":
        record = record_maker(
            {"choices": [{"name": "a.b-c", "values": [NASTY, True, 1, 1.5]}, {"name": "d", "values": [1, 2]}]},
            12,
            objective={"metric": "val_accuracy"},
        )
    else:
        record = record_maker(children=8)
    trials = tuple(
        replace(t, phase=Phase.FAILED, reward=None, reason="Odd", message=NASTY) if t.index == 3 else t
        for t in record.trials
    )
    record = replace(
        record, trials=trials, warnings=(NASTY,), versions={NASTY: NASTY, "archsearch": NASTY},
        outcome=Outcome(Result.SUCCEEDED, "TargetReached", NASTY), human=HumanBaseline({"kind": NASTY}, {}, 0.0, NASTY),
    )  # fmt: skip
    page = read(record)
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert page.text.count("<script>alert(1)</script>") >= 6


def test_lone_surrogates_in_a_message_do_not_stop_the_page(record_maker, tmp_path):
    record = failed(record_maker(children=3), "bytes \udcff of a log")
    assert b"bytes ? of a log" in write_report(record, tmp_path).read_bytes()


def test_files_are_the_page_and_one_picture_of_each_kind(convolutional_record, convolutional_html, tmp_path):
    page = write_report(convolutional_record, tmp_path)
    assert page == tmp_path / "report.html"
    assert page.read_text(encoding="utf-8") == convolutional_html
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["layers.png", "networks.png", "options.png", "policy.png", "rewards.png", "time.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "pictures").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures", "report.html"]


def test_equal_records_give_equal_bytes(record_maker, tmp_path):
    for name in ("one", "two"):
        write_report(record_maker({"convolutional": {"depth": {"initial": 3}}}, 10), tmp_path / name)
    for path in [tmp_path / "one" / "report.html", *(tmp_path / "one" / "pictures").iterdir()]:
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes(), path.name


def test_a_page_that_cannot_be_replaced_stays_whole_and_leaves_nothing_behind(convolutional_record, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_report(bare(convolutional_record), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures", "report.html"]


def unfinished(record: SearchRecord) -> SearchRecord:
    running = replace(record.trials[-1], phase=Phase.RUNNING, reward=None, metrics={}, completed=None, seconds=0.0)
    waiting = replace(running, phase=Phase.PENDING, started=None)
    return replace(record, trials=(*record.trials[:-2], running, waiting), outcome=None)


EDGES = {
    "zero children": lambda record: bare(record),
    "one child": lambda record: replace(record, trials=record.trials[:1], policy=record.policy[:1]),
    "all failed": failed,
    "unfinished": unfinished,
    "no policy": lambda record: replace(record, policy=()),
    "policy without decisions": lambda record: replace(
        record, policy=tuple(state.model_copy(update={"decisions": None}) for state in record.policy)
    ),
    "no human baseline": lambda record: replace(record, human=None),
    "human baseline failed": lambda record: replace(
        record, human=HumanBaseline(record.trials[0].architecture, {}, 0.0, "TrainingDiverged: loss is not finite")
    ),
    "strategy left open": lambda record: replace(record, strategy=Strategy()),
    "an architecture that is not of the space": lambda record: replace(
        record, trials=tuple(replace(t, architecture={"kind": "other"}) for t in record.trials)
    ),
    "all rewards equal": lambda record: replace(
        record, trials=tuple(replace(t, reward=0.5) if t.reward is not None else t for t in record.trials)
    ),
    "clock ran backwards": lambda record: replace(record, started=record.started + timedelta(days=1)),
    "no times": lambda record: replace(
        record, trials=tuple(replace(t, completed=None, started=None, seconds=0.0) for t in record.trials)
    ),
    "stopped children": lambda record: replace(
        record, trials=tuple(replace(t, phase=Phase.STOPPED, reward=None, metrics={}) for t in record.trials)
    ),
    "times without zone": lambda record: replace(
        record, started=record.started.replace(tzinfo=None),
        trials=tuple(replace(t, created=t.created.replace(tzinfo=None)) for t in record.trials),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "space"),
    [(case, "convolutional") for case in EDGES]
    + [(case, "choices") for case in ("zero children", "one child", "all failed", "no policy")],
)
def test_every_record_has_a_page(record_maker, case, space):
    spaces = {
        "convolutional": {"convolutional": {"depth": {"initial": 3}}},
        "choices": {"choices": [{"name": "w", "values": [1, 2, 3]}, {"name": "only", "values": [7]}]},
    }
    record = record_maker(
        spaces[space], 14, objective={"metric": "accuracy" if space == "convolutional" else "val_accuracy"}
    )
    page = read(EDGES[case](record))
    assert record.manifest.metadata.name in page.text
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b", page.text.replace("NaN in epoch", ""))


@pytest.mark.parametrize(
    "space",
    [
        {"convolutional": {"depth": {"initial": 1}, "filterHeights": [3], "filterWidths": [3], "filters": [8]}},
        {"convolutional": {"depth": {"initial": 15}, "strides": [1, 2, 3]}},
        {"convolutional": {"depth": {"initial": 4}, "skipConnections": False}},
        {"convolutional": {"depth": {"initial": 2, "final": 4, "every": 3, "step": 1}}},
        {"choices": [{"name": f"n{n}", "values": [n, "x" * 256, True, False]} for n in range(60)]},
    ],
    ids=["one layer, nothing to choose", "15 layers", "chain", "growing", "60 choices"],
)
def test_every_space_has_a_page(record_maker, space):
    metric = "accuracy" if "convolutional" in space else "val_accuracy"
    record = record_maker(space, 9, objective={"metric": metric})
    html = render(record)
    assert html.count('class="card"') == len(top(record.trials, 5, record.manifest.spec.objective)) + (
        record.human is not None
    )
    assert build(record.manifest.spec.search_space).graph(record.trials[0].architecture).nodes


def test_random_draws_show_that_there_is_no_policy(record_maker):
    record = record_maker(children=6, strategy={"random": {}})
    assert render(record).count("no policy that changes") == 2


def test_a_page_of_12800_children_stays_light(record_maker):
    few = record_maker(
        {"choices": [{"name": f"n{n}", "values": [0, 1, 2, 3, 4]} for n in range(6)]},
        200,
        objective={"metric": "val_accuracy"},
        every=20,
    )
    many = tuple(
        replace(few.trials[n % 200], index=n, duplicate_of=None, reuse_of=None, genotype=(n,)) for n in range(12_800)
    )
    assert len(render(replace(few, trials=many)).encode()) < 1_500_000
