// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What came out of a scenario, as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "histogram.h"
#include "options.h"
#include "server_watch.h"

namespace spillway::load {

/// One point of a plot: latency percentiles over time, or over the rate of a search's step.
struct Point {
    double x = 0;  // seconds, or deliveries per second
    double p50 = 0, p95 = 0, p99 = 0;
};

/// One rate of a search.
struct Step {
    double rate = 0;                       // broadcasts per second that were due
    double sent_share = 1;                 // of those, published in time
    double delivered = 0;                  // deliveries per second that arrived while it lasted
    double p50 = 0, p95 = 0, bounded = 0;  // ms from the schedule; `bounded`: the percentile in question
    bool kept = false;
};

/// Bare passes of bench/limit in turn with broadcasts.
struct AgainstLimit {
    std::uint32_t sockets = 0;
    std::vector<double> sends_ms;  // per block of broadcasts, medians
    std::vector<double> read_ms;
    std::vector<double> broadcast_ms;
    std::vector<double> ratios;       // broadcast to the sends of as many passes as it has channels per client
    std::vector<double> read_ratios;  // to the same with the time until everything was read
};

struct Outcome {
    std::string title;
    Mode mode = Mode::closed;
    std::uint32_t clients = 0;
    std::uint32_t channels = 0;
    double seconds = 0;            // from the first measured broadcast to its last delivery
    Histogram completion;          // per broadcast: from its start (or schedule) to the last subscriber
    Histogram answer;              // closed mode over HTTP: until the publish was answered
    Histogram latency[2];          // per delivery, from the schedule; 1: of small channels beside a large one
    std::vector<Point> series;     // over seconds
    std::uint32_t incomplete = 0;  // broadcasts that never reached everybody
    std::uint64_t deliveries = 0;  // measured ones
    std::uint64_t gaps = 0;
    std::uint64_t repeats = 0;
    std::uint64_t malformed = 0;
    std::uint64_t lost = 0;     // subscribers whose connection ended
    std::uint32_t refused = 0;  // publishes that were refused
    std::string refusal;
    bool left_behind = false;  // descriptors or clients did not come back
    ServerState before, loaded, after;
    std::int64_t resident_early = -1, resident_late = -1;  // bytes, when measuring began and ended

    AgainstLimit limit;
    std::vector<Step> steps;  // of a search, then those past saturation
    double bound_ms = 0;
    double kept_rate = 0;   // broadcasts per second
    double kept = 0;        // deliveries per second
    double past = 0;        // the least deliveries per second past saturation
    double past_share = 0;  // the least part of what a step at the best rate, right before, had delivered
    std::uint64_t visits = 0;
    std::uint64_t slow_expected = 0;  // deliveries to those who did not read
    std::uint64_t slow_delivered = 0;

    /// Nothing was lost that is not known to be dropped. A search goes where messages must be dropped.
    [[nodiscard]] bool as_promised() const {
        const bool complete = mode == Mode::search || (incomplete == 0 && gaps == 0);
        return complete && repeats == 0 && malformed == 0 && lost == 0 && refused == 0 && !left_behind && accounted();
    }
    /// What slow readers did not get was counted as dropped, as far as the server can be asked.
    [[nodiscard]] bool accounted() const {
        if (slow_expected == 0 || loaded.dropped < 0) return true;
        return slow_delivered + static_cast<std::uint64_t>(after.dropped - before.dropped) == slow_expected;
    }
    [[nodiscard]] double ns_per_delivery() const {
        return deliveries == 0 ? 0 : seconds * 1e9 / static_cast<double>(deliveries);
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

struct ConnectOutcome {
    std::uint32_t clients = 0;
    std::vector<double> per_second;
};

struct LoneOutcome {
    std::vector<double> delivery_us;  // from the publish to the receipt; a few microseconds count, so no histogram
    std::vector<double> echo_us;      // of a message of the same size; empty: no echo was asked for
};

/// The value that `share` (0..1) of all do not exceed; 0 of none.
[[nodiscard]] double percentile(std::vector<double> values, double share);
[[nodiscard]] inline double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

}  // namespace spillway::load
