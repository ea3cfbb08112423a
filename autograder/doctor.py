"""`autograder doctor`: what this machine offers, and what to do about what it does not."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.course import Course, CourseError
from autograder.sandbox import Layer, probe


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `needed`: without it submissions are not graded."""

    name: str
    good: bool
    detail: str
    remedy: str = ""
    needed: bool = False


def report() -> int:
    """Print what was found and return the exit status: 1 where grading would be refused."""
    console = Console(highlight=False)
    sandbox = sandbox_findings()
    console.print(_table("Sandbox, by trying each layer in a forked child", sandbox))
    others = [*version_findings(), *device_findings()]
    console.print(_table("This installation", others))
    refused = [finding for finding in (*sandbox, *others) if finding.needed and not finding.good]
    if refused:
        console.print(
            f"Classes cannot be graded here: {', '.join(finding.name for finding in refused)} missing."
        )
        return 1
    console.print("Classes can be graded here.")
    return 0


def sandbox_findings() -> list[Finding]:
    """The layers of the lock-down. Only seccomp is indispensable: it alone closes every way out."""
    return [
        Finding(
            status.layer.value,
            status.holds,
            status.detail,
            status.remedy,
            needed=status.layer is Layer.SECCOMP,
        )
        for status in probe()
    ]


def version_findings() -> list[Finding]:
    """Python and the pinned packages, where they differ from what grades are reproducible with."""
    version = platform.python_version()
    found = [
        Finding("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer", needed=True),
    ]
    try:
        constraints = Course.find().root / "constraints.txt"
    except CourseError as error:
        return [*found, Finding("versions", False, str(error), "run it inside a course")]
    pinned = _pins(constraints)
    wrong = {}
    for name, wanted in pinned.items():
        try:
            have = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed here, or a package of another platform
        if have.partition("+")[0] != wanted:
            wrong[name] = f"{name} is {have}, pinned {wanted}"
    detail = "; ".join(wrong.values()) or f"as pinned in {constraints.name}"
    found.append(
        Finding("versions", not wrong, detail, f"pip install -c {constraints.name} {' '.join(wrong)}")
    )
    missing = [name for name in ("nbgrader", "pyseccomp") if name in pinned and not _installed(name)]
    detail = f"missing: {', '.join(missing)}" if missing else "installed"
    found.append(
        Finding(
            "instructor's extra",
            not missing,
            detail,
            "pip install -c constraints.txt -e '.[instructor]'",
            needed=True,
        )
    )
    return found


def device_findings() -> list[Finding]:
    """The build of torch, the machine's GPU, and whether the simulated one works."""
    try:
        import torch
    except ImportError:
        return [Finding("torch", False, "not installed", "pip install -c constraints.txt torch", needed=True)]
    from autograder.device.accelerator import found

    accelerator = found()
    if accelerator is None:
        gpu = Finding("GPU", True, "none: exercises are tried on a simulated one")
    else:
        name = torch.get_device_module(accelerator).get_device_name() if accelerator.type == "cuda" else ""
        gpu = Finding(
            "GPU",
            True,
            f"{accelerator} {name}".strip() + ": pytest and check try exercises there; a locked worker is "
            "given none, so that classes are graded on a simulated one",
        )
    return [Finding("torch", True, torch.__version__), gpu, _simulation_finding()]


def _simulation_finding() -> Finding:
    """Whether a product and its gradient come out there, and a mixture of devices is noticed."""
    import torch

    from autograder.simulated import SimulatedDevice, to_device, to_host

    try:
        with SimulatedDevice() as device:
            x = to_device(torch.ones(2, 2, requires_grad=True))
            (x @ x).sum().backward()
            sound = torch.equal(to_host(x.grad), torch.full((2, 2), 4.0))
            try:
                x + torch.ones(2, 2)
            except RuntimeError:
                sound &= len(device.violations) == 1
    except Exception as error:  # it stands on parts of torch that change from version to version
        sound, trouble = False, f"{type(error).__name__}: {error}"
    else:
        trouble = "wrong results"
    detail = "works" if sound else trouble
    remedy = "install the pinned torch: pip install -c constraints.txt torch"
    return Finding("simulated GPU", sound, detail, remedy)


def _table(title: str, findings: list[Finding]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for finding in findings:
        mark = Text(
            "holds" if finding.good else "MISSING" if finding.needed else "missing",
            "green" if finding.good else "red",
        )
        detail = Text(finding.detail)
        if not finding.good and finding.remedy:
            detail.append(f"\n→ {finding.remedy}", "bold")
        table.add_row(finding.name, mark, detail)
    return table


def _pins(constraints: Path) -> dict[str, str]:
    if not constraints.is_file():
        return {}
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", constraints.read_text(), re.MULTILINE))


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
