// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the metrics port tells: health, readiness, Prometheus text and JSON figures, all from the cores' counters.
//
// Threads: reads other cores' statistics without locks; a figure may be a moment old, and is exact at rest.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <spillway/config.h>

#include "base/clock.h"
#include "io/host_memory.h"
#include "server/health_watch.h"
#include "server/quotas.h"
#include "server/stats.h"
#include "webhooks/tally.h"

namespace spillway::server {

class Ops {
public:
    Ops(const Config& config, const Quotas& quotas, std::string version)
        : config_(&config), quotas_(quotas), version_(std::move(version)) {}

    /// Before the cores run.
    void watch(const Stats& stats) { cores_.push_back(&stats); }
    [[nodiscard]] const std::vector<const Stats*>& cores() const { return cores_; }
    void watch(const webhooks::Tally& tally) { webhooks_ = &tally; }
    /// Who says how much memory is resident, instead of the kernel. Before the cores run.
    void set_resident(std::uint64_t (*bytes)()) { resident_ = bytes; }
    void set_started(base::Instant when) { started_ = when; }
    /// The main port as it was opened (0 became some port). Before the cores run.
    void set_port(std::uint16_t port) { port_ = port; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Any thread.
    void set_draining() { draining_.store(true, std::memory_order_relaxed); }
    /// Before the cores take it over; the one before stays until they have.
    void set_config(const Config& config) { config_.store(&config, std::memory_order_release); }
    void count_reload(bool taken) {
        (taken ? reloads_taken_ : reloads_refused_).fetch_add(1, std::memory_order_relaxed);
    }

    struct Answer {
        bool ok = true;
        std::string text;
    };
    /// The loops turn.
    [[nodiscard]] Answer health(base::Instant now) const;
    /// Takes new clients: the loops turn, it is not draining, and its health is not critical.
    [[nodiscard]] Answer readiness(base::Instant now, const HealthWatch& watch) const;
    /// Prometheus text format 0.0.4.
    [[nodiscard]] std::string metrics_text(const HealthWatch& watch) const;
    [[nodiscard]] std::string stats_json(base::Instant now, const HealthWatch& watch) const;

private:
    [[nodiscard]] const Config& config() const { return *config_.load(std::memory_order_acquire); }

    std::atomic<const Config*> config_;
    const Quotas& quotas_;
    std::string version_;
    std::vector<const Stats*> cores_;
    std::uint16_t port_ = 0;
    const webhooks::Tally* webhooks_ = nullptr;  // none: no background thread
    std::uint64_t (*resident_)() = io::resident_bytes;
    base::Instant started_{};
    std::atomic<bool> draining_{false};
    std::atomic<std::uint64_t> reloads_taken_{0};
    std::atomic<std::uint64_t> reloads_refused_{0};
};

}  // namespace spillway::server
