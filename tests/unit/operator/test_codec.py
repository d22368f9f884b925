import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cluster_objects import UID, search
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.engine.model import Phase, Trial
from archsearch.operator.codec import LedgerObjectError, gpus_of, read_trial, trial_object, trial_status
from archsearch.operator.port import Object
from archsearch.operator.times import nanoseconds, parse_time, rfc3339, rfc3339_ns
from archsearch.space import build

SPACE = build(search().spec.search_space)
CREATED = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
BARE = Trial(3, (1, 0), SPACE.decode((1, 0)), policy_version=2, log_probability=-1.5, created=CREATED)


def through_go(value: Any) -> Any:
    """What an API server makes of JSON: a whole number loses its point, nulls of a merge patch take keys away."""
    if isinstance(value, dict):
        return {key: through_go(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [through_go(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


def stored(trial: Trial, *writes: dict[str, Any]) -> Object:
    """The object after it was created and its status patched by each of ``writes``, then by that of ``trial``."""
    made = trial_object("digits", "team", UID, trial)
    made["metadata"] |= {"creationTimestamp": "2026-01-01T12:00:00Z", "uid": "u", "resourceVersion": "7"}
    status: dict[str, Any] = {}
    for patch in (*writes, trial_status(trial, gpus=0)):
        merged = status | {**patch, "metrics": (status.get("metrics") or {}) | (patch["metrics"] or {}) or None}
        status = {key: value for key, value in merged.items() if value is not None}
    return dict(json.loads(json.dumps(through_go(made | {"status": status}))))


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x10FFFF, exclude_categories=["Cs", "Cc"]), max_size=60)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
counts = st.integers(0, 1_000_000)


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    genotype = (draw(st.integers(0, 2)), 0)
    phase = draw(st.sampled_from(Phase))
    return Trial(
        index=draw(st.integers(0, 999_999)),
        genotype=genotype,
        architecture=SPACE.decode(genotype),
        policy_version=draw(counts),
        log_probability=draw(finite),
        created=CREATED,
        duplicate_of=draw(st.none() | counts),
        reuse_of=draw(st.none() | counts),
        confirm_of=draw(st.none() | counts),
        ask=draw(st.none() | counts),
        phase=phase,
        attempts=draw(counts),
        failures=draw(counts),
        reward=draw(finite) if phase is Phase.SUCCEEDED else None,
        metrics=draw(st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True), finite, max_size=4)),
        observation=draw(st.none() | counts),
        reason=draw(st.none() | st.from_regex(r"[A-Z][A-Za-z0-9]{0,62}", fullmatch=True)),
        message=draw(st.none() | texts),
        shared_fault=draw(st.booleans()),
        started=draw(st.none() | moments),
        completed=draw(st.none() | moments),
        seconds=draw(st.floats(0, 1e9)),
    )


@settings(max_examples=200, deadline=None)
@given(trials())
def test_a_trial_comes_back_as_it_was_written(trial: Trial) -> None:
    assert read_trial(stored(trial), SPACE) == trial


def test_an_architecture_comes_back_with_the_very_numbers_of_the_space() -> None:
    object = stored(BARE)
    assert json.dumps(object["spec"]["architecture"]["values"]["width"]) == "1"
    assert json.dumps(read_trial(object, SPACE).architecture["values"]["width"]) == "1.0"


def test_a_trial_that_has_only_been_created_is_pending() -> None:
    object = stored(BARE)
    del object["status"]
    assert read_trial(object, SPACE) == BARE


def test_a_later_write_takes_away_what_no_longer_holds() -> None:
    failed = replace(BARE, reason="Killed", message="out of memory?", attempts=1, failures=1, seconds=3.0)
    succeeded = replace(failed, phase=Phase.SUCCEEDED, reward=0.5, reason=None, message=None)
    assert read_trial(stored(succeeded, trial_status(failed, gpus=0)), SPACE) == succeeded


def test_what_is_not_known_of_an_attempt_is_left_until_another_starts() -> None:
    running, over = replace(BARE, phase=Phase.RUNNING), replace(BARE, phase=Phase.FAILED)
    unknown = {"node", "processStarted", "processEnded"}
    assert {key for key, value in trial_status(running, gpus=1).items() if value is None} > unknown
    assert not unknown & trial_status(over, gpus=1).keys()
    known = trial_status(over, gpus=1, node="n", process_started=1_767_268_800_000_000_001, process_ended=10**9)
    assert {key: known[key] for key in unknown} == {
        "node": "n",
        "processStarted": "2026-01-01T12:00:00.000000001Z",
        "processEnded": "1970-01-01T00:00:01.000000000Z",
    }


def test_gpu_seconds_are_seconds_times_gpus() -> None:
    assert trial_status(replace(BARE, seconds=12.5), gpus=2)["gpuSeconds"] == 25.0


def test_long_and_unprintable_texts_are_cut_to_what_the_resource_holds() -> None:
    trial = replace(BARE, phase=Phase.FAILED, reason="R" * 200, message="\x00\ud800" + "m" * 5000)
    read = read_trial(stored(trial), SPACE)
    assert (len(read.reason or ""), len(read.message or "")) == (128, 4096)
    assert (read.message or "").startswith("\ufffd\ufffdm")


def test_a_trial_is_labelled_and_owned_by_its_search() -> None:
    metadata = trial_object("digits", "team", UID, BARE)["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("digits-000003", "team")
    assert metadata["labels"]["archsearch.io/search-uid"] == UID
    assert metadata["labels"]["archsearch.io/index"] == "3"
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ArchitectureSearch", "digits", UID)


GARBLED: list[tuple[tuple[str, ...], Any, str, str]] = [
    (("metadata", "name"), "digits-000004", "metadata.name", "needs digits-000003"),
    (("metadata", "name"), None, "metadata.name", "valid string"),
    (("metadata", "creationTimestamp"), None, "metadata.creationTimestamp", "missing"),
    (("metadata", "creationTimestamp"), "yesterday", "metadata.creationTimestamp", "yesterday"),
    (("kind",), "Job", "kind", "Job"),
    (("apiVersion",), "archsearch.io/v2", "apiVersion", "archsearch.io/v2"),
    (("spec",), None, "spec", "got"),
    (("spec", "index"), 4, "metadata.name", "needs digits-000004"),
    (("spec", "index"), "3", "spec.index", '"3"'),
    (("spec", "genotype"), [1], "spec.genotype", "not of spec.searchSpace"),
    (("spec", "genotype"), [1, 9], "spec.genotype", "9"),
    (("spec", "genotype"), [2, 0], "spec.architecture", "another network"),
    (("spec", "architecture"), {"kind": "choices"}, "spec.architecture", "values"),
    (("spec", "architecture"), [], "spec.architecture", "[]"),
    (("spec", "sampledBy", "logProbability"), "x", "spec.sampledBy.logProbability", '"x"'),
    (("status", "phase"), "Done", "status.phase", "Done"),
    (("status", "reward"), 0.5, "status.reward", "0.5 with phase Pending"),
    (("status", "startTime"), "2026-01-01 12:00:00Z", "status.startTime", "RFC 3339"),
    (("status", "more"), 1, "status.more", "got 1"),
]


@pytest.mark.parametrize(("path", "value", "field", "message"), GARBLED)
def test_a_garbled_object_is_refused_by_name_and_field(
    path: tuple[str, ...], value: Any, field: str, message: str
) -> None:
    object = stored(BARE)
    place = object
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(LedgerObjectError) as refused:
        read_trial(object, SPACE)
    assert refused.value.field == field
    assert message in str(refused.value)
    assert str(refused.value).startswith(
        f"architecturetrial {object['metadata']['name'] or 'without a name'}: {field}: "
    )


def test_an_item_of_a_list_needs_no_kind() -> None:
    object = stored(BARE)
    del object["kind"], object["apiVersion"]
    assert read_trial(object, SPACE) == BARE


@pytest.mark.parametrize(
    ("limits", "gpus"),
    [
        ({}, 0),
        ({"cpu": 4, "memory": "4Gi", "google.com/tpu": 4, "example.com/gpus": 2, "gpu": 3}, 0),
        ({"nvidia.com/gpu": 1}, 1),
        ({"amd.com/gpu": "2"}, 2),
        ({"nvidia.com/gpu.shared": 1, "example.com/gpu-small": 1}, 2),
        ({"nvidia.com/mig-1g.5gb": 3, "example.com/mig-1g.5gb": 1}, 3),
        ({"gpu.intel.com/i915": 1}, 1),
    ],
)
def test_gpus_are_counted_by_the_names_of_limits(limits: dict[str, Any], gpus: float) -> None:
    assert gpus_of(search({"resources": {"limits": limits}})) == gpus


def test_gpus_of_a_pod_template_take_the_place_of_those_of_resources() -> None:
    template = {"spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "4"}}}, {"name": "other"}]}}
    assert gpus_of(search({"resources": {"limits": {"nvidia.com/gpu": 1}}, "podTemplate": template})) == 4
    nonsense = {"spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "many", "amd.com/gpu": None}}}]}}
    assert gpus_of(search({"podTemplate": nonsense})) == 0


@settings(max_examples=200, deadline=None)
@given(moments)
def test_times_come_back_to_the_microsecond(moment: datetime) -> None:
    assert parse_time(rfc3339(moment)) == moment
    assert parse_time(rfc3339_ns(nanoseconds(moment))) == moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T12:00:00Z", 0),
        ("2026-01-01t13:00:00.5+01:00", 0.5),
        ("2026-01-01T12:00:00.123456789z", 0.123456),
    ],
)
def test_times_are_read_as_rfc_3339_has_them(text: str, seconds: float) -> None:
    assert parse_time(text) == CREATED + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "2026-01-01", "2026-01-01T12:00:00", "2026-13-01T12:00:00Z", "٢٠٢٦-01-01T12:00:00Z"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a time|month"):
        parse_time(text)


def test_times_outside_of_what_rfc_3339_can_say_are_refused() -> None:
    for wrong in (-1, 10**22):
        with pytest.raises(ValueError, match="1970 to 9999"):
            rfc3339_ns(wrong)
    with pytest.raises(ValueError, match="no time zone"):
        rfc3339(datetime(2026, 1, 1))
    assert math.isclose(nanoseconds(CREATED) / 1e9, CREATED.timestamp())
