// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How long to wait before the next try: exponential, bounded, and scattered, so that what failed together does not come
// back together.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "webhooks/timing.h"

namespace spillway::webhooks {

/// After `failures` (1, 2, …) in a row; `random` is 64 uniform bits. Between half and all of retry_first times two to
/// the failures less one, and at most retry_most.
[[nodiscard]] inline base::Duration retry_delay(const Timing& timing, std::uint32_t failures, std::uint64_t random) {
    base::Duration delay = timing.retry_first;
    for (std::uint32_t i = 1; i < failures && delay < timing.retry_most; ++i) delay *= 2;
    delay = std::min(delay, timing.retry_most);
    const base::Duration half = delay / 2;
    return delay - half +
           base::Duration{static_cast<base::Duration::rep>(random % (static_cast<std::uint64_t>(half.count()) + 1))};
}

}  // namespace spillway::webhooks
