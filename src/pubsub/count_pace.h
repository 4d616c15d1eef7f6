// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// When a channel's subscribers are told how many they are: at once while they are few, else at most every five seconds.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace spillway::pubsub {

class CountPace {
public:
    static constexpr std::uint32_t kAtOnceUpTo = 100;  // subscribers
    static constexpr std::chrono::seconds kEvery{5};

    /// When a change that comes now may be told.
    [[nodiscard]] base::Instant due(std::uint32_t subscribers, base::Instant now) const {
        if (subscribers <= kAtOnceUpTo || !told_) return now;
        return std::max<base::Instant>(now, *told_ + kEvery);
    }
    void told(base::Instant now) { told_ = now; }

private:
    std::optional<base::Instant> told_;
};

}  // namespace spillway::pubsub
