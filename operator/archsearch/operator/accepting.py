"""Admitting a manifest: what its text says, and what the API server says to the first Job that it would make."""

import asyncio
import random

from archsearch import space as spaces
from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Start
from archsearch.engine.running import trial_name, trial_seed
from archsearch.operator.acceptance import Accepted, Refused, accept, dry_run_refused, pod_template_error
from archsearch.operator.builders.job import build_job
from archsearch.operator.builders.refusing import PodTemplateError, TrialInputError
from archsearch.operator.port import JOB, AlreadyExists, Object, Rejected
from archsearch.operator.shared import SearchRef, Shared
from archsearch.report import TrialInput

_QUOTA = "exceeded quota"
"""How the API server begins to say that a ResourceQuota is full; it has no reason of its own."""


async def admit(
    shared: Shared, ref: SearchRef, object: Object, before: ArchitectureSearch | None = None
) -> Accepted | Refused:
    """The typed search, or why it cannot run: mistakes of the manifest, and a dry run of its first Job.

    ``before`` is the manifest that it runs by: an edit that leaves its Jobs as they are needs no dry run, and counts
    also where the cluster takes no more Jobs now. A quota that is full refuses no manifest: it is told as long as a Job
    is refused, and may have room again at any time.

    Raises:
        ClusterError: the API server does not answer now.
    """
    accepted = await asyncio.to_thread(accept, object)  # a manifest of a megabyte takes seconds
    if isinstance(accepted, Refused) or (before is not None and before.spec.trial == accepted.search.spec.trial):
        return accepted
    try:
        job = build_job(accepted.search, ref.uid, ref.uid, sample_start(accepted.search), shared.settings)
    except (PodTemplateError, TrialInputError) as error:
        return pod_template_error(str(error))
    try:
        await shared.port.create(JOB, job, dry_run=True)
    except AlreadyExists:
        pass  # the first Job is there already: it was accepted once
    except Rejected as error:
        if _QUOTA not in str(error):
            return dry_run_refused(error)
    return accepted


def sample_start(search: ArchitectureSearch) -> Start:
    """The first attempt of the first child, were a uniform draw the first child."""
    space, name, spec = spaces.build(search.spec.search_space), search.metadata.name, search.spec
    architecture = space.decode(space.sample(random.Random(spec.seed).randrange, space.stage(0)))
    given = TrialInput(
        search=name,
        trial=trial_name(name, 0),
        index=0,
        architecture=architecture,
        task=spec.trial.task.model_dump(mode="json", exclude_none=True),
        seed=trial_seed(spec.seed, 0),
        attempt=1,
    )
    return Start(0, 1, given)
