"""What came of the second trainings: the best of many is lucky, and this is how much."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from archsearch.engine.leaderboard import counts, top
from archsearch.engine.model import Confirmed
from archsearch.engine.record import SearchRecord
from archsearch.page.numbers import number, plural
from archsearch.page.style import BLUE, INK, MUTED, ORANGE, legend, new_figure, picture

_DRAWN = 25
"""Children that the picture shows at most."""


@dataclass(frozen=True)
class Confirming:
    """The children that were confirmed, best first."""

    record: SearchRecord
    children: tuple[Confirmed, ...]

    @property
    def first(self) -> float:
        """Mean of the rewards by which they were picked."""
        return sum(child.rewards[0] for child in self.children) / len(self.children)

    @property
    def second(self) -> float:
        """Mean of the rewards of their second trainings."""
        return sum(child.rewards[1] for child in self.children) / len(self.children)

    def sentence(self) -> str:
        """How lucky the best were."""
        many = len(self.children)
        who = "The best child was" if many == 1 else f"The best {many} children were"
        text = f"{who} trained once more with a fresh seed and ranked by the mean of both rewards. "
        gap = self.first - self.second
        averages = f"{number(self.second)} on average against {number(self.first)}"
        if gap > 0:
            text += f"The second rewards are {averages}: {gap:.2g} had been luck, for the best of many is lucky."
        else:
            text += f"The second rewards are {averages}: no luck to take off, though the best of many is lucky."
        failed = counts(self.record.trials).confirmations.failed
        told = f" {plural(failed, 'second training')} failed; such a child ranks after those that are confirmed."
        return text + (told if failed else "")


def confirming(record: SearchRecord) -> Confirming | None:
    """What came of the second trainings; None where none has ended well, or some are under way."""
    ranked = top(record.trials, len(record.trials), record.manifest.spec.objective)
    children = tuple(trial for trial in ranked if isinstance(trial, Confirmed))
    return Confirming(record, children) if children else None


@picture
def draw_confirming(found: Confirming) -> Figure:
    """Both rewards of each child, and their mean."""
    children = found.children[:_DRAWN]
    figure = new_figure(8.6, 0.75 + 0.21 * max(len(children), 3))
    axes = figure.add_subplot()
    rows = range(len(children))
    for row, child in zip(rows, children, strict=True):
        axes.plot(child.rewards, [row, row], color=MUTED, linewidth=1.1, zorder=1)
    axes.scatter([child.rewards[0] for child in children], rows, color=BLUE, s=26, label="first training", zorder=3)
    axes.scatter(
        [child.rewards[1] for child in children],
        rows,
        color=ORANGE,
        s=26,
        marker="D",
        label="second training",
        zorder=3,
    )
    means = [child.reward for child in children]
    axes.scatter(means, rows, color=INK, s=60, marker="|", linewidths=1.6, label="mean, by which they rank", zorder=4)  # type: ignore[arg-type]
    axes.set_yticks(list(rows), [f"child {child.index}" for child in children])
    axes.tick_params(axis="y", labelcolor=INK, length=0)
    axes.set_ylim(max(len(children), 3) - 0.4, -0.6)
    axes.set_xlabel("reward")
    axes.grid(visible=False, axis="y")
    legend(axes)
    return figure
