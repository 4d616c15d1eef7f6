# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""The machine a figure comes from, and how its processors are shared between server and load."""
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def commit():
    said = subprocess.run(["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"], cwd=ROOT, capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def describe():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors ({cpu_model()}), {memory:.0f} GiB, Linux {platform.release()}, commit {commit()}"


class Places:
    """The server has processor 0 to itself; the load has the others."""

    def __init__(self):
        count = os.cpu_count() or 1
        self.server = 0
        self.rest = list(range(1, count)) or [0]
        self.second_server = self.rest[-1]  # of a server with two cores

    def single_reader(self):
        """As bench/limit has it: one process reads. The publisher is elsewhere, if there is an elsewhere."""
        reader = self.rest[0]
        publisher = self.rest[1] if len(self.rest) > 1 else reader
        return ["--cpus", f"{publisher},{reader}", "--limit-cpus", f"{self.server},{reader}"]

    def reader_aside(self):
        """Publisher and the small channel's reader (the last process) on a processor that the other readers leave alone."""
        quiet, *others = reversed(self.rest)
        others = others or [quiet]
        return ["--cpus", ",".join(map(str, [quiet, *others, quiet])), "--processes", str(len(others)),
                "--limit-cpus", f"{self.server},{others[0]}"]

    def many_readers(self, spared=()):
        """Readers on all the load's processors, for rates that one could not take in."""
        rest = [cpu for cpu in self.rest if cpu not in spared] or self.rest
        return ["--cpus", ",".join(map(str, [rest[0], *rest])), "--processes", str(len(rest)),
                "--limit-cpus", f"{self.server},{rest[0]}"]
