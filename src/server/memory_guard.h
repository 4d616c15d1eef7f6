// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One core's part in keeping the memory limit: says what its memory is used for, and lets go what it is told to. The first
// core also adds up what all say, looks at the sum every kMemoryLook while it turns, and tells the others through
// Quotas::memory. (server/memory_budget.h has the rules.)
//
// Thread: the core.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "base/log.h"
#include "server/memory_budget.h"

namespace spillway::server {

class Core;

/// So often what is kept for reuse is looked through for what nobody needs.
inline constexpr std::chrono::milliseconds kTrimEvery{100};

class MemoryGuard {
public:
    explicit MemoryGuard(Core& core) : core_(core) {}

    /// Once per turn.
    void step();
    /// What changes slowly; now and then.
    void publish_gauges();

    [[nodiscard]] bool refuses_clients() const { return stage() >= MemoryStage::no_new_clients; }
    [[nodiscard]] bool refuses_publications() const { return stage() >= MemoryStage::no_publications; }
    /// Something is withheld: looks are due soon, whether or not there is work.
    [[nodiscard]] bool active() const { return stage() != MemoryStage::all_served; }
    /// The highest level since it was asked last. Of the first core.
    [[nodiscard]] double take_peak();

private:
    [[nodiscard]] MemoryStage stage() const;
    void look();
    void tell(std::uint64_t bytes);
    [[nodiscard]] std::uint64_t in_use(std::int64_t accounted, std::uint64_t resident);
    void cut(std::uint32_t permille);
    void trim_unneeded();
    void tidy_after_fall();

    Core& core_;
    MemoryJudge judge_;
    double peak_ = 0;
    bool short_ = false;
    base::Instant look_due_{};
    base::Instant tidy_due_{};
    base::Instant trim_due_{};
    std::uint64_t resident_seen_ = 0;
    std::int64_t accounted_then_ = 0;
    std::uint64_t used_last_ = 0;  // bytes accounted for of this core, at the last look
    std::uint64_t used_most_ = 0;  // since free memory was given back
    std::uint32_t rounds_seen_ = 0;
    std::uint32_t tidied_ = 0;
    MemoryStage told_ = MemoryStage::all_served;  // in the log
    base::log::Throttle lines_{std::chrono::seconds{1}};
};

}  // namespace spillway::server
