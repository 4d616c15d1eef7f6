// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// When broadcast n is due at a fixed rate: what an open loop measures latency from, whatever became of the ones before.
#pragma once

#include <cstdint>

namespace spillway::load {

struct Schedule {
    std::int64_t begin_ns = 0;
    double per_second = 1;
    std::uint32_t burst = 1;  // so many are due at the same time; the rate over many bursts stays

    [[nodiscard]] std::int64_t due_ns(std::uint64_t n) const {
        return begin_ns + static_cast<std::int64_t>(static_cast<double>(n - n % burst) * 1e9 / per_second);
    }
};

}  // namespace spillway::load
