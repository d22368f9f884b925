"""What the page says in words and numbers; every text is plain, the template escapes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from archsearch.engine.leaderboard import Counts, counted, counts, mean, times_sampled, top
from archsearch.engine.model import Confirmed, Phase, Trial
from archsearch.engine.record import SearchRecord
from archsearch.page.confirming import Confirming, confirming
from archsearch.page.learned import words
from archsearch.page.numbers import (
    Scale,
    duration,
    elapsed,
    metric_scale,
    number,
    plural,
    test_metric,
)
from archsearch.page.tradeoffs import Tradeoffs, tradeoffs
from archsearch.space.base import Genotype

TABLE = 25
_OTHER_METRICS = 2
_INTERESTING = ("parameters", "loss", "multiplyAdds")
_TOKENS = 12


@dataclass(frozen=True)
class Figure:
    """A key figure: what it is, its value, and a word of explanation."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the table of the best children."""

    rank: int
    child: int
    reward: str
    metrics: tuple[str, ...]
    genotype: str
    whole_genotype: str
    sampled: str
    policy_version: int
    seconds: str
    duplicates: int
    rewards: str
    """Both rewards of a confirmed child; empty for others."""


@dataclass(frozen=True)
class Failures:
    """Failed children of one reason."""

    reason: str
    count: int
    children: str
    messages: tuple[str, ...]
    """Distinct messages, the first few."""


@dataclass(frozen=True)
class Facts:
    """Everything that the page says of a record."""

    record: SearchRecord

    @cached_property
    def counts(self) -> Counts:
        """Trials by phase."""
        return counts(self.record.trials)

    @cached_property
    def best(self) -> tuple[Trial, ...]:
        """The best distinct children, best first."""
        return top(self.record.trials, TABLE, self.record.manifest.spec.objective)

    @cached_property
    def confirming(self) -> Confirming | None:
        """What came of second trainings, if there were any."""
        return confirming(self.record)

    @cached_property
    def tradeoffs(self) -> Tradeoffs | None:
        """What is traded for what, where further metrics count."""
        return tradeoffs(self.record)

    @property
    def metric(self) -> str:
        """The objective's metric."""
        return self.record.manifest.spec.objective.metric

    @cached_property
    def test(self) -> str | None:
        """The metric of the test part, if there is one."""
        return test_metric(self.record)

    @cached_property
    def metric_names(self) -> tuple[str, ...]:
        """Columns of metrics: the objective's, the test part's, then others that differ from child to child."""
        first = [self.metric, *([self.test] if self.test else [])]
        values: dict[str, set[float]] = {}
        for trial in self.best:
            for name, value in trial.metrics.items():
                values.setdefault(name, set()).add(value)
        others = [name for name in sorted(values, key=_interest) if name not in first and len(values[name]) > 1]
        return (*first, *others[:_OTHER_METRICS])

    @cached_property
    def scales(self) -> Mapping[str, Scale]:
        """How each of those is written."""
        return {name: metric_scale(self.record, name) for name in self.metric_names}

    @property
    def measure(self) -> str:
        """The objective's metric in words."""
        if self.record.manifest.spec.trial.task.kind == "imageClassification" and self.metric in ("accuracy", "loss"):
            return f"validation {self.metric}"
        return words(self.metric).replace("val_", "validation ").replace("_", " ")

    @property
    def status(self) -> str:
        """Succeeded, Failed or Unfinished."""
        return self.record.outcome.result.value if self.record.outcome else "Unfinished"

    def rows(self) -> list[Row]:
        """The table of the best children."""
        sampled = times_sampled(self.record.trials)
        return [self._row(rank, trial, sampled[trial.network] - 1) for rank, trial in enumerate(self.best, start=1)]

    def _row(self, rank: int, trial: Trial, duplicates: int) -> Row:
        assert trial.reward is not None
        return Row(
            rank=rank,
            child=trial.index,
            reward=number(trial.reward),
            metrics=tuple(self.scales[name].text(trial.metrics.get(name)) for name in self.metric_names),
            genotype=short_genotype(trial.genotype),
            whole_genotype=spelled(trial.genotype),
            sampled=duration(elapsed(self.record.started, trial.created)),
            policy_version=trial.policy_version,
            seconds=duration(trial.seconds),
            duplicates=duplicates,
            rewards=" / ".join(map(number, trial.rewards)) if isinstance(trial, Confirmed) else "",
        )

    def failures(self) -> list[Failures]:
        """Failed children by reason, the commonest first."""
        groups: dict[str, list[Trial]] = {}
        for trial in self.record.trials:
            if trial.phase is Phase.FAILED:
                groups.setdefault(trial.reason or "Unknown", []).append(trial)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        return [_failures(reason, trials) for reason, trials in ordered]

    def retried(self) -> int:
        """Attempts that failed and were followed by another one."""
        return sum(
            trial.failures - (trial.phase is Phase.FAILED and trial.failures > 0) for trial in self.record.trials
        )

    def figures(self) -> list[Figure]:
        """The key figures."""
        return [*self._best_figures(), *self._learning_figures(), *self._cost_figures()]

    def _best_figures(self) -> list[Figure]:
        if not self.best:
            return [Figure(f"best {self.measure}", "–", "no child has a reward")]
        best, scale = self.best[0], self.scales[self.metric]
        note = f"child {best.index}, the best of {plural(self.counts.trained, 'trained child', 'trained children')}"
        note += ", mean of two trainings" if isinstance(best, Confirmed) else ""
        figures = [Figure(f"best {self.measure}", scale.text(best.metrics.get(self.metric)), note)]
        if self.test:
            value = self.scales[self.test].text(best.metrics.get(self.test))
            figures.append(Figure("same child on the test part", value, "no choice of the search was based on it"))
        if self.record.human:
            figures.append(self._human_figure(self.record.human.metrics, self.record.human.reason))
        if len(self.best) >= 5 and self.test:
            test = mean([trial.metrics.get(self.test) for trial in self.best[:5]])
            validation = mean([trial.metrics.get(self.metric) for trial in self.best[:5]])
            note = f"on the test part; {scale.text(validation)} in {self.measure}"
            figures.append(Figure("mean of the best five", self.scales[self.test].text(test), note))
        return figures

    def _human_figure(self, metrics: Mapping[str, float], reason: str | None) -> Figure:
        if self.metric not in metrics:
            return Figure("human baseline", "–", reason or "not measured")
        test = (
            f"; {self.scales[self.test].text(metrics[self.test])} on the test part"
            if self.test and self.test in metrics
            else ""
        )
        return Figure("human baseline", self.scales[self.metric].text(metrics[self.metric]), self.measure + test)

    def _learning_figures(self) -> list[Figure]:
        values = [t.metrics.get(self.metric) for t in self.record.trials if t.phase is Phase.SUCCEEDED and counted(t)]
        part = min(50, len(values) // 4)
        if part < 5:
            return []
        scale = self.scales[self.metric]
        first, last = mean(values[:part]), mean(values[-part:])
        if first is None or last is None:
            return []
        return [Figure(f"mean, first {part} → last {part}", scale.change(first, last), self.measure)]

    def _cost_figures(self) -> list[Figure]:
        tally = self.counts
        parts = [f"{tally.trained:,} trained", f"{tally.reused_succeeded:,} reused", f"{tally.failed:,} failed"]
        if tally.stopped:
            parts.append(f"{tally.stopped:,} stopped")
        if tally.confirmations.total:
            parts.append(f"{tally.confirmations.total:,} trained once more")
        if tally.uncounted:
            parts.append(f"{tally.uncounted:,} beyond the end")
        if tally.running or tally.pending:
            parts.append(f"{tally.running + tally.pending:,} under way")
        return [
            Figure("children asked for", f"{tally.total:,}", ", ".join(parts)),
            *self._times(),
            Figure("time on the clock", duration(self.record.active_seconds), "while the search was active"),
        ]

    def _times(self) -> list[Figure]:
        """What the children cost, as it was measured: on GPUs, on CPUs, and on the clock."""
        trained = [trial for trial in self.record.trials if trial.reuse_of is None]
        gpu = sum(trial.metrics.get("gpuSeconds", 0.0) for trial in trained)
        # A sum that lacks some of the children would look like a cheap search.
        known = all(trial.cpu_seconds for trial in trained if trial.seconds)
        cpu = sum(trial.cpu_seconds for trial in trained) if known else 0.0
        wall = sum(trial.seconds for trial in trained)
        figures = [Figure("GPU time", duration(gpu), "that children held a GPU, added up")] if gpu else []
        if cpu:
            figures.append(Figure("CPU time", duration(cpu), f"of all children, in {duration(wall)} of training"))
        elif not gpu:
            figures.append(Figure("time of children", duration(wall), "from start to end, added up"))
        return figures


def _interest(name: str) -> tuple[int, str]:
    return (_INTERESTING.index(name) if name in _INTERESTING else len(_INTERESTING), name)


def spelled(genotype: Genotype) -> str:
    """The tokens in a row where each is one digit, else with spaces."""
    return ("" if all(token < 10 for token in genotype) else " ").join(map(str, genotype))


def short_genotype(genotype: Genotype) -> str:
    """The first tokens, and how many there are in all where some are left out."""
    first = spelled(genotype[:_TOKENS])
    return first if len(genotype) <= _TOKENS else f"{first}… ({len(genotype)})"


def _failures(reason: str, trials: list[Trial]) -> Failures:
    shown = ", ".join(str(trial.index) for trial in trials[:8]) + (", …" if len(trials) > 8 else "")
    messages = dict.fromkeys(trial.message for trial in trials if trial.message)
    return Failures(reason, len(trials), shown, tuple(list(messages)[:3]))
