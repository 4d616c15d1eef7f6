# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""spillway-load as a function: flags in, JSON out."""
import json
import statistics
import subprocess
import sys
import tempfile


class Failed(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


class Load:
    """Remembers the commands it ran, for the record."""

    def __init__(self, build):
        self.program = build / "bench/load/spillway-load"
        self.commands = []

    def play(self, server, flags, seconds=300):
        """The JSON of one play, a dict. Exit code 1 (a promise was broken) is an error, too, unless a peer's."""
        flags = list(map(str, flags))
        shown = " ".join(["spillway-load", *flags])
        if shown not in self.commands:
            self.commands.append(shown)
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            words = ["setpriv", "--pdeathsig", "KILL", str(self.program), *flags, *server.load, "--json", out.name]
            done = subprocess.run(words, capture_output=True, text=True, timeout=seconds)
            if done.returncode == 2 or (done.returncode == 1 and server.name == "spillway"):
                raise Failed(f"{server.name}: {shown}: {(done.stdout + done.stderr).strip()[-600:]}")
            answer = json.load(out)
        return answer[0] if isinstance(answer, list) and len(answer) == 1 else answer


median = statistics.median


def ratio(ours, theirs):
    """Median of the ratios of pairs, each from one round."""
    return median(a / b for a, b in zip(ours, theirs))
