// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/live_figures.h"

#include <algorithm>

#include "base/format.h"

namespace spillway::server {
namespace {

double seconds(base::Duration d) { return static_cast<double>(d.count()) / 1e9; }

std::int64_t open_websockets(const Stats& stats) {
    std::int64_t n = 0;
    for (std::size_t kind = 0; kind < kClientKinds; ++kind)
        if (counts_as_client(static_cast<ClientKind>(kind))) n += stats.clients[kind].value();
    return n;
}

}  // namespace

LiveFigures::Seen LiveFigures::read(const Stats& stats) {
    Seen seen;
    seen.published = stats.published.value();
    seen.delivered = stats.deliveries.value();
    for (const auto& reason : stats.dropped)
        for (const base::Counter& priority : reason) seen.dropped += priority.value();
    seen.bytes_sent = stats.bytes_sent.value();
    seen.bytes_received = stats.bytes_received.value();
    seen.broadcast.add(stats.broadcast);
    seen.turns.add(stats.loop_lag);
    return seen;
}

void LiveFigures::look(base::Instant now, std::int64_t unix_ms) {
    const bool first = before_.empty();
    const double span = std::max(seconds(now - looked_), 1e-3);
    looked_ = now;
    points_.reserve(kPointsMax + 1);
    before_.resize(cores_.size());
    now_.resize(cores_.size());
    LivePoint point;
    point.unix_ms = unix_ms;
    base::HistogramSum broadcast;
    for (std::size_t i = 0; i < cores_.size(); ++i) {
        const Stats& stats = *cores_[i];
        const Seen seen = read(stats);
        Seen& before = before_[i];
        LiveCore& core = now_[i];
        base::HistogramSum turns = seen.turns;
        turns.subtract(before.turns);
        core.busy = std::clamp(seconds(turns.sum()) / span, 0.0, 1.0);
        core.turn_p99 = seconds(turns.quantile(0.99));
        core.delivered = static_cast<double>(seen.delivered - before.delivered) / span;
        core.clients = open_websockets(stats);
        core.queued_bytes = stats.queued_bytes.value();
        core.mesh_depth = stats.mesh_depth.value();
        point.clients += core.clients;
        point.published += static_cast<double>(seen.published - before.published) / span;
        point.delivered += core.delivered;
        point.dropped += static_cast<double>(seen.dropped - before.dropped) / span;
        point.bytes_sent += static_cast<double>(seen.bytes_sent - before.bytes_sent) / span;
        point.bytes_received += static_cast<double>(seen.bytes_received - before.bytes_received) / span;
        point.busiest = std::max(point.busiest, core.busy);
        base::HistogramSum ended = seen.broadcast;
        broadcast.add(ended.subtract(before.broadcast));
        before = seen;
    }
    point.p50 = seconds(broadcast.quantile(0.50));
    point.p95 = seconds(broadcast.quantile(0.95));
    point.p99 = seconds(broadcast.quantile(0.99));
    if (first) return;
    points_.push_back(point);
    if (points_.size() > kPointsMax) points_.pop_front();
}

void LiveFigures::append_point(std::string& json, const LivePoint& p) {
    base::append(json, '[', p.unix_ms, ',', p.clients);
    for (const double value : {p.published, p.delivered, p.dropped, p.bytes_sent, p.bytes_received}) {
        json += ',';
        base::append_fixed(json, value, 1);
    }
    for (const double value : {p.p50, p.p95, p.p99}) {
        json += ',';
        base::append_fixed(json, value, 6);
    }
    json += ',';
    base::append_fixed(json, p.busiest, 3);
    json += ']';
}

void LiveFigures::append_points(std::string& json) const {
    json += '[';
    for (std::size_t i = 0; i < points_.size(); ++i) {
        if (i != 0) json += ',';
        append_point(json, points_[i]);
    }
    json += ']';
}

void LiveFigures::append_cores(std::string& json) const {
    json += '[';
    for (std::size_t i = 0; i < now_.size(); ++i) {
        const LiveCore& core = now_[i];
        base::append(json, i == 0 ? "{" : ",{", R"("busy":)");
        base::append_fixed(json, core.busy, 3);
        json += R"(,"delivered":)";
        base::append_fixed(json, core.delivered, 1);
        base::append(json, R"(,"clients":)", core.clients, R"(,"queued_bytes":)", core.queued_bytes,
                     R"(,"mesh_depth":)", core.mesh_depth, R"(,"turn_p99":)");
        base::append_fixed(json, core.turn_p99, 6);
        json += '}';
    }
    json += ']';
}

}  // namespace spillway::server
