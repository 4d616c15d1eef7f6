# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""One function per row of the bars: plays what it needs, in turn, and says what came out. To add a row, write a function
that yields Results and put it into ROWS."""
import re
import subprocess
from dataclasses import dataclass
from statistics import median

import machine
import servers
from duel import advantage, compare
from load import Load


CLOSED = {1000: 100, 10000: 25, 19000: 12}  # subscribers: broadcasts of one block


@dataclass
class Result:
    what: str
    bar: str
    result: str
    verdict: str


def judged(what, bar, result, held):
    return Result(what, bar, result, "held" if held else "missed")


class Bench:
    def __init__(self, build, rounds):
        self.build, self.rounds = build, rounds
        self.load = Load(build)
        self.places = machine.Places()

    def server(self, flags=(), cores=1):
        cpus = [self.places.server, self.places.second_server][:cores]
        return servers.spillway(self.build, cpus, flags)

    def failed(self, name, error):
        return Result(name, "", f"did not run: {str(error).splitlines()[0][:200]}", "missed")

    def each_round(self, *plays):
        """The plays in turn, so often; for each a list of what it returned."""
        results = [[] for _ in plays]
        for number in range(self.rounds):
            order = list(range(len(plays)))
            for at in order if number % 2 == 0 else reversed(order):
                results[at].append(plays[at]())
        return results


def closed(bench):
    """closed loop, 1,000 / 10,000 / 19,000 subscribers, against the bare limit"""
    for clients, messages in CLOSED.items():
        yield _closed(bench, clients, messages)
    if len(bench.places.rest) > 1:
        for clients, messages in CLOSED.items():
            yield _closed(bench, clients, messages, "--spin")


def _closed(bench, clients, messages, *spin):
    with bench.server() as server:
        out = bench.load.play(server, ["--scenario", "closed", "--clients", clients, "--messages", messages, "--repeats", bench.rounds,
                                       *bench.places.single_reader(), *spin])
    limit = out["limit"]
    sends, read = median(limit["ratios"]), median(limit["read_ratios"])
    return judged(f"closed loop, {clients:,} subscribers, against bare passes" + (", readers that never sleep" if spin else ""),
                  "<= 1.10 x (goal 1.05)",
                  f"{read:.2f} x ({median(limit['broadcast_ms']) * 1e6 / clients:,.0f} ns; limit "
                  f"{median(limit['read_ms']) * 1e6 / clients:,.0f} ns until read, {median(limit['sends_ms']) * 1e6 / clients:,.0f} ns "
                  f"sends alone: {sends:.2f} x)", read <= 1.10)


def peers(bench):
    """the same against Bun's publish, node ws and nchan"""
    for clients, messages in CLOSED.items():
        flags = ["--scenario", "closed", "--clients", str(clients), "--messages", str(max(messages // 2, 8)), "--repeats", "1", "--warmup", "3"]
        results, what = compare(bench.build, servers.PEER_NAMES, bench.rounds, flags + ["--no-limit"], bench.places.single_reader())
        for name in servers.PEER_NAMES:
            label = f"closed loop, {clients:,} subscribers, against {name}"
            if name not in results:
                yield Result(label, "faster", "not here", "not measured")
                continue
            times = advantage(results, what, name)
            yield judged(label, "faster", f"{times:.2f} x as fast ({median(results['spillway'].values()):.2f} ms, "
                         f"{median(results[name].values()):.2f} ms)", times > 1)


def channels(bench):
    """one channel of 19,000 against 50 channels of 380"""
    with bench.server() as server:
        out = bench.load.play(server, ["--scenario", "channels", "--messages", 12, "--warmup", 3, "--repeats", bench.rounds,
                                       *bench.places.single_reader()])
    many, one = out[0::2], out[1::2]
    times = median(o["broadcast_ms"]["p50"] / m["broadcast_ms"]["p50"] for m, o in zip(many, one))
    yield judged("one channel of 19,000 against 50 of 380, completion", "<= 1.10 x", f"{times:.2f} x", times <= 1.10)


def saturated(bench):
    """1,000 subscribers: highest kept deliveries/s with p99 under 250 ms, against Bun"""
    flags = ["--scenario", "saturated", "--step", "1.5", "--precision", "1.15", "--rate", "2000"]
    results, what = compare(bench.build, ["bun"], bench.rounds, flags, bench.places.many_readers())
    ours = median(results["spillway"].values())
    if "bun" not in results:
        yield Result("saturated, 1,000 subscribers", ">= 2 x Bun", f"{ours / 1e6:.2f} M/s; no Bun here", "not measured")
        return
    times = advantage(results, what, "bun")
    yield judged("saturated, 1,000 subscribers", ">= 2 x Bun", f"{times:.1f} x ({ours / 1e6:.2f} M/s, Bun "
                 f"{median(results['bun'].values()) / 1e6:.2f} M/s)", times >= 2)


def _saturated_19000(bench, scenario, what):
    kept, past, bounds, rate = [], [], [], 40
    for _ in range(bench.rounds):
        with bench.server() as server:
            out = bench.load.play(server, ["--scenario", scenario, "--step", 2, "--precision", 1.12, "--rate", f"{rate:.3g}",
                                           *bench.places.many_readers()])
        kept.append(out["kept"])
        past.append(out["past_share"])
        bounds.append(out["bound_ms"])
        rate = max(out["kept_rate"], 4)  # the next search begins where this one ended
    yield judged(f"saturated, 19,000 subscribers, {what}", ">= 1 M/s with p99 <= 2.5 bare passes",
                 f"{median(kept) / 1e6:.2f} M/s under {median(bounds):.0f} ms", median(kept) >= 1e6)
    yield judged(f"the same past saturation, {what}", "does not fall", f"{median(past):.2f} x of what was kept", median(past) >= 0.95)


def saturated_19000(bench):
    """19,000 subscribers on one channel and over 50: highest kept deliveries/s with p99 under 2.5 bare passes"""
    yield from _saturated_19000(bench, "saturated-19000", "one channel")
    yield from _saturated_19000(bench, "saturated-50x380", "50 channels")


def hot20(bench):
    """5,000 clients each on 20 channels, all hot, against one send per channel and client"""
    with bench.server() as server:
        out = bench.load.play(server, ["--scenario", "hot20", "--messages", 10, "--repeats", bench.rounds, *bench.places.single_reader()])
    times = 1 / median(out["limit"]["ratios"])
    yield judged("5,000 clients each on 20 hot channels", ">= 2 x one send per channel and client",
                 f"{times:.1f} x ({out['ns_per_delivery']:,.0f} ns per delivery)", times >= 2)


def _lone(bench, server, publish):
    out = bench.load.play(server, ["--mode", "lone", "--publish", publish, "--messages", 400, "--echo", "/echo", *bench.places.single_reader()])
    return out["delivery_us"]["p50"], out["echo_us"]["p50"]


def lone(bench):
    """a lone message on an idle server against an echo; over HTTP and across cores"""
    for what, publish, cores in [("publisher WebSocket, one core", "ws", 1), ("HTTP, one core", "api", 1),
                                 ("publisher WebSocket, two cores", "ws", 2), ("HTTP, two cores", "api", 2)]:
        pairs = []
        for _ in range(bench.rounds if publish == "ws" and cores == 1 else 3):
            with bench.server(cores=cores) as server:  # where connections land on two cores differs from start to start
                pairs.append(_lone(bench, server, publish))
        over = median(delivery - echo for delivery, echo in pairs)
        text = f"{median(d for d, _ in pairs):.1f} us, echo {median(e for _, e in pairs):.1f} us: {over:+.1f} us"
        if publish == "ws" and cores == 1:
            yield judged(f"lone message, p50, {what}", "<= echo + 10 us", text, over <= 10)
        else:
            yield Result(f"lone message, p50, {what}", "reported", text, "reported")


def mesh(bench):
    """cost per envelope of the mesh, and two cores against one"""
    words = [bench.build / "bench/micro/bench_mesh", "--benchmark_min_time=0.1", "--benchmark_repetitions=5",
             "--benchmark_report_aggregates_only=true", "--benchmark_format=csv"]
    said = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    rates = {m[1]: float(m[2]) for m in re.finditer(r'^"([^"]+)_median",[^,]*,[^,]*,[^,]*,[^,]*,[^,]*,([\d.e+]+)', said, re.M)}
    for name, per_second in rates.items():
        if "idle" not in name.lower():
            yield judged(f"mesh, {name}", "<= 100 ns per envelope", f"{1e9 / per_second:.1f} ns", 1e9 / per_second <= 100)
    yield from _two_cores(bench)


def _two_cores(bench):
    if len(bench.places.rest) < 2:
        yield Result("--cores 2 against 1, wall per delivery", "<= 1.1 x", "wants a third processor for the load", "not measured")
        return
    reader = bench.places.rest[0]
    flags = ["--clients", 10000, "--publish", "ws", "--messages", 15, "--cpus", f"{reader},{reader}"]
    with bench.server() as one, bench.server(cores=2) as two:
        ones, twos = bench.each_round(*(lambda s=server: bench.load.play(s, flags)["ns_per_delivery"] for server in (one, two)))
    times = median(b / a for a, b in zip(ones, twos))
    yield judged("--cores 2 against 1, wall per delivery, 10,000 subscribers", "<= 1.1 x",
                 f"{times:.2f} x ({median(ones):,.0f} ns, {median(twos):,.0f} ns)", times <= 1.1)


def beside(bench):
    """a small channel while a 19,000-subscriber channel is broadcast to without pause"""
    p99, p50, slices = [], [], []
    for _ in range(bench.rounds):
        with bench.server() as server:
            out = bench.load.play(server, ["--scenario", "beside", "--messages", 40, "--warmup", 5, *bench.places.reader_aside()])
            stats = servers.stats(server)
            slices.append([stats[name]["p999"] * 1e3 for name in ("slice_seconds", "slice_cpu_seconds")])
        p99.append(out["small_ms"]["p99"])
        p50.append(out["small_ms"]["p50"])
    yield judged("a small channel beside 19,000 without pause", "p99 <= 5 ms", f"p99 {median(p99):.1f} ms, p50 {median(p50):.1f} ms", median(p99) <= 5)
    wall, cpu = (median(column) for column in zip(*slices))
    yield judged("slices of fan-out meanwhile, p99.9", "<= 2 ms, preemption by others apart",
                 f"{wall:.1f} ms, of CPU time {cpu:.1f} ms", cpu <= 2)


def slow(bench):
    """10 % of clients not reading: the others' rate, memory, and whether every drop is counted"""
    flags = ["--scenario", "slow", "--clients", 400, "--messages", 1200, "--warmup", 1500, *bench.places.single_reader()]
    with bench.server() as server:
        without, having = bench.each_round(lambda: bench.load.play(server, [*flags, "--slow", 0]), lambda: bench.load.play(server, flags))
    times = median(a["ns_per_delivery"] / b["ns_per_delivery"] for a, b in zip(without, having))
    yield judged("10 % of clients not reading: the others' rate", "within 10 % of none", f"{times:.2f} x", times >= 0.9)
    grown = median((o["resident_late"] - o["resident_early"]) / 1024 for o in having[1:] or having)
    yield judged("the same: growth of resident memory while they do not read", "flat", f"{grown:,.0f} KiB", grown < 1024)
    counted = all(o["accounted"] and o["loaded"]["dropped"] > o["before"]["dropped"] for o in having)
    dropped = median(o["after"]["dropped"] - o["before"]["dropped"] for o in having)
    yield judged("the same: every drop counted", "read + dropped = due", f"{dropped:,.0f} dropped a run, {'all' if counted else 'NOT all'} accounted for", counted)


def idle(bench):
    """memory per idle client, Feed and Pusher"""
    for protocol in ("feed", "pusher"):
        sizes = []
        for _ in range(3):
            with bench.server() as server:
                sizes.append(bench.load.play(server, ["--scenario", "idle", "--protocol", protocol])["bytes_per_client"])
        text = f"{median(sizes):.0f} bytes"
        yield judged("memory per idle Feed client", "<= 256 bytes", text, median(sizes) <= 256) if protocol == "feed" else \
            Result("memory per idle Pusher client", "reported", text, "reported")


def connect(bench):
    """connects per second, upgrade included, against nchan and Bun"""
    flags = ["--scenario", "connect", "--repeats", "1"]
    results, what = compare(bench.build, ["nchan", "bun"], bench.rounds, flags, bench.places.many_readers())
    ours = median(results["spillway"].values())
    for name in ("nchan", "bun"):
        if name not in results:
            yield Result(f"connects per second against {name}", ">= 1 x", f"{ours:,.0f}; not here", "not measured")
            continue
        times = advantage(results, what, name)
        yield judged(f"connects per second against {name}", ">= 1 x", f"{times:.2f} x ({ours:,.0f}, {median(results[name].values()):,.0f})", times >= 1)


def answer(bench):
    """how long a publish over HTTP takes to be answered, with 10 and with 10,000 subscribers"""
    # The same silence before each: how long a processor has slept shows more than all that a server does.
    flags = ["--scenario", "answer", *bench.places.single_reader(), "--pause", 60]
    with bench.server() as server:
        few, many = bench.each_round(lambda: bench.load.play(server, [*flags, "--clients", 10, "--messages", 40]),
                                     lambda: bench.load.play(server, [*flags, "--messages", 15]))
    few, many = (median(o["answer_ms"]["p50"] * 1e3 for o in outcomes) for outcomes in (few, many))
    yield judged("HTTP 200 after a publish, p50, 10,000 against 10 subscribers", "independent of the count (<= 1.5 x or 100 us)",
                 f"{many:.0f} us against {few:.0f} us", many <= max(1.5 * few, few + 100))


ROWS = {
    "closed": closed, "peers": peers, "channels": channels, "saturated": saturated, "saturated-19000": saturated_19000, "hot20": hot20,
    "lone": lone, "mesh": mesh, "beside": beside, "slow": slow, "idle": idle, "connect": connect, "answer": answer,
}
