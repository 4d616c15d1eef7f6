// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What came out, for people and for scripts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "histogram.h"
#include "options.h"
#include "server_watch.h"

namespace spillway::load {

struct Outcome {
    std::string title;
    Mode mode = Mode::closed;
    std::uint32_t clients = 0;
    std::uint32_t channels = 0;
    double seconds = 0;            // from the first measured broadcast to its last delivery
    Histogram completion;          // per broadcast: from its start (or schedule) to the last subscriber
    Histogram latency;             // open mode, per delivery: from the schedule
    std::uint32_t incomplete = 0;  // broadcasts that never reached everybody
    std::uint64_t deliveries = 0;  // measured ones
    std::uint64_t gaps = 0;
    std::uint64_t repeats = 0;
    std::uint64_t malformed = 0;
    std::uint64_t lost = 0;     // subscribers whose connection ended
    std::uint32_t refused = 0;  // publishes that were not answered with 200
    std::string refusal;
    bool left_behind = false;  // descriptors or clients did not come back
    ServerState before, loaded, after;

    [[nodiscard]] bool as_promised() const {
        return incomplete == 0 && gaps == 0 && repeats == 0 && malformed == 0 && lost == 0 && refused == 0 &&
               !left_behind;
    }
};

/// Memory of idle clients: resident bytes at two counts, after a warm cycle.
struct IdleOutcome {
    std::uint32_t few = 0, many = 0;
    ServerState at_few, at_many, after;
    [[nodiscard]] double bytes_per_client() const {
        return static_cast<double>(at_many.resident_bytes - at_few.resident_bytes) / (many - few);
    }
};

void print(const Outcome& outcome);
void print(const IdleOutcome& outcome);

/// Writes a JSON array of the outcomes; false when the file cannot be written.
bool write_json(const std::string& file, const std::vector<Outcome>& outcomes);
bool write_json(const std::string& file, const IdleOutcome& outcome);

}  // namespace spillway::load
