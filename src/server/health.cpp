// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/health.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/format.h"

namespace spillway::server {
namespace {

std::string percent(double share) {
    std::string text;
    base::append_fixed(text, share * 100, 1);
    return text + " %";
}

std::string millis(base::Duration d) {
    return base::concat(std::chrono::duration_cast<std::chrono::milliseconds>(d).count(), " ms");
}

class Judge {
public:
    /// `value` at or above a threshold is as bad as that; a threshold of zero is off.
    template <class T, class Text>
    void weigh(std::string_view what, T value, T warning, T critical, Text&& text) {
        const bool is_critical = critical > T{} && value >= critical;
        if (!is_critical && (warning <= T{} || value < warning)) return;
        const HealthStatus status = is_critical ? HealthStatus::critical : HealthStatus::warning;
        health.status = std::max(health.status, status);
        health.reasons.push_back({what, status,
                                  base::concat(what, " is ", text(value), " (", to_string(status), " from ",
                                               text(is_critical ? critical : warning), ")")});
    }
    Health health;
};

}  // namespace

Health judge_health(const HealthThresholds& t, const HealthFigures& f) {
    Judge judge;
    using base::Duration;
    judge.weigh("loop_lag", f.loop_lag, Duration(t.loop_lag_warning), Duration(t.loop_lag_critical), millis);
    judge.weigh("stuck_loop", f.stuck, Duration{}, Duration(t.stuck_loop), millis);
    judge.weigh("latency_p95", f.latency_p95, Duration(t.latency_warning), Duration(t.latency_critical), millis);
    const auto share = [&](std::string_view what, double value, std::uint64_t warning, std::uint64_t critical) {
        judge.weigh(what, value, static_cast<double>(warning) / 100, static_cast<double>(critical) / 100, percent);
    };
    share("drops", f.drops, t.drops_warning, t.drops_critical);
    share("errors", f.errors, t.errors_warning, t.errors_critical);
    share("queues", f.queues, t.queues_warning, t.queues_critical);
    // A handful of clients on bad networks is no state of the server.
    if (f.stale_clients > t.stale_clients_least) share("stale", f.stale, t.stale_warning, t.stale_critical);
    share("memory", f.memory, t.memory_warning, t.memory_critical);
    std::ranges::stable_sort(judge.health.reasons, std::greater{}, &HealthReason::status);
    return std::move(judge.health);
}

bool HealthKeeper::look(Health health) {
    if (health.status < current_.status) {
        if (better_ == 0 || health.status >= coming_.status) coming_ = std::move(health);
        if (++better_ < kHealthPatience) return false;
        current_ = std::move(coming_);
        better_ = 0;
        return true;
    }
    better_ = 0;
    const bool changed = health.status != current_.status;
    current_ = std::move(health);
    return changed;
}

}  // namespace spillway::server
