"""What a stand-in for trials is given and gives back: a pod's input, and outcomes without training."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from archsearch.operator.names import TRIAL_CONTAINER
from archsearch.report import TRIAL_FILE_VARIABLE, TRIAL_VARIABLE, Report, TrialInput, render_report

Object = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a trial's container ends."""

    message: bytes = b""
    """What it wrote as its termination message: its report."""
    exit_code: int = 0
    reason: str = ""
    """Reason of the ended container; empty: Completed or Error, as the exit code is."""
    log: bytes = b""
    """What it printed."""

    @property
    def state_reason(self) -> str:
        """The reason that a kubelet gives."""
        return self.reason or ("Completed" if self.exit_code == 0 else "Error")


TrialProgram = Callable[[TrialInput], Report | bytes | Outcome]
"""What a trial does: a report, any bytes as a report with exit code 0, or all of its outcome."""


def hashed_reward(given: TrialInput) -> Report:
    """A reward that the architecture alone decides: ``accuracy`` from 0 to 1 with six digits."""
    digest = hashlib.sha256(json.dumps(given.architecture, sort_keys=True).encode()).digest()
    return Report(metrics={"accuracy": int.from_bytes(digest[:4], "big") % 1_000_000 / 1_000_000})


def outcome_of(result: Report | bytes | Outcome) -> Outcome:
    """``result`` of a :data:`TrialProgram` as an outcome."""
    if isinstance(result, Outcome):
        return result
    return Outcome(render_report(result) if isinstance(result, Report) else result)


def trial_input(pod: Mapping[str, Any]) -> TrialInput:
    """What the trial of ``pod`` is given, as its program would read it: from the variable, or from the file.

    Raises:
        AssertionError: neither is there.
    """
    container = next(each for each in pod["spec"]["containers"] if each["name"] == TRIAL_CONTAINER)
    variables = {each["name"]: each.get("value", "") for each in container.get("env", ())}
    if TRIAL_VARIABLE in variables:
        return TrialInput.model_validate_json(variables[TRIAL_VARIABLE])
    assert TRIAL_FILE_VARIABLE in variables, f"pod {pod['metadata']['name']} is given no trial"
    return TrialInput.model_validate_json(_downward(pod, container, PurePosixPath(variables[TRIAL_FILE_VARIABLE])))


def _downward(pod: Mapping[str, Any], container: Mapping[str, Any], path: PurePosixPath) -> str:
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    for mount in container.get("volumeMounts", ()):
        for item in volumes[mount["name"]].get("downwardAPI", {}).get("items", ()):
            if PurePosixPath(mount["mountPath"]) / item["path"] == path:
                name = item["fieldRef"]["fieldPath"].removeprefix("metadata.annotations['").removesuffix("']")
                return str(pod["metadata"]["annotations"][name])
    raise AssertionError(f"pod {pod['metadata']['name']} mounts nothing at {path}")
