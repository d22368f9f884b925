"""The outcome of a search in plain words, honest about what a best score is worth."""

from archsearch.api import Direction
from archsearch.engine.model import Confirmed
from archsearch.page.facts import Facts
from archsearch.page.numbers import Scale, plural
from archsearch.page.strategies import how


def story(facts: Facts) -> list[str]:
    """The outcome in plain words, a paragraph each."""
    return [part for part in (_ending(facts), _found(facts), _traded(facts), _caution(facts)) if part]


def _ending(facts: Facts) -> str:
    tally, outcome = facts.counts, facts.record.outcome
    asked = f"{plural(tally.total, 'child was', 'children were')} asked for: {tally.trained:,} trained"
    asked += (
        f", {plural(tally.reused_succeeded, 'duplicate')} that took an earlier result over"
        if tally.reused_succeeded
        else ""
    )
    asked += f", {tally.failed:,} failed" if tally.failed else ""
    asked += f", {tally.stopped:,} stopped" if tally.stopped else ""
    again = tally.confirmations.total
    asked += f"; {plural(again, 'of them was', 'of them were')} trained once more at the end" if again else ""
    chosen = f"Children were {how(facts.record.strategy)}."
    if outcome is None:
        return f"This search is not finished. So far {asked}. {chosen}"
    ended = "ended" if outcome.result.value == "Succeeded" else "failed"
    reason = outcome.message.strip().rstrip(".") or outcome.reason
    return f"The search {ended}: {reason} ({outcome.reason}). {asked[0].upper()}{asked[1:]}. {chosen}"


def _found(facts: Facts) -> str:
    if not facts.best:
        return "No child has a reward, so there is nothing to compare."
    best, scale = facts.best[0], facts.scales[facts.metric]
    value = best.metrics.get(facts.metric)
    mean = " on average over two trainings" if isinstance(best, Confirmed) else ""
    text = f"The best child, number {best.index}, reached a {facts.measure} of {scale.text(value)}{mean}"
    human = facts.record.human.metrics if facts.record.human else {}
    if value is not None and facts.metric in human:
        text += f", {_against(facts, value, human[facts.metric], scale, facts.metric)}"
    return text + ", which had the same training budget." if facts.metric in human else text + "."


def _traded(facts: Facts) -> str:
    """What else counted beside the metric that is sought."""
    found = facts.tradeoffs
    if found is None or not found.members:
        return ""
    others = " and ".join(found.names[1:]) if len(found.names) < 4 else ", ".join(found.names[1:])
    what = plural(len(found.members), "child is", "children are")
    return f"The reward weighs {others} too; {what} beaten by no other in all that counts (the Pareto set below)."


def _against(facts: Facts, value: float, human: float, scale: Scale, metric: str) -> str:
    same = f"the human baseline ({scale.text(human)})"
    if scale.text(value) == scale.text(human):
        return f"the same as {same}"
    less = facts.record.manifest.spec.objective.direction is Direction.MINIMIZE
    word = "better" if (value < human) == less else "worse"
    return f"{scale.difference(value - human)} {word} than {same}"


def _caution(facts: Facts) -> str:
    if not facts.best:
        return ""
    trained = facts.counts.trained
    text = ""
    if facts.confirming is not None:
        text = facts.confirming.sentence() + " "
    elif trained > 1:
        text = f"That is the best of {trained:,} scores, picked because it was the best, so it flatters the child. "
    value = facts.best[0].metrics.get(facts.test) if facts.test else None
    if facts.test is None or value is None:
        return text + "No test figure was reported: measure the child on data that the search has not seen."
    scale = facts.scales[facts.test]
    text += f"On the test part, which no choice was based on, the same child has {scale.text(value)}"
    human = facts.record.human.metrics.get(facts.test) if facts.record.human else None
    if human is not None:
        text += f", {_against(facts, value, human, scale, facts.test)}"
    looked_up = facts.record.manifest.spec.trial.task.kind == "tabular"
    runs = "two training runs" if isinstance(facts.best[0], Confirmed) else "single training runs"
    return text + ("." if looked_up else f". These are {runs}: small differences may be chance.")
