"""The rules of an ArchitectureSearch that span fields, in CEL, with the words of ``archsearch validate``.

What is left out here needs values of any type (options of ``choices``) or counts what an API server keeps to itself
(labels); the operator tells it by condition Ready=False.
"""

from collections.abc import Iterable, Mapping

from archsearch.api import schema as schemas
from archsearch.api.objective import LIMIT_TOO_GOOD, TRANSFORMS, WEIGHT_OF_NOTHING, Direction
from archsearch.api.search import MAX_TRIALS
from archsearch.api.space import SearchSpace
from archsearch.crd.rules import Rule, text, texts
from archsearch.manifest.semantics import BETTER, METRICS, TEST_METRICS

_IMAGES = "imageClassification"
_BUILT_IN = f"has(self.trial.task.{_IMAGES}) && !has(self.trial.command) && !has(self.trial.image)"
"""What is sought is measured by our own trial program, which is known to report METRICS."""


def _transform() -> Rule:
    fits = " : ".join(_fits(direction) for direction in TRANSFORMS)
    chosen = " : ".join(f"has(self.reward.{name}) ? {text(name)}" for name in _names())
    allowed = " : ".join(text(f"{direction}; allowed: {', '.join(names)}") for direction, names in TRANSFORMS.items())
    maximize = f"self.direction == {text(Direction.MAXIMIZE)}"
    return Rule(
        f"!has(self.reward) || ({maximize} ? {fits})",
        "the transform does not fit the direction",
        f"({chosen} : 'nothing') + ' does not fit direction ' + ({maximize} ? {allowed})",
        ".reward",
    )


def _names() -> tuple[str, ...]:
    return tuple(name for names in TRANSFORMS.values() for name in names)


def _fits(direction: Direction) -> str:
    others = [name for name in _names() if name not in TRANSFORMS[direction]]
    return "(" + " && ".join(f"!has(self.reward.{name})" for name in others) + ")"


def _power_of_two() -> Rule:
    return Rule(
        "self.base in [2, 4, 8, 16]",
        "is not allowed; the tree needs a power of two: 2, 4, 8 or 16",
        field=".base",
    )


def _sample_fits() -> Rule:
    return Rule(
        "!has(self.sample) || !has(self.population) || self.sample <= self.population",
        "is not allowed; sample must not be above population",
        field=".sample",
    )


def _grows() -> Rule:
    return Rule(
        "!has(self.final) || self.final >= self.initial",
        "is not allowed; final must not be below initial",
        field=".final",
    )


def _distinct(field: str) -> Rule:
    return Rule(
        f"self.{field}.all(one, self.{field}.exists_one(other, other == one))",
        f"one stands twice in {field}; every option must be distinct",
        field=f".{field}",
    )


def _choice_names() -> Rule:
    return Rule(
        "!has(self.choices) || self.choices.all(one, self.choices.exists_one(other, other.name == one.name))",
        "one names two decisions; every name must be distinct",
        field=".choices",
    )


def _best_of_last() -> Rule:
    return Rule(
        "self.bestOfLast <= self.epochs",
        "is not allowed; there are fewer epochs to take the best of",
        field=".bestOfLast",
    )


def _task_fits_space() -> Iterable[Rule]:
    fits = {_IMAGES: "convolutional", "tabular": "choices"}
    spaces = [field.alias or name for name, field in SearchSpace.model_fields.items()]
    for task, space, other in ((task, space, other) for task, space in fits.items() for other in spaces):
        if other == space:
            continue
        yield Rule(
            f"has(self.trial.command) || !has(self.trial.task.{task}) || !has(self.searchSpace.{other})",
            f"{task} trains children of searchSpace.{space}, not of searchSpace.{other}; "
            f"set searchSpace.{space}, or trial.command for a program of your own",
            field=".trial.task",
        )
    yield Rule(
        "!has(self.trial.task.custom) || has(self.trial.command) || has(self.trial.image)",
        "custom needs trial.command or trial.image too: the program that trains the child",
        field=".trial.task.custom",
    )


def _metric() -> Iterable[Rule]:
    metric = "self.objective.metric"
    of_test = f"{metric}.replace('_', '').lowerAscii() in {texts(TEST_METRICS)}"
    quoted = f"'\"' + {metric} + '\" is not allowed; "
    yield Rule(
        f"has(self.trial.task.custom) || has(self.trial.command) || has(self.trial.image) || !({of_test})",
        "the test part is measured and never a reward, or it would be no test",
        f"{quoted}the test part is measured and never a reward, or it would be no test'",
        ".objective.metric",
    )
    known = METRICS[_IMAGES]
    yield Rule(
        f"!({_BUILT_IN}) || {of_test} || {metric} in {texts(known)}",
        f"{_IMAGES} reports {', '.join(known)}",
        f"{quoted}{_IMAGES} reports {', '.join(known)}'",
        ".objective.metric",
    )


def _further_metrics() -> Iterable[Rule]:
    also, known = "self.objective.also", METRICS[_IMAGES]
    of_test = f"one.metric.replace('_', '').lowerAscii() in {texts(TEST_METRICS)}"
    unknown = f"!({of_test}) && !(one.metric in {texts(known)})"
    words = "the test part is measured and never a reward, or it would be no test"
    own = "has(self.trial.task.custom) || has(self.trial.command) || has(self.trial.image)"
    yield _of_each(f"({own})", also, of_test, f" is not allowed; {words}")
    yield _of_each(f"!({_BUILT_IN})", also, unknown, f" is not allowed; {_IMAGES} reports {', '.join(known)}")
    for metric, better in BETTER.items():
        sign, wrong = ("negative", ">") if better is Direction.MINIMIZE else ("positive", "<")
        yield Rule(
            f"!({_BUILT_IN}) || !{also}.exists(one, one.metric == {text(metric)} && one.weight {wrong} 0.0)",
            f"this would seek the worst {metric}; set a {sign} weight",
            field=".objective.also",
        )


def _of_each(unless: str, also: str, wrong: str, words: str, field: str = ".objective.also") -> Rule:
    """No further metric is ``wrong``. Which one is cannot be said: CEL sees no bound on what a filter finds."""
    return Rule(f"{unless} || !{also}.exists(one, {wrong})", f"a metric of also{words}", field=field)


def _failure() -> Iterable[Rule]:
    reward, objective = "self.objective.failure.reward", "self.objective"
    negative = f"{objective}.direction == 'Minimize' && (!has({objective}.reward) || has({objective}.reward.negative))"
    for rewards, best in ((negative, 0), (f"{objective}.metric == 'accuracy'", 1)):
        yield Rule(
            f"!({_BUILT_IN}) || !({rewards}) || !has({reward}) || {reward} < {best}.0",
            f"is not allowed; no child's reward is above {best}, so that to fail would be best; set it below {best}",
            field=".objective.failure.reward",
        )


def _weight() -> Rule:
    return Rule("self.weight != 0.0", WEIGHT_OF_NOTHING, field=".weight")


def _limit() -> Rule:
    better = "self.weight < 0.0 ? self.limit >= self.target : self.limit <= self.target"
    return Rule(f"!has(self.limit) || ({better})", f"is {LIMIT_TOO_GOOD}", field=".limit")


def _metrics_distinct() -> Rule:
    twice = "one.metric == self.metric || !self.also.exists_one(other, other.metric == one.metric)"
    # Where an API server checks our default of the whole objective, those of its fields are not filled in yet.
    return _of_each("!has(self.also)", "self.also", twice, " counts already; every metric may count once", ".also")


def _direction() -> Iterable[Rule]:
    for metric, better in BETTER.items():
        sought = f"self.objective.metric == {text(metric)}"
        yield Rule(
            f"!({_BUILT_IN} && {sought}) || self.objective.direction == {text(better)}",
            f"this would seek the worst {metric}; set direction: {better}",
            f"self.objective.direction + {text(f' would seek the worst {metric}; set direction: {better}')}",
            ".objective.direction",
        )


def _target() -> Rule:
    target, words = "self.objective.target", "accuracy is a fraction of 1, needs a number from 0 to 1"
    sought = f"{_BUILT_IN} && self.objective.metric == 'accuracy' && has({target})"
    return Rule(
        f"!({sought}) || ({target} >= 0.0 && {target} <= 1.0)",
        f"is not allowed; {words}",
        field=".objective.target",
    )


def _reproducible() -> Rule:
    return Rule(
        "!self.trials.reproducible || self.trials.parallelism > 0",
        "0 is not allowed where reproducible is true: parallelism is then immutable, and nothing would ever run",
        field=".trials.parallelism",
    )


def _ledger_is_long_enough() -> Rule:
    return Rule(
        f"self.trials.max + self.trials.confirm <= {MAX_TRIALS}",
        f"is not allowed; children and confirmations are at most {MAX_TRIALS} together",
        field=".trials.confirm",
    )


def name(longest: int) -> Rule:
    """An object's name: no dots, and no longer than what is made of it can bear."""
    bounds = {**schemas.at(("metadata", "name")), "maxLength": longest}
    needed = f"is not allowed; needs {schemas.needs(bounds)}"
    return Rule(
        f"self.metadata.name.size() <= {longest} && self.metadata.name.matches({text(bounds['pattern'])})",
        f"metadata.name {needed}",
        "'\"' + self.metadata.name + " + text(f'" {needed}'),
        ".metadata.name",
    )


RULES: Mapping[str, tuple[Rule, ...]] = {
    "ArchitectureSearch": (name(46),),
    "SearchSpec": (
        *_task_fits_space(),
        *_metric(),
        *_further_metrics(),
        *_direction(),
        _target(),
        *_failure(),
        _reproducible(),
        _ledger_is_long_enough(),
    ),
    "Objective": (_transform(), _metrics_distinct()),
    "Also": (_weight(), _limit()),
    "RegularizedEvolutionStrategy": (_sample_fits(),),
    "CellSpace": tuple(map(_distinct, ("operations", "combinations"))),
    "RecurrentCellSpace": (_power_of_two(), *map(_distinct, ("combinations", "activations"))),
    "Depth": (_grows(),),
    "ConvolutionalSpace": tuple(map(_distinct, ("filterHeights", "filterWidths", "filters", "strides"))),
    "SearchSpace": (_choice_names(),),
    "ImageClassification": (_best_of_last(),),
}
"""Rules by the name of the model that has them."""
