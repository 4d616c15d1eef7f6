// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/rate_limit.h"

#include <algorithm>

namespace spillway::protocol {

bool TokenBucket::take(std::uint64_t now_ms, std::uint64_t per_second, std::uint64_t cost) {
    if (per_second == 0 || per_second > kPerSecondMax) return true;
    const std::uint64_t full = per_second * 1000;
    // The low 32 bits wrap after 49 days. Read as signed, a difference of more than half of that looks like a step
    // back and refills nothing: such a bucket is full a second later, which nobody notices.
    const auto now = static_cast<std::uint32_t>(now_ms);
    const auto elapsed_ms = static_cast<std::int32_t>(now - refilled_ms_);
    const std::uint64_t earned = elapsed_ms > 0 ? static_cast<std::uint64_t>(elapsed_ms) * per_second : 0;
    const std::uint64_t held = std::min(full, millitokens_ + earned);
    refilled_ms_ = now;
    const bool granted = cost <= held / 1000;
    millitokens_ = static_cast<std::uint32_t>(granted ? held - cost * 1000 : held);
    return granted;
}

}  // namespace spillway::protocol
