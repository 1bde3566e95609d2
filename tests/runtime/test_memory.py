"""Memory read from files as Linux writes them."""

from pathlib import Path

import pytest

from ostro.runtime.memory import Memory, peak_resident_bytes, read_memory

GB = 1 << 30


class Machine:
    """Fake /proc and control group folders of a machine with 16 GB, 10 of them available."""

    def __init__(self, root: Path) -> None:
        self.proc, self.cgroup = root / "proc", root / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        self.cgroup.mkdir()
        kilobytes = {"MemTotal": 16 * GB // 1024, "MemAvailable": 10 * GB // 1024}
        lines = [f"{name}:   {value} kB" for name, value in kilobytes.items()]
        (self.proc / "meminfo").write_text("\n".join([*lines, "HugePages_Total:       0", ""]))

    def group(self, path: str, **values: object) -> None:
        """Write files of a control group; ``__`` stands for a dot."""
        folder = self.cgroup / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / name.replace("__", ".")).write_text(f"{value}\n")

    def member_of(self, text: str) -> None:
        (self.proc / "self" / "cgroup").write_text(text + "\n")

    def read(self) -> Memory:
        return read_memory(self.proc, self.cgroup)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_control_groups_it_is_the_machines(machine: Machine) -> None:
    assert machine.read() == Memory(total=16 * GB, available=10 * GB)


def test_a_limit_of_version_2(machine: Machine) -> None:
    machine.group("", memory__max=4 * GB, memory__current=GB)
    assert machine.read() == Memory(total=4 * GB, available=3 * GB)


def test_a_limit_of_version_1(machine: Machine) -> None:
    machine.group("memory", memory__limit_in_bytes=4 * GB, memory__usage_in_bytes=GB)
    assert machine.read() == Memory(total=4 * GB, available=3 * GB)


def test_no_limit_is_no_limit(machine: Machine) -> None:
    machine.group("", memory__max="max", memory__current=GB)
    machine.group("memory", memory__limit_in_bytes=9223372036854771712)
    assert machine.read() == Memory(total=16 * GB, available=10 * GB)


def test_what_the_machine_lacks_a_limit_does_not_give(machine: Machine) -> None:
    machine.group("", memory__max=15 * GB, memory__current=GB)
    assert machine.read() == Memory(total=15 * GB, available=10 * GB)


def test_pages_of_files_are_given_up_when_asked(machine: Machine) -> None:
    stat = f"anon {GB}\ninactive_file {GB}\nactive_file {GB // 2}"
    machine.group("", memory__max=4 * GB, memory__current=3 * GB, memory__stat=stat)
    assert machine.read().available == 4 * GB - 3 * GB + GB + GB // 2


def test_more_used_than_allowed_leaves_nothing(machine: Machine) -> None:
    machine.group("", memory__max=GB, memory__current=2 * GB)
    assert machine.read().available == 0


@pytest.mark.parametrize("line", ["0::/user.slice/session", "7:cpu,memory:/user.slice/session"])
def test_the_own_group_and_all_above_it_count(machine: Machine, line: str) -> None:
    root, names = ("", ("memory__max", "memory__current"))
    if "memory" in line:
        root, names = ("memory/", ("memory__limit_in_bytes", "memory__usage_in_bytes"))
    machine.member_of(line)
    above = dict(zip(names, (6 * GB, 5 * GB), strict=True))
    own = dict(zip(names, (4 * GB, GB), strict=True))
    machine.group(root + "user.slice", **above)
    machine.group(root + "user.slice/session", **own)
    machine.group(root + "other.slice", **dict(zip(names, (GB, 0), strict=True)))
    assert machine.read() == Memory(total=4 * GB, available=GB)


def test_a_group_outside_the_view_is_left_out(machine: Machine) -> None:
    machine.member_of("0::/../../elsewhere")
    assert machine.read() == Memory(total=16 * GB, available=10 * GB)


def test_where_proc_is_missing_posix_is_asked(tmp_path: Path) -> None:
    memory = read_memory(tmp_path / "none", tmp_path / "none")
    assert memory.total == memory.available > 0


def test_this_machine_has_memory_and_this_process_uses_some() -> None:
    memory = read_memory()
    assert 0 < memory.available <= memory.total
    assert 0 <= peak_resident_bytes() < 1 << 50
