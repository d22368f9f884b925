"""How a manifest's cluster-only fields are refused when they are built into an object."""


class PodTemplateError(ValueError):
    """``spec.trial.podTemplate`` or ``spec.trial.jobMetadata`` cannot be used; ``path`` names the field."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class TrialInputError(ValueError):
    """What a trial is given is too large for a pod."""
