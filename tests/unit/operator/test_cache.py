"""The cache of a watcher: whatever order lists, events and our own writes come in, it ends as the cluster is."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from archsearch.operator.cache import Cache, has_terminated_container, is_gone
from archsearch.operator.names import SEARCH_UID_LABEL
from archsearch.operator.port import Change, Object


def pod(uid: str, version: int, search: str = "s", *, ended: bool = False, note: str = "") -> Object:
    state = {"terminated": {"exitCode": 0}} if ended else {"running": {}}
    return {
        "metadata": {
            "name": f"pod-{uid}",
            "namespace": "n",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": {SEARCH_UID_LABEL: search},
        },
        "note": note,
        "status": {"containerStatuses": [{"name": "trial", "state": state}]},
    }


def cache() -> Cache:
    return Cache(lambda object: object, keep=has_terminated_container)


def test_an_event_that_changes_nothing_that_is_kept_tells_nobody() -> None:
    of_pods = cache()
    assert of_pods.apply("", Change("ADDED", pod("a", 1))) is not None
    assert of_pods.apply("", Change("MODIFIED", pod("a", 2))) is None
    assert of_pods.apply("", Change("MODIFIED", pod("a", 3, note="new"))) == ("n", "s", pod("a", 3, note="new"))


def test_events_come_in_the_order_in_which_they_were_written_so_an_older_one_changes_nothing() -> None:
    of_pods = cache()
    of_pods.put("", pod("a", 5, note="ours"))
    assert of_pods.apply("", Change("MODIFIED", pod("a", 4, note="before"))) is None
    assert of_pods.of("n", "s") == [pod("a", 5, note="ours")]


@pytest.mark.parametrize("told_by", ["event", "bookmark"])
def test_a_write_of_ours_that_the_watch_is_past_is_ignored(told_by: str) -> None:
    of_pods = cache()
    change = {"event": Change("ADDED", pod("b", 7)), "bookmark": Change("BOOKMARK", pod("", 7))}[told_by]
    of_pods.apply("", change)
    of_pods.put("", pod("a", 6))
    assert "pod-a" not in [each["metadata"]["name"] for each in of_pods.of("n", "s")]


def test_what_a_list_lacks_is_deleted_unless_it_is_newer_than_the_list() -> None:
    of_pods = cache()
    of_pods.list("", pod("gone", 3))
    of_pods.list("", pod("ended", 4, ended=True))
    of_pods.put("", pod("ours", 9))
    of_pods.list("", pod("there", 2))

    changes = of_pods.finish("", {"there"}, 8)

    assert sorted(object["metadata"]["uid"] for _, _, object in changes) == ["ended", "gone"]
    by_uid = {each["metadata"]["uid"]: is_gone(each) for each in of_pods.of("n", "s")}
    assert by_uid == {"ours": False, "there": False, "ended": True}


def test_a_list_of_one_namespace_says_nothing_about_another() -> None:
    of_pods = cache()
    of_pods.list("n", pod("a", 1))
    assert of_pods.finish("m", set(), 5) == ()
    assert len(of_pods) == 1


def test_an_object_whose_label_changes_moves_to_the_other_search() -> None:
    of_pods = cache()
    of_pods.list("", pod("a", 1, "one"))
    of_pods.apply("", Change("MODIFIED", pod("a", 2, "two")))
    assert (of_pods.of("n", "one"), of_pods.of("n", "two")) == ([], [pod("a", 2, "two")])


def test_the_order_is_that_in_which_objects_came() -> None:
    of_pods = cache()
    for version, uid in enumerate("cab"):
        of_pods.list("", pod(uid, version + 1))
    of_pods.apply("", Change("MODIFIED", pod("a", 9)))
    assert [each["metadata"]["uid"] for each in of_pods.of("n", "s")] == ["c", "a", "b"]


def test_all_tombstones_of_a_search_are_forgotten_at_once_and_nothing_else() -> None:
    of_pods = cache()
    for version, (uid, search) in enumerate([("a", "s"), ("b", "s"), ("c", "s"), ("d", "t")]):
        of_pods.list("", pod(uid, version + 1, search, ended=True))
    for uid, search in [("a", "s"), ("b", "s"), ("d", "t")]:
        of_pods.apply("", Change("DELETED", pod(uid, 9, search, ended=True)))
    of_pods.forget_all("n", "s")
    of_pods.forget("unknown")
    assert [each["metadata"]["uid"] for each in of_pods.of("n", "s")] == ["c"]
    assert [is_gone(each) for each in of_pods.of("n", "t")] == [True]


@dataclass
class Cluster:
    """What an API server has: objects, a log of events, one number that grows with each write."""

    version: int = 0
    objects: dict[str, Object] = field(default_factory=dict)
    events: list[Change] = field(default_factory=list)

    def write(self, uid: str, *, ended: bool = False) -> Object:
        self.version += 1
        kind = "MODIFIED" if uid in self.objects else "ADDED"
        written = pod(uid, self.version, f"search-{int(uid) % 2}", ended=ended, note=str(self.version))
        self.objects[uid] = written
        self.events.append(Change(kind, written))
        return written

    def delete(self, uid: str) -> None:
        self.version += 1
        last = self.objects.pop(uid)
        last = {**last, "metadata": {**last["metadata"], "resourceVersion": str(self.version)}}
        self.events.append(Change("DELETED", last))


class Watched(RuleBasedStateMachine):
    """A cluster, a watcher's place in its events, and answers to our writes that come late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()
        self.cache = cache()
        self.place = 0
        self.answers: list[Object] = []
        self.uids = 0
        self.listed: tuple[dict[str, Object], int, int] | None = None

    @rule(ours=st.booleans())
    def create(self, ours: bool) -> None:
        self.uids += 1
        made = self.cluster.write(str(self.uids))
        if ours:
            self.answers.append(made)

    @precondition(lambda self: self.cluster.objects)
    @rule(data=st.data(), ours=st.booleans(), ended=st.booleans())
    def change(self, data: st.DataObject, ours: bool, ended: bool) -> None:
        changed = self.cluster.write(data.draw(st.sampled_from(sorted(self.cluster.objects))), ended=ended)
        if ours:
            self.answers.append(changed)

    @precondition(lambda self: self.cluster.objects)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.cluster.delete(data.draw(st.sampled_from(sorted(self.cluster.objects))))

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.cache.put("", self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1))))

    @precondition(lambda self: self.listed is None and self.place < len(self.cluster.events))
    @rule()
    def event(self) -> None:
        self.cache.apply("", self.cluster.events[self.place])
        self.place += 1

    @precondition(lambda self: self.listed is None)
    @rule()
    def begin_list(self) -> None:
        self.listed = (dict(self.cluster.objects), self.cluster.version, len(self.cluster.events))
        for each in self.listed[0].values():
            self.cache.list("", each)

    @precondition(lambda self: self.listed is not None)
    @rule()
    def finish_list(self) -> None:
        assert self.listed is not None
        objects, version, place = self.listed
        self.cache.finish("", objects.keys(), version)
        self.place, self.listed = place, None

    @invariant()
    def what_is_told_to_the_end_is_what_there_is(self) -> None:
        if self.listed is None and self.place == len(self.cluster.events):
            known = [each for search in (0, 1) for each in self.cache.of("n", f"search-{search}")]
            there = {each["metadata"]["uid"]: each for each in known if not is_gone(each)}
            assert there == self.cluster.objects
            assert all(has_terminated_container(each) for each in known if is_gone(each))
            assert len(self.cache) == len(known)


TestWatched = Watched.TestCase
TestWatched.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
