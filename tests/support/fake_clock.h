// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Time that passes only when the simulation says so.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace spillway::test {

class FakeClock final : public base::Clock {
public:
    [[nodiscard]] base::Instant now() const override {
        now_ += per_reading;
        return now_;
    }
    [[nodiscard]] std::int64_t unix_seconds() const override {
        return kEpoch + std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count() + wall_step;
    }
    /// Nobody else runs where time stands still.
    [[nodiscard]] base::Duration thread_cpu() const override { return now_.time_since_epoch(); }
    /// The present, without its passing.
    [[nodiscard]] base::Instant peek() const { return now_; }
    void advance(base::Duration by) { now_ += by; }

    base::Duration per_reading{0};  // every look costs this much: what a turn does takes time
    std::int64_t wall_step = 0;     // seconds by which the wall clock was set

private:
    static constexpr std::int64_t kEpoch = 1'700'000'000;
    mutable base::Instant now_{std::chrono::seconds(1000)};
};

}  // namespace spillway::test
