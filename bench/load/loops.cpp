// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Closed loop, open loop, flood.

#include "loops.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "fleet.h"
#include "schedule.h"

namespace spillway::load {
namespace {

constexpr std::uint32_t kPassesMax = 20;  // bare passes between two blocks of broadcasts
constexpr std::int64_t kLead = kSecond / 10;

/// Of a measured round: which stretch of the run it belongs to.
std::uint32_t slot_of(const Options& options, std::uint32_t n) {
    if (n < options.warmup) return kWarmupSlot;
    const std::uint64_t measured = std::uint64_t{options.messages} * options.repeats;
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>((n - options.warmup) * kTimeSlots / measured, kTimeSlots - 1));
}

void show(const Run& run, const char* what, std::uint32_t round) {
    static std::int64_t last_ns = 0;
    static std::uint64_t last_deliveries = 0;
    const std::int64_t now = now_ns();
    if (now - last_ns < kSecond / 4) return;
    const std::uint64_t deliveries = run.board.sum(&ProcessCounts::deliveries);
    char line[128];
    std::snprintf(line, sizeof line, "%s: broadcast %u of %u, %.0f deliveries per second", what, round,
                  run.board.round_count(kMain),
                  static_cast<double>(deliveries - last_deliveries) * 1e9 / static_cast<double>(now - last_ns));
    progress(line);
    last_ns = now;
    last_deliveries = deliveries;
}

/// Bare passes after a block of broadcasts, and the ratio of the medians.
void compare_block(Run& run, std::vector<double>& broadcasts_ms) {
    AgainstLimit& against = run.outcome.limit;
    std::vector<double> sends, reads;
    run.limit->pass();  // the caches are the server's
    for (std::uint32_t i = 0; i < std::min(run.options.messages, kPassesMax); ++i) {
        const LimitProcess::Pass pass = run.limit->pass();
        sends.push_back(pass.sends_ms);
        reads.push_back(pass.read_ms);
    }
    against.sockets = run.options.clients;
    against.sends_ms.push_back(median(sends));
    against.read_ms.push_back(median(reads));
    against.broadcast_ms.push_back(median(broadcasts_ms));
    const double each = against.broadcast_ms.back() / run.options.subscriptions;
    against.ratios.push_back(each / against.sends_ms.back());
    against.read_ratios.push_back(each / against.read_ms.back());
    broadcasts_ms.clear();
}

void series_from_slots(Run& run, std::int64_t begin_ns, std::int64_t end_ns) {
    const double stretch = static_cast<double>(end_ns - begin_ns) / 1e9 / kTimeSlots;
    for (std::uint32_t slot = 0; slot < kTimeSlots; ++slot) {
        Histogram both;
        for (std::uint32_t which = 0; which < kClasses; ++which) {
            const Histogram one = run.board.latency(which, slot);
            run.outcome.latency[which].add(one);
            both.add(one);
        }
        if (both.count() == 0) continue;
        run.outcome.series.push_back(
            {stretch * slot, both.percentile_ms(0.5), both.percentile_ms(0.95), both.percentile_ms(0.99)});
    }
}

void complete(Run& run, std::int64_t begin_ns) {
    std::int64_t end = begin_ns;
    for (std::uint32_t n = run.options.warmup; n < run.board.round_count(kMain); ++n) {
        const Round& round = run.board.round(kMain, n);
        if (round.done_ns == 0) continue;
        run.outcome.completion.add(round.done_ns - round.due_ns);
        end = std::max<std::int64_t>(end, round.done_ns);
    }
    run.outcome.seconds = static_cast<double>(end - begin_ns) / 1e9;
    series_from_slots(run, begin_ns, end);
}

}  // namespace

void Run::begin(Stream stream, std::uint32_t number, std::int64_t due_ns, std::uint32_t slot) {
    Round& round = board.round(stream, number);
    round.remaining.store(stream == kMain ? options.deliveries_each() : options.aside, std::memory_order_relaxed);
    round.slot = slot;
    round.due_ns = due_ns;
    std::atomic_thread_fence(std::memory_order_release);  // the message that follows carries it to the readers
}

void wait_until(Publisher& publisher, std::int64_t due_ns) {
    while (now_ns() < due_ns) {
        publisher.settle(0, due_ns);  // returns at once when all is answered
        const std::int64_t left = due_ns - now_ns();
        const timespec wait{left / kSecond, left % kSecond};
        if (left > 0) ppoll(nullptr, 0, &wait, nullptr);
    }
}

/// Every broadcast waits for the last delivery of the one before.
void closed_loop(Run& run) {
    const std::uint32_t rounds = run.board.round_count(kMain);
    std::vector<double> block;
    double seconds = 0;
    std::int64_t begin = 0;
    for (std::uint32_t n = 0; n < rounds; ++n) {
        const std::string prepared = run.publisher.prepare(n);
        if (run.options.pause_ms != 0) poll(nullptr, 0, static_cast<int>(run.options.pause_ms));
        const std::int64_t start = now_ns();
        if (n == run.options.warmup) {
            begin = start;
            run.outcome.resident_early = look_at_server(run.options).resident_bytes;
        }
        run.begin(kMain, n, start, slot_of(run.options, n));
        run.publisher.send(prepared);
        if (!run.publisher.settle(0, start + kPatience)) break;
        const std::int64_t answered = now_ns();
        if (!run.board.wait_done(kMain, n + 1, start + kPatience)) break;
        show(run, "closed loop", n);
        if (n < run.options.warmup) continue;
        const std::int64_t took = run.board.round(kMain, n).done_ns - start;
        if (run.options.publish == Publish::api) run.outcome.answer.add(answered - start);
        block.push_back(static_cast<double>(took) / 1e6);
        seconds += static_cast<double>(took) / 1e9;
        if (run.limit != nullptr && block.size() == run.options.messages) compare_block(run, block);
    }
    complete(run, begin);
    run.outcome.seconds = seconds;  // without the bare passes between, and without signing
}

/// Broadcast n is due when the schedule says, whatever became of those before.
void open_loop(Run& run) {
    const std::uint32_t rounds = run.board.round_count(kMain);
    const Schedule schedule{now_ns() + kLead, run.options.rate, run.options.burst};
    for (std::uint32_t n = 0; n < rounds; ++n) {
        if (n == run.options.warmup) run.outcome.resident_early = look_at_server(run.options).resident_bytes;
        const std::string prepared = run.publisher.prepare(n);
        const std::int64_t due = schedule.due_ns(n);
        run.begin(kMain, n, due, slot_of(run.options, n));
        wait_until(run.publisher, due);
        run.publisher.send(prepared);
        show(run, "open loop", n);
    }
    run.publisher.settle(0, now_ns() + kPatience);
    run.board.wait_done(kMain, rounds, now_ns() + kPatience);
    complete(run, schedule.due_ns(run.options.warmup));
}

/// Always so many broadcasts under way; beside them the small channel has its schedule.
void flood_loop(Run& run) {
    const std::uint32_t rounds = run.board.round_count(kMain);
    const Schedule beside{now_ns() + kLead, run.options.aside_rate, 1};
    std::uint32_t n = 0;
    std::uint32_t aside = 0;
    std::int64_t begin = 0;
    std::int64_t moved = now_ns();
    std::string prepared = run.publisher.prepare(n);
    for (std::uint32_t done = 0; done < rounds; done = run.board.done(kMain)) {
        const std::int64_t now = now_ns();
        const std::int64_t due = run.aside == nullptr ? now + kSecond : beside.due_ns(aside);
        if (n < rounds && n - done < run.options.window) {
            if (n == run.options.warmup) begin = now;
            run.begin(kMain, n, now, slot_of(run.options, n));
            run.publisher.send(prepared);
            run.publisher.settle(0, now);
            if (++n < rounds) prepared = run.publisher.prepare(n);
            moved = now;
            show(run, "flood", n);
        } else if (now >= due && aside < run.board.round_count(kAside)) {
            run.begin(kAside, aside, due, n == 0 ? kWarmupSlot : slot_of(run.options, n - 1));
            run.aside->send(run.aside->prepare(aside));
            run.aside->settle(0, now);
            ++aside;
        } else if (!run.board.wait_done(kMain, done + 1, due) && now - moved > kPatience) {
            break;
        }
    }
    run.board.wait_done(kAside, aside, now_ns() + kPatience);
    complete(run, begin);
}

}  // namespace spillway::load
