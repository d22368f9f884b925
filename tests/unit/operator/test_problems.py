import random
from datetime import timedelta
from typing import Any

import pytest
from cluster_objects import START, at, ended, job, pod

from archsearch.operator.clockwork import due_in
from archsearch.operator.port import Object
from archsearch.operator.problems import Problem, problems
from archsearch.operator.trimming import trim_job, trim_pod


def waiting(reason: str, message: str | None = None) -> dict[str, Any]:
    return {"waiting": {"reason": reason} | ({} if message is None else {"message": message})}


def unscheduled(
    message: str = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", after: float = -4
) -> dict[str, Any]:
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"conditions": [told | {"lastTransitionTime": at(after)}]}


def found(*pods: Object, jobs: tuple[Object, ...] = (), now: float | None = None) -> tuple[Problem, ...]:
    """What is found, the same in whole objects and in what the cache keeps of them."""
    moment = None if now is None else START + timedelta(seconds=now)
    whole = problems(pods, jobs, moment)
    assert whole == problems([trim_pod(pod) for pod in pods], [trim_job(job) for job in jobs], moment)
    return whole


def test_pods_that_run_or_have_ended_have_no_problem() -> None:
    pods = [pod("Running", {"running": {"startedAt": at(0)}}), pod("Succeeded", ended(0)), pod("Pending")]
    assert found(*pods, pod("Pending", waiting("ContainerCreating"))) == ()


def test_what_the_scheduler_says_is_told() -> None:
    (problem,) = found(pod("Pending", **unscheduled()))
    assert problem == Problem(
        "Unschedulable",
        "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        "digits-000003-2-abcde",
        START - timedelta(seconds=4),
    )


@pytest.mark.parametrize(
    "condition",
    [
        {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"},
        {"type": "PodScheduled", "status": "True", "reason": "Unschedulable"},
        {"type": "Ready", "status": "False", "reason": "Unschedulable"},
    ],
)
def test_a_pod_that_is_held_back_on_purpose_has_no_problem(condition: dict[str, str]) -> None:
    assert found(pod("Pending", conditions=[condition])) == ()


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"]
)
def test_an_image_that_cannot_be_pulled_is_named(reason: str) -> None:
    (problem,) = found(pod("Pending", waiting(reason, "why")))
    assert (problem.reason, problem.message) == ("ImagePullFailed", "the image team/trial:2 cannot be pulled: why")


def test_a_pull_that_is_tried_again_is_told_in_the_same_words() -> None:
    error = 'failed to resolve "team/trial:2": not found'
    first = pod("Pending", waiting("ErrImagePull", error))
    then = pod("Pending", waiting("ImagePullBackOff", f'Back-off pulling image "team/trial:2": ErrImagePull: {error}'))
    assert found(first) == found(then)


@pytest.mark.parametrize("reason", ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"])
def test_a_container_that_cannot_be_made_is_named(reason: str) -> None:
    (problem,) = found(pod("Pending", waiting(reason, 'secret "data" not found')))
    assert problem.reason == "ContainerConfigFailed"
    assert problem.message == 'the container trial cannot be made: secret "data" not found'


def test_init_containers_are_looked_at_too() -> None:
    init = pod("Pending", initContainerStatuses=[{"name": "get", "image": "get:1", "state": waiting("ErrImagePull")}])
    (problem,) = found(init)
    assert problem.message == "the image get:1 cannot be pulled"


def test_the_same_problem_of_many_pods_is_told_once_by_the_oldest() -> None:
    pods = [pod("Pending", name=f"p{number}", **unscheduled(after=number)) for number in range(5)]
    random.Random(1).shuffle(pods)
    (problem,) = found(*pods)
    assert (problem.pod, problem.since) == ("p0", START)


def test_what_must_be_mended_comes_before_what_may_only_have_to_wait() -> None:
    pods = [
        pod("Pending", name="a", **unscheduled()),
        pod("Pending", waiting("CreateContainerConfigError"), name="b"),
        pod("Pending", waiting("ErrImagePull"), name="c"),
    ]
    assert [one.reason for one in found(*pods)] == ["ImagePullFailed", "ContainerConfigFailed", "Unschedulable"]
    assert found(*pods) == found(*reversed(pods))


def test_a_pod_that_is_going_has_no_problem_any_more() -> None:
    assert found(pod("Pending", waiting("ErrImagePull"), deleted=1)) == ()
    assert found(pod("Failed", waiting("ErrImagePull"))) == ()


def test_a_job_that_has_had_no_pod_for_seconds_is_told() -> None:
    (problem,) = found(jobs=(job(),), now=5)
    assert (problem.reason, problem.pod, problem.since) == (
        "PodsNotCreated",
        "digits-000003-2",
        START - timedelta(seconds=6),
    )
    assert "kubectl describe job" in problem.message


@pytest.mark.parametrize(
    "made",
    [
        job("Complete"),
        job("Failed"),
        job(deleted=True),
        job() | {"spec": {"suspend": True}},
    ],
)
def test_a_job_that_is_over_or_held_back_needs_no_pod(made: Object) -> None:
    assert found(jobs=(made,), now=5) == ()


def test_a_young_job_and_one_with_a_pod_have_no_problem() -> None:
    assert found(jobs=(job(),), now=-3) == ()
    assert found(pod("Pending"), jobs=(job(),), now=60) == ()
    assert found(jobs=(job(),)) == ()


def making(reason: str = "ContainerCreating", **more: Any) -> Object:
    """A pod that its node took up when :func:`cluster_objects.pod` would have started, and has not begun."""
    return pod("Pending", waiting(reason), **{"startTime": at(0)} | more)


def test_a_pod_whose_containers_are_not_begun_for_twenty_seconds_is_told_with_what_to_ask() -> None:
    assert found(making(), now=19.9) == ()
    (problem,) = found(making(), now=20)
    assert (problem.reason, problem.pod, problem.since) == ("PodNotStarting", "digits-000003-2-abcde", START)
    assert "kubectl describe pod digits-000003-2-abcde" in problem.message
    (other,) = found(making(name="other"), now=20)
    assert "kubectl describe pod other " in other.message


def initialising(state: dict[str, Any]) -> Object:
    """A pod whose trial waits for an init container."""
    return making("PodInitializing", initContainerStatuses=[{"name": "get", "image": "get:1", "state": state}])


PREPARED = {"type": "PodReadyToStartContainers", "status": "True"}


@pytest.mark.parametrize(
    ("told", "pending"),
    [
        ("its only container waits", making()),
        ("its init container waits, the other one for that", initialising(waiting("PodInitializing"))),
        ("volumes or network are not there", making(conditions=[PREPARED | {"status": "False"}])),
        ("nobody has written when its node took it up", making(startTime=None)),
    ],
)
def test_a_pod_that_is_not_begun_wakes_the_search_when_that_has_lasted_too_long(told: str, pending: Object) -> None:
    assert [one.reason for one in found(pending, now=20)] == ["PodNotStarting"], told
    wait = due_in((), [trim_pod(pending)], START, 60)
    assert wait is not None
    assert found(pending, now=wait - 0.1) == ()
    assert [one.reason for one in found(pending, now=wait)] == ["PodNotStarting"]
    assert due_in((), [pending], START + timedelta(seconds=wait), 60) is None


@pytest.mark.parametrize(
    ("why", "pending"),
    [
        ("its image is being pulled, which may take an hour", making(conditions=[PREPARED])),
        ("its init container runs", initialising({"running": {"startedAt": at(1)}})),
        ("its init container has ended", initialising(ended(0))),
        ("its container runs", pod("Running", {"running": {"startedAt": at(0)}}, startTime=at(0))),
        ("another problem says more", making("ErrImagePull")),
        ("its node has not taken it up", pod("Pending")),
        ("it is going", making(deleted=1)),
        ("it is over", making() | {"status": making()["status"] | {"phase": "Failed"}}),
        ("it has no node", making() | {"spec": {"containers": [{"name": "trial", "image": "team/trial:2"}]}}),
    ],
)
def test_a_pod_that_is_begun_or_waits_for_something_else_is_not_called_late(why: str, pending: Object) -> None:
    assert "PodNotStarting" not in [one.reason for one in found(pending, now=3600)], why
    if "deletionTimestamp" not in pending["metadata"]:
        assert due_in((), [pending], START, 60) is None, why


def test_the_problem_is_gone_once_a_container_starts() -> None:
    assert found(making(), now=600) != ()
    assert found(pod("Running", {"running": {"startedAt": at(599)}}, startTime=at(0)), now=600) == ()


def test_long_messages_of_several_lines_are_cut() -> None:
    (problem,) = found(pod("Pending", **unscheduled("a\n\tb " + "x" * 3000)))
    assert problem.message.startswith("a b xxx")
    assert len(problem.message) == 1024


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"metadata": None, "status": 1},
        {"status": {"conditions": {"a": 1}, "containerStatuses": [1, {"state": []}, {"state": {"waiting": "x"}}]}},
        {"status": {"containerStatuses": [{"state": {"waiting": {"reason": ["x"], "message": 3}}}]}},
        {"spec": {"containers": [{"name": {}}]}, "status": {"containerStatuses": [{"name": [], "state": {}}]}},
    ],
)
def test_garbled_pods_have_no_problem_and_raise_none(broken: Object) -> None:
    assert problems([broken], [broken], START) == ()
    assert due_in([broken], [broken], START, 60) is None
