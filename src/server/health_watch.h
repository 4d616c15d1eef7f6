// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Looks at the figures of all cores once a second and says how the server is; a line in the log for each change.
//
// Thread: the core of the metrics port; reads other cores' statistics without locks.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/counter.h"
#include "server/health.h"
#include "server/stats.h"

namespace spillway::server {

/// Per second over the window, and how long the broadcasts took that ended in it.
struct Rates {
    double published = 0;
    double delivered = 0;
    double dropped = 0;
    std::uint64_t broadcasts = 0;  // not per second
    base::Duration p50{}, p95{}, p99{};
};

class HealthWatch {
public:
    /// `cores` outlive it.
    explicit HealthWatch(const std::vector<const Stats*>& cores) : cores_(cores) {}

    /// Looks if a second has gone by since it looked last.
    /// `memory`: of the limit, the most since the last look.
    void step(const Config& config, base::Instant now, double memory = 0);
    [[nodiscard]] bool due(base::Instant now) const { return now >= due_; }

    [[nodiscard]] const Health& current() const { return keeper_.current(); }
    [[nodiscard]] const HealthFigures& figures() const { return figures_; }
    [[nodiscard]] const Rates& rates() const { return rates_; }
    /// {"status":"warning","reasons":["…"],"figures":{…}}: times in seconds, shares 0 to 1.
    void append_json(std::string& json) const;

private:
    struct Seen {
        base::Instant at{};
        std::uint64_t published = 0;
        std::uint64_t due = 0;  // deliveries, made or dropped
        std::uint64_t dropped = 0;
        std::uint64_t asked = 0;  // requests
        std::uint64_t failed = 0;
        base::HistogramSum broadcast;
        base::HistogramSum turns;
    };
    [[nodiscard]] Seen read() const;
    [[nodiscard]] Rates rate() const;
    [[nodiscard]] HealthFigures figure(const Config& config, base::Instant now) const;

    const std::vector<const Stats*>& cores_;
    std::deque<Seen> seen_;  // oldest first, one more than the window has seconds
    HealthFigures figures_;
    Rates rates_;
    HealthKeeper keeper_;
    base::Instant due_{};
};

}  // namespace spillway::server
