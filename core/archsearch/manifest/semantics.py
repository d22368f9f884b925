"""Rules that span fields of different models: what each field allows by itself, but the search as a whole does not.

They hold for the tasks and the trial program that come with archsearch; where a manifest brings its own program
(``trial.command``) or image, only that program knows its metrics.
"""

import json
from collections.abc import Iterator

from archsearch.api import ArchitectureSearch, Direction, SearchSpec
from archsearch.api.base import FieldError
from archsearch.manifest import suggesting

METRICS = {
    "imageClassification": (
        "accuracy",
        "loss",
        "parameters",
        "multiplyAdds",
        "trainingSeconds",
        "examplesPerSecond",
    ),
}
"""Metrics of the built-in tasks that may be sought; what is measured on the test part never teaches."""
TEST_METRICS = ("testaccuracy", "testloss")
BETTER = {"accuracy": Direction.MAXIMIZE, "loss": Direction.MINIMIZE}
"""Metrics of imageClassification that nobody seeks the other way round."""


def broken_rules(search: ArchitectureSearch) -> Iterator[FieldError]:
    """Every rule that ``search`` breaks, paths from the top of the manifest."""
    for rule in (
        _metric,
        _direction,
        _target,
        _also,
        _failure,
        _same_numbers,
        _table_options,
        _best_of_last,
        _reproducible,
    ):
        yield from rule(search.spec)


def _own_program(spec: SearchSpec) -> bool:
    return spec.trial.command is not None or spec.trial.image is not None


def _metric(spec: SearchSpec) -> Iterator[FieldError]:
    yield from _known(spec, spec.objective.metric, ("spec", "objective", "metric"))


def _also(spec: SearchSpec) -> Iterator[FieldError]:
    """Further metrics: as the one that is sought, they must be reported, not of the test part, and not the worst."""
    for place, also in enumerate(spec.objective.also):
        path = ("spec", "objective", "also", place)
        yield from _known(spec, also.metric, (*path, "metric"))
        given = Direction.MINIMIZE if also.weight < 0 else Direction.MAXIMIZE
        if not _built_in_images(spec) or BETTER.get(also.metric, given) is given:
            continue
        wanted = "negative" if BETTER[also.metric] is Direction.MINIMIZE else "positive"
        text = f"{also.weight:g} would seek the worst {also.metric}; set a {wanted} weight"
        yield FieldError((*path, "weight"), text, allowed=(wanted,), suggestion=None)


def _failure(spec: SearchSpec) -> Iterator[FieldError]:
    """To fail must not teach more than the best child could."""
    reward, objective = spec.objective.failure.reward, spec.objective
    if reward is None or not _built_in_images(spec):
        return
    best = {"negative": 0.0}.get(objective.transform.kind, 1.0 if objective.metric == "accuracy" else None)
    if best is not None and reward >= best:
        told = f"no child's reward is above {best:g}, so that to fail would be best; set it below {best:g}"
        text = f"{reward:g} is not allowed; {told}"
        path = ("spec", "objective", "failure", "reward")
        yield FieldError(path, text, allowed=(f"below {best:g}",))


def _built_in_images(spec: SearchSpec) -> bool:
    return spec.trial.task.kind == "imageClassification" and not _own_program(spec)


def _known(spec: SearchSpec, metric: str, path: tuple[str | int, ...]) -> Iterator[FieldError]:
    known = METRICS.get(spec.trial.task.kind)
    if _own_program(spec):
        return
    if metric.replace("_", "").casefold() in TEST_METRICS and spec.trial.task.kind != "custom":
        text = f'"{metric}" is not allowed; the test part is measured and never a reward, or it would be no test'
        yield FieldError(path, text, allowed=known or (), suggestion=None)
    elif known is not None and metric not in known:
        near = suggesting.near(metric, known)
        hint = f"; did you mean {near}?" if near else ""
        text = f'"{metric}" is not allowed; {spec.trial.task.kind} reports {", ".join(known)}{hint}'
        yield FieldError(path, text, "NotAnOption", allowed=known, suggestion=near)


def _direction(spec: SearchSpec) -> Iterator[FieldError]:
    """``metric: loss`` alone would seek the worst networks, for hours, and call the worst of them the best."""
    metric, given = spec.objective.metric, spec.objective.direction
    if not _built_in_images(spec) or BETTER.get(metric, given) is given:
        return
    wanted = BETTER[metric].value
    text = f"{given.value} would seek the worst {metric}; set direction: {wanted}"
    yield FieldError(("spec", "objective", "direction"), text, allowed=(wanted,), suggestion=wanted)


def _target(spec: SearchSpec) -> Iterator[FieldError]:
    target = spec.objective.target
    if not _built_in_images(spec) or target is None:
        return
    if spec.objective.metric == "accuracy" and not 0 <= target <= 1:
        meant = str(target / 100) if 1 < target <= 100 else None
        hint = f"; did you mean {meant}?" if meant else ""
        text = f"{target:g} is not allowed; accuracy is a fraction of 1, needs a number from 0 to 1{hint}"
        allowed = ("a number from 0 to 1",)
        yield FieldError(("spec", "objective", "target"), text, "OutOfRange", allowed=allowed, suggestion=meant)


def _same_numbers(spec: SearchSpec) -> Iterator[FieldError]:
    """1 and 1.0 are one number in JSON: an API server would store them alike, and a genotype would mean two things."""
    for place, choice in enumerate(spec.search_space.choices or ()):
        numbers = [value for value in choice.values if isinstance(value, int | float) and not isinstance(value, bool)]
        for position, value in enumerate(choice.values):
            if isinstance(value, float) and value.is_integer() and int(value) in map(_integer, numbers):
                path = ("spec", "searchSpace", "choices", place, "values", position)
                yield FieldError(path, f"{value} is the same number as {int(value)}, which is listed too", "Duplicate")


def _integer(number: float) -> int | None:
    return number if isinstance(number, int) else None


def _table_options(spec: SearchSpec) -> Iterator[FieldError]:
    """A table spells each decision with one character, so each option must be one, and no two the same."""
    if spec.trial.task.kind != "tabular" or spec.trial.command is not None:
        return
    for place, choice in enumerate(spec.search_space.choices or ()):
        seen: dict[str, int] = {}
        for position, value in enumerate(choice.values):
            path = ("spec", "searchSpace", "choices", place, "values", position)
            text = value if isinstance(value, str) else json.dumps(value)
            if len(text) != 1:
                message = f"{json.dumps(value)} is not allowed; a table spells each option with one character, as 3"
                yield FieldError(path, message, allowed=("one character",))
            elif text in seen:
                message = f"{json.dumps(value)} is spelled like values[{seen[text]}]; a table cannot tell them apart"
                yield FieldError(path, message, "Duplicate")
            seen.setdefault(text, position)


def _best_of_last(spec: SearchSpec) -> Iterator[FieldError]:
    task = spec.trial.task.image_classification
    if task is not None and task.best_of_last > task.epochs:
        path = ("spec", "trial", "task", "imageClassification", "bestOfLast")
        text = f"{task.best_of_last} is not allowed; there are only {task.epochs} epochs to take the best of"
        yield FieldError(path, text, allowed=(f"an integer from 1 to {task.epochs}",), suggestion=str(task.epochs))


def _reproducible(spec: SearchSpec) -> Iterator[FieldError]:
    if spec.trials.reproducible and spec.trials.parallelism == 0:
        text = "0 is not allowed where reproducible is true: parallelism is then immutable, and nothing would ever run"
        yield FieldError(("spec", "trials", "parallelism"), text, allowed=("an integer from 1 to 10000",))
