// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A rate as a token bucket small enough for every client to own several. The rate is the caller's, so that a reload
// changes it at once; only what was used is state.
#pragma once

#include <cstdint>

namespace spillway::protocol {

/// Starts full. Holds at most one second's worth: `per_second` at once, then `per_second` a second.
class TokenBucket {
public:
    /// Rates above are not limited: the state has no room for them.
    static constexpr std::uint64_t kPerSecondMax = 4'000'000;

    /// Takes `cost` tokens if they are there; if not, takes none and returns false. `now_ms` is monotonic
    /// milliseconds from any start; a step back counts as no time. `per_second` 0 is no limit. A cost above
    /// `per_second` is never granted.
    [[nodiscard]] bool take(std::uint64_t now_ms, std::uint64_t per_second, std::uint64_t cost = 1);

private:
    std::uint32_t millitokens_ = UINT32_MAX;  // cut to the rate at first use: full
    std::uint32_t refilled_ms_ = 0;           // low bits of the time of the last refill
};
static_assert(sizeof(TokenBucket) <= 12);

}  // namespace spillway::protocol
