"""``task`` of the trial contract as a typed model."""

import json

from pydantic import JsonValue, ValidationError

from archsearch.api.task import Task
from archsearch.trial.errors import SearchError


def read_task(task: dict[str, JsonValue]) -> Task:
    """The task that a trial is given.

    Raises:
        TrialError: TaskInvalid, of scope Search, with each field's path and what is wrong with it.
    """
    try:
        # From JSON text, not from Python values: strict models read lists as tuples only there.
        return Task.model_validate_json(json.dumps(task))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(['task', *map(str, found['loc'])])}: {found['msg']}" for found in error.errors()
        )
        raise SearchError("TaskInvalid", problems) from error
