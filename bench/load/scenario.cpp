// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Closed loop, open loop, idle.

#include "scenario.h"

#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdio>

#include "board.h"
#include "fleet.h"
#include "publisher.h"

namespace spillway::load {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kWarmCycles = 6;
constexpr std::int64_t kPatience = 20 * kSecond;  // for the last delivery of a broadcast

void show_round(std::uint32_t round, std::uint32_t rounds) {
    progress("broadcast " + std::to_string(round) + " of " + std::to_string(rounds));
}

/// Every broadcast waits for the last delivery of the one before. Returns the seconds of the measured part.
double closed_loop(const Options& options, Board& board, Publisher& publisher, Outcome& outcome) {
    const std::uint32_t rounds = board.round_count();
    std::int64_t begin = 0;
    std::int64_t end = 0;
    for (std::uint32_t n = 0; n < rounds; ++n) {
        const std::string requests = publisher.broadcast(n);  // signed before the clock starts
        const std::int64_t start = now_ns();
        if (n == options.warmup) begin = start;
        publisher.send(requests);
        if (!board.wait_done(n + 1, start + kPatience)) break;
        end = board.round(n).done_ns;
        if (n >= options.warmup) outcome.completion.add(end - start);
        publisher.settle(0, start + kPatience);
        show_round(n, rounds);
    }
    return static_cast<double>(end - begin) / 1e9;
}

/// Broadcast n is due at schedule + n * interval, whatever became of those before.
double open_loop(const Options& options, Board& board, Publisher& publisher, Outcome& outcome) {
    prctl(PR_SET_TIMERSLACK, 1UL);
    const std::uint32_t rounds = board.round_count();
    const auto interval = static_cast<std::int64_t>(1e9 / options.rate);
    const std::int64_t schedule = now_ns() + kSecond / 10;
    board.measured_from = options.warmup;
    board.schedule_ns = schedule;
    board.interval_ns = interval;
    for (std::uint32_t n = 0; n < rounds; ++n) {
        const std::string requests = publisher.broadcast(n);
        const std::int64_t due = schedule + interval * n;
        while (now_ns() < due) {
            publisher.settle(0, due);  // returns at once when all is answered
            const std::int64_t left = due - now_ns();
            const timespec wait{left / kSecond, left % kSecond};
            if (left > 0) ppoll(nullptr, 0, &wait, nullptr);
        }
        publisher.send(requests);
        show_round(n, rounds);
    }
    publisher.settle(0, now_ns() + kPatience);
    board.wait_done(rounds, now_ns() + kPatience);
    std::int64_t end = 0;
    for (std::uint32_t n = options.warmup; n < rounds; ++n) {
        const std::int64_t done = board.round(n).done_ns;
        if (done == 0) continue;
        outcome.completion.add(done - schedule - interval * n);
        end = std::max(end, done);
    }
    for (const ProcessCounts& process : board.processes) outcome.latency.add(process.latency);
    return static_cast<double>(end - schedule - interval * options.warmup) / 1e9;
}

void check_counts(Board& board, Publisher& publisher, Outcome& outcome) {
    outcome.incomplete = board.round_count() - board.rounds_done;
    outcome.gaps = board.sum(&ProcessCounts::gaps);
    outcome.repeats = board.sum(&ProcessCounts::repeats);
    outcome.malformed = board.sum(&ProcessCounts::malformed);
    outcome.lost = board.sum(&ProcessCounts::lost);
    outcome.refused = publisher.refused();
    outcome.refusal = publisher.refusal();
    outcome.deliveries = outcome.completion.count() * outcome.clients;
}

}  // namespace

std::optional<Outcome> play_broadcasts(const Options& options, const std::string& title) {
    Outcome outcome;
    outcome.title = title;
    outcome.mode = options.mode;
    outcome.clients = options.clients;
    outcome.channels = options.channels;
    outcome.before = look_at_server(options);
    Board* board = Board::create(options.warmup + options.messages);
    for (std::uint32_t n = 0; n < board->round_count(); ++n) board->round(n).remaining = options.clients;
    {
        Fleet fleet(options, *board);
        if (!fleet.hold(options.clients)) return std::nullopt;
        Publisher publisher(options);
        outcome.seconds = options.mode == Mode::closed ? closed_loop(options, *board, publisher, outcome)
                                                       : open_loop(options, *board, publisher, outcome);
        progress("");
        outcome.loaded = look_at_server(options);
        if (options.mode == Mode::closed) publisher.settle(0, now_ns() + kSecond);
        check_counts(*board, publisher, outcome);
    }
    outcome.left_behind = !wait_back_at(options, outcome.before, 10);
    outcome.after = look_at_server(options);
    return outcome;
}

std::optional<IdleOutcome> play_idle(const Options& options) {
    IdleOutcome outcome;
    outcome.few = options.idle / 10;
    outcome.many = options.idle;
    const ServerState before = look_at_server(options);
    Board* board = Board::create(1);
    {
        Fleet fleet(options, *board);
        // What exists once, however many clients come (receive buffers above all), is touched by coming and going. Only
        // by the few: memory kept from a first time with all of them would make the second time look free.
        for (int cycle = 0; cycle < kWarmCycles; ++cycle) {
            if (!fleet.hold(0) || !fleet.hold(outcome.few)) return std::nullopt;
        }
        poll(nullptr, 0, 1000);
        outcome.at_few = look_at_server(options);
        if (!fleet.hold(outcome.many)) return std::nullopt;
        poll(nullptr, 0, 1000);
        outcome.at_many = look_at_server(options);
        for (std::uint32_t second = 0; second < options.hold_seconds; ++second) {
            progress("holding, " + std::to_string(options.hold_seconds - second) + " s left");
            poll(nullptr, 0, 1000);
        }
        progress("");
        if (options.hold_seconds > 0) outcome.at_many = look_at_server(options);
    }
    if (!wait_back_at(options, before, 10))
        std::fprintf(stderr, "spillway-load: descriptors or clients were left behind\n");
    outcome.after = look_at_server(options);
    return outcome;
}

}  // namespace spillway::load
