"""What every benchmark prints first: hardware, versions, commit."""

import platform
import subprocess
import sys
from pathlib import Path

import torch


def describe() -> str:
    """One line for the head of a result."""
    root = Path(__file__).parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{_processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"Python {sys.version.split()[0]}, commit {commit or 'unknown'}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "CPU")
