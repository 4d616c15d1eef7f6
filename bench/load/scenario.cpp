// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Broadcasts, idle clients, connects.

#include "scenario.h"

#include <poll.h>

#include <cstdio>

#include "board.h"
#include "fleet.h"
#include "limit_process.h"
#include "loops.h"
#include "publisher.h"

namespace spillway::load {
namespace {

constexpr int kWarmCycles = 6;

struct Destroy {
    void operator()(Board* board) const { board->destroy(); }
};
using OwnedBoard = std::unique_ptr<Board, Destroy>;

OwnedBoard board_for(const Options& options) {
    const std::uint32_t rounds =
        options.mode == Mode::search ? kSearchRounds : options.warmup + options.messages * options.repeats;
    return OwnedBoard(Board::create(rounds, options.aside != 0 ? kAsideRounds : 0));
}

void loop(Run& run) {
    switch (run.options.mode) {
        case Mode::open: return open_loop(run);
        case Mode::flood: return flood_loop(run);
        case Mode::search: return search_loop(run);
        default: return closed_loop(run);
    }
}

void check_counts(Board& board, const Publisher& publisher, const Publisher* aside, Outcome& outcome) {
    outcome.incomplete = outcome.mode == Mode::search ? 0 : board.round_count(kMain) - board.done(kMain);
    outcome.gaps = board.sum(&ProcessCounts::gaps);
    outcome.repeats = board.sum(&ProcessCounts::repeats);
    outcome.malformed = board.sum(&ProcessCounts::malformed);
    outcome.lost = board.sum(&ProcessCounts::lost);
    outcome.visits = board.sum(&ProcessCounts::visits);
    outcome.slow_delivered = board.sum(&ProcessCounts::slow_deliveries);
    outcome.refused = publisher.refused() + (aside == nullptr ? 0 : aside->refused());
    outcome.refusal = publisher.refusal();
}

/// The slow ones read at last what was kept for them.
void thaw(const Options& options, Board& board, Outcome& outcome) {
    if (options.slow_clients() == 0) return;
    outcome.slow_expected = std::uint64_t{board.round_count(kMain)} * options.slow_clients() * options.subscriptions;
    board.thaw = true;
    std::uint64_t last = 0;
    for (std::int64_t moved = now_ns(); now_ns() - moved < kSecond; poll(nullptr, 0, 50)) {
        const std::uint64_t now = board.sum(&ProcessCounts::slow_deliveries);
        if (now != last) moved = now_ns();
        last = now;
    }
}

bool wants_limit(const Options& options) {
    return options.against_limit || (options.mode == Mode::search && options.search_bound_passes > 0);
}

}  // namespace

std::optional<Outcome> play_broadcasts(const Options& options, const std::string& title) {
    Outcome outcome;
    outcome.title = title;
    outcome.mode = options.mode;
    outcome.clients = options.clients;
    outcome.channels = options.channels;
    outcome.before = look_at_server(options);
    const OwnedBoard board = board_for(options);
    {
        Fleet fleet(options, *board);
        const bool wanted = wants_limit(options);
        auto limit = wanted ? LimitProcess::start(options, options.clients) : std::nullopt;
        if (wanted && !limit) return std::nullopt;
        if (!fleet.hold(options.connections())) return std::nullopt;
        const auto publisher = connect_publisher(options, kMain);
        const auto aside = options.aside == 0 ? nullptr : connect_publisher(options, kAside);
        Run run{options, *board, *publisher, aside.get(), limit ? &*limit : nullptr, outcome};
        loop(run);
        progress("");
        outcome.loaded = look_at_server(options);
        outcome.resident_late = outcome.loaded.resident_bytes;
        thaw(options, *board, outcome);
        publisher->settle(0, now_ns() + kSecond);
        check_counts(*board, *publisher, aside.get(), outcome);
        outcome.deliveries = outcome.completion.count() * options.deliveries_each();
    }
    outcome.left_behind = !wait_back_at(options, outcome.before, 10);
    outcome.after = look_at_server(options);
    return outcome;
}

std::optional<IdleOutcome> play_idle(const Options& options) {
    IdleOutcome outcome;
    outcome.few = options.idle / 3;
    outcome.many = options.idle;
    const ServerState before = look_at_server(options);
    const OwnedBoard board(Board::create(1, 0));
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

std::optional<ConnectOutcome> play_connects(const Options& options) {
    ConnectOutcome outcome;
    outcome.clients = options.clients;
    const ServerState before = look_at_server(options);
    const OwnedBoard board(Board::create(1, 0));
    Fleet fleet(options, *board);
    for (std::uint32_t n = 0; n <= options.repeats; ++n) {  // the first warms up
        const std::int64_t begin = now_ns();
        if (!fleet.hold(options.clients)) return std::nullopt;
        const double seconds = static_cast<double>(now_ns() - begin) / 1e9;
        if (n > 0) outcome.per_second.push_back(options.clients / seconds);
        if (!fleet.hold(0) || !wait_back_at(options, before, 10)) return std::nullopt;
        poll(nullptr, 0, 300);
    }
    return outcome;
}

}  // namespace spillway::load
