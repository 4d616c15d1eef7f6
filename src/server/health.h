// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Is the server well? A pure judgement of figures against thresholds, and the patience that keeps it from flickering.
//
// Each figure is one of a window of kHealthWindow seconds, looked at once a second. A worse status holds at once; a better
// one only when every look of the last kHealthPatience seconds was that good.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <spillway/config.h>

#include "base/clock.h"

namespace spillway::server {

inline constexpr int kHealthWindow = 5;
inline constexpr int kHealthPatience = 5;

enum class HealthStatus : std::uint8_t { healthy, warning, critical };
[[nodiscard]] constexpr std::string_view to_string(HealthStatus s) {
    constexpr std::string_view names[] = {"healthy", "warning", "critical"};
    return names[static_cast<std::size_t>(s)];
}

/// What is judged. Shares are 0 to 1.
struct HealthFigures {
    base::Duration loop_lag{};     // longest turn of 99 % in the window
    base::Duration stuck{};        // for how long the slowest core has not turned
    base::Duration latency_p95{};  // of broadcasts
    double drops = 0;              // of the deliveries due in the window
    double errors = 0;             // of the requests and publications of the window: 5xx and refusals for want of room
    double queues = 0;             // of all the bytes that may wait for the clients there are
    double stale = 0;              // of the clients
    std::uint64_t stale_clients = 0;
    double memory = 0;  // of the budget; 0 without one
};

struct HealthReason {
    std::string_view what;  // name of the threshold: "loop_lag"
    HealthStatus status = HealthStatus::warning;
    std::string text;  // with value and threshold, for people
};

struct Health {
    HealthStatus status = HealthStatus::healthy;
    std::vector<HealthReason> reasons;  // the worst first
};

[[nodiscard]] Health judge_health(const HealthThresholds& thresholds, const HealthFigures& figures);

/// Holds back what gets better.
class HealthKeeper {
public:
    /// One look a second. True when the status changed.
    bool look(Health health);
    [[nodiscard]] const Health& current() const { return current_; }

private:
    Health current_;
    Health coming_;   // the worst of those looks
    int better_ = 0;  // looks in a row that were better
};

}  // namespace spillway::server
