// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/health_watch.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "protocol/json_escape.h"

namespace spillway::server {
namespace {

constexpr std::chrono::seconds kEvery{1};
/// Shares of next to nothing say nothing.
constexpr std::uint64_t kDeliveriesLeast = 100;
constexpr std::uint64_t kRequestsLeast = 20;

double share(std::uint64_t part, std::uint64_t whole, std::uint64_t least = 1) {
    return whole < least ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void tell(const Health& health) {
    std::string line = base::concat("health: ", to_string(health.status));
    for (const HealthReason& reason : health.reasons) base::append(line, "; ", reason.text);
    base::log::write(health.status == HealthStatus::healthy ? base::log::Level::info : base::log::Level::warn, line);
}

}  // namespace

HealthWatch::Seen HealthWatch::read() const {
    Seen seen;
    for (const Stats* s : cores_) {
        for (const auto& reason : s->dropped)
            for (const auto& counter : reason) seen.dropped += counter.value();
        // Who left of its own accord is no drop that anybody should be woken for.
        for (const DropReason own : {DropReason::unsubscribed, DropReason::client_closed, DropReason::conflated})
            for (const auto& counter : s->dropped[static_cast<std::size_t>(own)]) seen.dropped -= counter.value();
        seen.due += s->deliveries.value();
        seen.published += s->published.value();
        for (std::size_t e = 0; e < kEndpoints; ++e) {
            if (static_cast<Endpoint>(e) == Endpoint::ops)
                continue;  // or an answer about health would count as a fault
            for (std::size_t i = 0; i < kStatuses.size(); ++i) {
                seen.asked += s->http[e][i].value();
                if (kStatuses[i] >= 500) seen.failed += s->http[e][i].value();
            }
        }
        seen.broadcast.add(s->broadcast);
        seen.turns.add(s->loop_lag);
    }
    seen.due += seen.dropped;
    return seen;
}

HealthFigures HealthWatch::figure(const Config& config, base::Instant now) const {
    const Seen& newest = seen_.back();
    const Seen& oldest = seen_.front();
    HealthFigures f;
    base::HistogramSum turns = newest.turns;
    base::HistogramSum broadcast = newest.broadcast;
    f.loop_lag = turns.subtract(oldest.turns).quantile(0.99);
    f.latency_p95 = broadcast.subtract(oldest.broadcast).quantile(0.95);
    f.drops = share(newest.dropped - oldest.dropped, newest.due - oldest.due, kDeliveriesLeast);
    f.errors = share(newest.failed - oldest.failed, newest.asked - oldest.asked, kRequestsLeast);
    std::int64_t clients = 0;
    std::int64_t queued = 0;
    std::int64_t stale = 0;
    for (const Stats* s : cores_) {
        for (std::size_t k = static_cast<std::size_t>(ClientKind::pusher); k < kClientKinds; ++k)
            clients += s->clients[k].value();
        queued += s->queued_bytes.value();
        stale += s->stale_clients.value();
        const auto silent =
            static_cast<std::int64_t>(base::milliseconds_of(now)) - static_cast<std::int64_t>(s->last_turn_ms.value());
        f.stuck = std::max<base::Duration>(f.stuck, std::chrono::milliseconds(silent));
    }
    const auto count = [](std::int64_t n) { return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0)); };
    f.stale_clients = count(stale);
    f.stale = share(f.stale_clients, count(clients));
    f.queues = share(count(queued), count(clients) * config.queue_bytes);
    return f;
}

Rates HealthWatch::rate() const {
    const Seen& newest = seen_.back();
    const Seen& oldest = seen_.front();
    const double span = static_cast<double>((newest.at - oldest.at).count()) / 1e9;
    if (span <= 0) return {};
    const auto per_second = [span](std::uint64_t after, std::uint64_t before) {
        return static_cast<double>(after - before) / span;
    };
    base::HistogramSum broadcast = newest.broadcast;
    broadcast.subtract(oldest.broadcast);
    return {per_second(newest.published, oldest.published),
            per_second(newest.due - newest.dropped, oldest.due - oldest.dropped),
            per_second(newest.dropped, oldest.dropped),
            broadcast.count(),
            broadcast.quantile(0.50),
            broadcast.quantile(0.95),
            broadcast.quantile(0.99)};
}

void HealthWatch::step(const Config& config, base::Instant now, double memory) {
    if (!due(now)) return;
    due_ = now + kEvery;
    seen_.push_back(read());
    seen_.back().at = now;
    if (seen_.size() > kHealthWindow + 1) seen_.pop_front();
    figures_ = figure(config, now);
    figures_.memory = memory;
    rates_ = rate();
    if (keeper_.look(judge_health(config.health, figures_))) tell(keeper_.current());
}

void HealthWatch::append_json(std::string& json) const {
    base::append(json, R"({"status":")", to_string(current().status), R"(","reasons":[)");
    bool first = true;
    for (const HealthReason& reason : current().reasons) {
        if (!first) json += ',';
        first = false;
        protocol::append_json_string(json, reason.text);
    }
    const auto seconds = [](base::Duration d) { return static_cast<double>(d.count()) / 1e9; };
    const std::pair<std::string_view, double> figures[] = {
        {"loop_lag", seconds(figures_.loop_lag)},
        {"latency_p95", seconds(figures_.latency_p95)},
        {"drops", figures_.drops},
        {"errors", figures_.errors},
        {"queues", figures_.queues},
        {"stale", figures_.stale},
        {"memory", figures_.memory},
    };
    json += R"(],"figures":{)";
    for (const auto& [name, value] : figures) {
        base::append(json, name == figures[0].first ? "\"" : ",\"", name, "\":");
        base::append_fixed(json, value, 6);
    }
    json += "}}";
}

}  // namespace spillway::server
