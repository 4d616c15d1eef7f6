// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The ways to publish while subscribers listen. Each fills in what it measures and returns when its last delivery has
// arrived or patience is over.
#pragma once

#include "board.h"
#include "limit_process.h"
#include "options.h"
#include "outcome.h"
#include "publisher.h"

namespace spillway::load {

struct Run {
    const Options& options;
    Board& board;
    Publisher& publisher;
    Publisher* aside;     // with options.aside
    LimitProcess* limit;  // with options.against_limit, and for a bound in passes
    Outcome& outcome;

    /// Enters a broadcast on the board; then it may be published.
    void begin(Stream stream, std::uint32_t number, std::int64_t due_ns, std::uint32_t slot);
};

inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kPatience = 20 * kSecond;  // for the last delivery of a broadcast
inline constexpr std::uint32_t kTimeSlots = 60;          // stretches of a run in its plot

/// Rounds that a search may use up, all steps together.
inline constexpr std::uint32_t kSearchRounds = 4'000'000;
inline constexpr std::uint32_t kAsideRounds = 1'000'000;

void closed_loop(Run& run);
void open_loop(Run& run);
void flood_loop(Run& run);
void search_loop(Run& run);

/// Sleeps until then, reading answers meanwhile.
void wait_until(Publisher& publisher, std::int64_t due_ns);

}  // namespace spillway::load
