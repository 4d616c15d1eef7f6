# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""The same flags of spillway-load against several servers, in turn."""
import machine
import servers
from load import Failed, Load, median, ratio, say

# What a play is compared by: (name, unit, whether more is better, value)
FIGURES = [
    ("connects", "per second", True, lambda o: median(o["per_second"]) if "per_second" in o else None),
    ("kept", "deliveries per second", True, lambda o: o.get("kept") or None),
    ("broadcast p50", "ms", False, lambda o: o["broadcast_ms"]["p50"] if o.get("broadcast_ms", {}).get("count") else None),
]


def figure_of(outcome):
    for name, unit, more, value in FIGURES:
        if (found := value(outcome)) is not None:
            return name, unit, more, found
    raise Failed("nothing in this scenario can be compared")


def start_all(build, names, places):
    running = [servers.spillway(build, [places.server])]
    for name in names:
        try:
            one = servers.peer(name, [places.server])
            say(f"compare: {name} is not here; bench/compare/install fetches it") if one is None else running.append(one)
        except RuntimeError as error:
            say(f"compare: {error}")
    return running


def compare(build, names, rounds, flags, placing):
    """{server: {round: figure}}, and what they are: (name, unit, more is better)."""
    load, results, what = Load(build), {}, None
    running = start_all(build, names, machine.Places())
    try:
        for number in range(rounds):
            for server in running[number % len(running):] + running[:number % len(running)]:
                own = ["--publish", "ws"] if server.name == "spillway" else []
                try:
                    outcome = load.play(server, [*flags, *placing, *own])
                except Failed as error:
                    say(f"compare: {error}")
                    continue
                *what, value = figure_of(outcome)
                results.setdefault(server.name, {})[number] = value
                say(f"compare: round {number + 1} of {rounds}: {server.name}: {value:.4g} {what[1]}")
    finally:
        for server in running:
            server.stop()
    return results, what


def advantage(results, what, name):
    """How many times better Spillway is than that peer, round by round."""
    rounds = sorted(results["spillway"].keys() & results[name].keys())
    ours, theirs = ([results[who][n] for n in rounds] for who in ("spillway", name))
    return ratio(ours, theirs) if what[2] else ratio(theirs, ours)
