// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The last minutes, second by second, as the dashboard draws them: what was counted within each second, the latencies of
// just that second, and the share of it that each core worked. Kept whether or not anybody looks, so that who opens the page
// at night sees what led there. 600 seconds are some 60 KB.
//
// Thread: the core of the metrics port; reads other cores' statistics without locks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/counter.h"
#include "base/fifo.h"
#include "server/stats.h"

namespace spillway::server {

/// What one second (or as long as lay between two looks) held. Counts are per second, times in seconds.
struct LivePoint {
    std::int64_t unix_ms = 0;
    std::int64_t clients = 0;
    double published = 0;
    double delivered = 0;
    double dropped = 0;
    double bytes_sent = 0;
    double bytes_received = 0;
    double p50 = 0, p95 = 0, p99 = 0;  // of broadcasts that ended in it
    double busiest = 0;                // of the cores: share of the time worked, 0 to 1
};

/// One core's part of the newest point.
struct LiveCore {
    double busy = 0;  // share of the time, 0 to 1
    double delivered = 0;
    std::int64_t clients = 0;
    std::int64_t queued_bytes = 0;
    std::int64_t mesh_depth = 0;
    double turn_p99 = 0;  // seconds
};

class LiveFigures {
public:
    static constexpr std::size_t kPointsMax = 600;

    /// `cores` outlive it.
    explicit LiveFigures(const std::vector<const Stats*>& cores) : cores_(cores) {}

    /// Closes a point at `now`; the first call only begins the first one, and takes the memory of them
    /// all, 88 KiB: what grows for ten minutes looks like a leak.
    void look(base::Instant now, std::int64_t unix_ms);

    [[nodiscard]] const base::Fifo<LivePoint>& points() const { return points_; }
    [[nodiscard]] const std::vector<LiveCore>& cores() const { return now_; }

    /// Appends a point as a JSON array in the order of the fields above; all points; the newest point's cores as objects.
    static void append_point(std::string& json, const LivePoint& point);
    void append_points(std::string& json) const;
    void append_cores(std::string& json) const;

private:
    struct Seen {
        std::uint64_t published = 0, delivered = 0, dropped = 0, bytes_sent = 0, bytes_received = 0;
        base::HistogramSum broadcast;
        base::HistogramSum turns;
    };
    [[nodiscard]] static Seen read(const Stats& stats);

    const std::vector<const Stats*>& cores_;
    std::vector<Seen> before_;
    base::Instant looked_{};
    base::Fifo<LivePoint> points_;
    std::vector<LiveCore> now_;
};

}  // namespace spillway::server
