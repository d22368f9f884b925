"""Cores that may be used: a container's quota counts, wherever it is told."""

from pathlib import Path

import pytest

from archsearch.local.cores import cores, quota

V2 = "0::/pod/app\n"
V1 = "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n"


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({"cpu.max": "200000 100000"}, "0::/\n", 2.0),
        ({"cpu.max": "max 100000"}, "0::/\n", None),
        ({"pod/cpu.max": "150000 100000", "pod/app/cpu.max": "max 100000"}, V2, 1.5),
        ({"pod/cpu.max": "400000 100000", "pod/app/cpu.max": "300000 100000"}, V2, 3.0),
        ({"cpu.max": "100000 100000"}, "0::/../../elsewhere\n", 1.0),
        ({"cpu/docker/x/cpu.cfs_quota_us": "250000", "cpu/docker/x/cpu.cfs_period_us": "100000"}, V1, 2.5),
        ({"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, V1, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, V1, None),
        ({"cpu.max": "nonsense"}, V2, None),
        ({"cpu.max": "100000 0"}, V2, None),
        ({}, V2, None),
        ({}, "", None),
        ({}, "not a line", None),
    ],
)
def test_the_least_quota_of_a_group_and_all_above_it_counts(
    tmp_path: Path, files: dict[str, str], own: str, expected: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert quota(tmp_path, own) == expected


def test_half_a_core_is_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "own").write_text("0::/\n")
    monkeypatch.setattr("archsearch.local.cores._CGROUPS", tmp_path)
    monkeypatch.setattr("archsearch.local.cores._OWN", tmp_path / "own")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores() == 1
    (tmp_path / "cpu.max").write_text("350000 100000\n")
    assert cores() == 3
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cores() == 8
