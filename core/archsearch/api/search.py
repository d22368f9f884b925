"""``ArchitectureSearch``: one manifest, the same on a laptop and on Kubernetes."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from archsearch.api.base import Duration, FieldError, Model, unit
from archsearch.api.objective import Objective
from archsearch.api.patterns import DNS_LABEL, IMAGE, LABEL_VALUE, QUALIFIED_NAME, QUANTITY
from archsearch.api.space import SearchSpace
from archsearch.api.strategy import Strategy
from archsearch.api.task import Task

Quantity = (
    Annotated[int, Field(ge=0, le=2**53)]
    | Annotated[float, Field(ge=0, le=1e18)]
    | Annotated[str, Field(min_length=1, max_length=32, pattern=QUANTITY)]
)
"""A Kubernetes quantity: 1, 0.5, 500m, 4Gi."""
LabelKey = Annotated[str, Field(min_length=1, max_length=317, pattern=QUALIFIED_NAME)]
LabelValue = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]
AnnotationValue = Annotated[str, Field(max_length=16_384)]
Argument = Annotated[str, Field(max_length=32_768)]


class Duplicates(StrEnum):
    """What happens to a child that was sampled before."""

    REUSE = "Reuse"
    RETRAIN = "Retrain"


class ReportSource(StrEnum):
    """Where a trial's report is read."""

    TERMINATION_MESSAGE = "TerminationMessage"
    LOG = "Log"


MAX_TRIALS = 1_000_000
"""Most trials of one search: their indices have six digits, and so do their names."""


class Trials(Model):
    """Budget and bookkeeping of trials."""

    max: int = Field(default=100, ge=1, le=1_000_000, json_schema_extra=unit("children"))
    """Children after which the search is done."""
    parallelism: int = Field(default=1, ge=0, le=10_000, json_schema_extra=unit("trials"))
    """Trials that run at once; 0 lets running ones end and starts no more."""
    lookahead: int = Field(default=0, ge=0, le=10_000, json_schema_extra=unit("children"))
    """Children proposed ahead of need, beyond parallelism; 0: every child comes from the newest policy."""
    max_failed: int = Field(default=10, ge=0, le=1_000_000, json_schema_extra=unit("trials"))
    """Failed trials the search bears; one more and it has failed."""
    deadline: Duration | None = None
    """Time after which no more is trained and the search ends with what it has; counts while the search is active."""
    retries: int = Field(default=2, ge=0, le=100, json_schema_extra=unit("attempts"))
    """Further attempts of a trial that crashed; evictions and lost processes do not count."""
    duplicates: Duplicates = Duplicates.REUSE
    """Reuse the result of an equal child, or train it again."""
    max_consecutive_duplicates: int = Field(default=100, ge=1, le=1_000_000, json_schema_extra=unit("children"))
    """So many duplicates in a row end the search: the policy has collapsed, or the space is exhausted."""
    confirm: int = Field(default=0, ge=0, le=1000, json_schema_extra=unit("children"))
    """Best children that are trained once more with fresh seeds at the end, and ranked by the mean; 0: none."""
    reproducible: bool = False
    """Child i is sampled from exactly the rewards of 0 .. i - parallelism - lookahead, whatever the timing."""

    @model_validator(mode="after")
    def _ledger_is_long_enough(self) -> Self:
        if self.max + self.confirm > MAX_TRIALS:
            message = (
                f"{self.confirm} is not allowed with trials.max {self.max}; "
                f"children and confirmations are at most {MAX_TRIALS} together"
            )
            raise FieldError(("confirm",), message, "OutOfRange")
        return self


class Resources(Model):
    """Requests and limits, as Kubernetes has them."""

    limits: dict[LabelKey, Quantity] = Field(default={}, max_length=64)
    """Upper bounds, for example nvidia.com/gpu: 1."""
    requests: dict[LabelKey, Quantity] = Field(default={}, max_length=64)
    """What the scheduler sets aside."""


class JobMetadata(Model):
    """Labels and annotations for each Job, for example a queue's."""

    labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=64)
    """Labels."""
    annotations: dict[LabelKey, AnnotationValue] = Field(default={}, max_length=64)
    """Annotations."""


class TrialReport(Model):
    """Where a trial's report is read."""

    source: ReportSource = Field(default=ReportSource.TERMINATION_MESSAGE, alias="from")
    """TerminationMessage, or Log for images that can only print (the last line that is a report)."""


class TrialTemplate(Model):
    """How one child is trained."""

    task: Task
    """What it is trained on."""
    image: str | None = Field(default=None, min_length=1, max_length=1024, pattern=IMAGE)
    """Container image on a cluster; left out: the default trial image of this release."""
    command: tuple[Argument, ...] | None = Field(default=None, min_length=1, max_length=256)
    """Program that trains the child, in place of the image's own (on a laptop: of archsearch's)."""
    threads: int | None = Field(default=None, ge=1, le=1024, json_schema_extra=unit("threads"))
    """CPU threads of a child; left out: the cores shared out among parallelism, or 1 where reproducible."""
    deadline: Duration | None = None
    """Time a single attempt may run."""
    report: TrialReport = TrialReport()
    """Where its report is read."""
    resources: Resources = Resources()
    """Requests and limits of the trial container (cluster only)."""
    job_metadata: JobMetadata = JobMetadata()
    """Labels and annotations of each Job (cluster only)."""
    pod_template: dict[str, JsonValue] = Field(default={}, max_length=64)
    """Pod template merged into each Job's: volumes, tolerations, nodeSelector, pull secrets (cluster only)."""


class ControllerTemplate(Model):
    """How the controller runs."""

    replicas: Literal[1] = 1
    """Controllers of one search."""
    resources: Resources = Resources()
    """Requests and limits of the controller container (cluster only)."""


class SearchSpec(Model):
    """What is sought, where, how, and at what cost."""

    objective: Objective = Objective()
    """What is sought."""
    search_space: SearchSpace
    """What can be sampled."""
    strategy: Strategy = Strategy()
    """How children are chosen."""
    trials: Trials = Trials()
    """Budget and bookkeeping."""
    controller: ControllerTemplate = ControllerTemplate()
    """How the controller runs."""
    trial: TrialTemplate
    """How one child is trained."""
    suspend: bool = False
    """Stop running children and start no more; no attempt is used up."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1, json_schema_extra=unit("1"))
    """Seed of everything random in the search."""

    @model_validator(mode="after")
    def _task_fits_space(self) -> Self:
        task, space = self.trial.task.kind, self.search_space.kind
        needed = {"imageClassification": "convolutional", "tabular": "choices"}.get(task)
        if self.trial.command is None and needed is not None and space != needed:
            raise FieldError(
                ("trial", "task"),
                f"{task} trains children of searchSpace.{needed}, not of searchSpace.{space}; "
                f"set searchSpace.{needed}, or trial.command for a program of your own",
            )
        if task == "custom" and self.trial.command is None and self.trial.image is None:
            raise FieldError(
                ("trial", "task", "custom"),
                "custom needs trial.command or trial.image too: the program that trains the child",
            )
        return self


class Metadata(Model):
    """Name and labels."""

    name: str = Field(min_length=1, max_length=46, pattern=DNS_LABEL)
    """Name of the search; 46 characters at most, so that <name>-<index>-<attempt> still names a pod."""
    namespace: str | None = Field(default=None, min_length=1, max_length=63, pattern=DNS_LABEL)
    """Namespace (cluster only)."""
    labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=64)
    """Labels."""
    annotations: dict[LabelKey, AnnotationValue] = Field(default={}, max_length=64)
    """Annotations."""


class ArchitectureSearch(Model):
    """A neural architecture search."""

    api_version: Literal["archsearch.io/v1alpha1"] = Field(alias="apiVersion")
    """archsearch.io/v1alpha1."""
    kind: Literal["ArchitectureSearch"]
    """ArchitectureSearch."""
    metadata: Metadata
    """Name and labels."""
    spec: SearchSpec
    """What is sought, where, how, and at what cost."""
