"""Running figures of one search: for its status, and for Prometheus."""

from collections.abc import Iterable, Mapping

from archsearch.api import ArchitectureSearch, Objective
from archsearch.controller_contract import PolicyState
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Phase, Trial
from archsearch.operator.measuring import DeadTimes
from archsearch.operator.metrics import Metrics
from archsearch.operator.scores import Scores
from archsearch.operator.shared import SearchRef

Times = Mapping[tuple[int, int], tuple[int | None, int | None]]
"""Start and end of a process in nanoseconds since the epoch, by index and attempt."""


class Figures:
    """Counts, best children, GPU time and dead times, kept up at the cost of what changes."""

    def __init__(self, metrics: Metrics, ref: SearchRef, gpus: float, objective: Objective) -> None:
        self._metrics = metrics
        self._ref = ref
        self._gpus = gpus
        self._dead = DeadTimes()
        self._last_reward: float | None = None
        self._last_observation = -1
        self.scores = Scores(ref.name, objective=objective)
        self.gpu_seconds = 0.0
        """GPU time of all attempts that have ended, in seconds."""

    def begin(self, search: ArchitectureSearch, ledger: Ledger) -> None:
        """Take in the ledger as it was found."""
        self._dead.slots(slots_of(search))
        trials = tuple(ledger)
        self.scores.take(trials)
        self.gpu_seconds = self._gpus * sum(trial.seconds for trial in trials)
        for trial in trials:
            self._note(trial)
            if trial.phase is Phase.RUNNING:
                self._dead.launched((trial.index, trial.attempts))

    def take(self, written: Iterable[Trial], before: Mapping[int, Trial], times: Times) -> None:
        """Take in what a pass has written; ``before``: what those trials were."""
        trials = tuple(written)
        self.scores.take(trials)
        for trial in trials:
            old = before.get(trial.index)
            self.gpu_seconds += self._gpus * (trial.seconds - (0.0 if old is None else old.seconds))
            self._note(trial)
        for trial in trials:
            old = before.get(trial.index)
            # One plan may settle an attempt and start the next one.
            over = trial.phase is not Phase.RUNNING or (old is not None and trial.attempts != old.attempts)
            if old is not None and old.phase is Phase.RUNNING and over:
                attempt = (trial.index, old.attempts)
                dead = self._dead.settled(attempt, *times.get(attempt, (None, None)))
                if dead is not None:
                    self._metrics.dead_time(self._ref.namespace, self._ref.name, dead)
        if any(trial.confirm_of is not None and trial.index not in before for trial in trials):
            self._dead.idle()  # slots stood free until the last child had ended
        for trial in trials:
            if trial.phase is Phase.RUNNING:
                self._dead.launched((trial.index, trial.attempts))

    def _note(self, trial: Trial) -> None:
        if trial.phase.terminal:
            self._metrics.child_over(self._ref.namespace, self._ref.name, trial, self._gpus * trial.seconds)
        if trial.observation is not None and trial.observation > self._last_observation:
            self._last_observation = trial.observation
            self._last_reward = trial.reward if trial.reward is not None else self._last_reward

    def heard(self, state: PolicyState) -> None:
        """The controller has told of its policy."""
        if state.decisions is not None:
            self._metrics.decisions(self._ref.namespace, self._ref.name, state)

    def replayed(self, count: int) -> None:
        """The ledger has been replayed into a controller."""
        for _ in range(count):
            self._metrics.replayed(self._ref.namespace, self._ref.name)

    def show(self, search: ArchitectureSearch, policy: PolicyState | None, *, over: bool) -> None:
        """Tell Prometheus where the search stands."""
        slots = 0 if over else slots_of(search)
        self._dead.slots(slots)
        self._metrics.observe_search(
            self._ref.namespace,
            self._ref.name,
            counts=self.scores.load(ended=over),
            best=self.scores.best[0].reward if self.scores.best else None,
            last=self._last_reward,
            policy=policy,
            parallelism=slots,
        )


def slots_of(search: ArchitectureSearch) -> int:
    """Children that may be trained at once now."""
    return 0 if search.spec.suspend else search.spec.trials.parallelism
