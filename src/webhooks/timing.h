// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// When webhooks are sent: every span of time in one place. Tests put small ones in their place; they are no settings.
#pragma once

#include <cstddef>

#include <spillway/limits.h>

#include "base/clock.h"

namespace spillway::webhooks {

struct Timing {
    /// How long channel_vacated and member_removed wait for a return (a page reload takes one or two seconds).
    base::Duration return_wait = std::chrono::seconds{3};
    /// Above kCountAtOnce subscribers, their number is told so often.
    base::Duration count_every = std::chrono::seconds{5};
    /// Misses of one cache channel within this are one.
    base::Duration miss_quiet = std::chrono::seconds{1};
    /// How long a batch gathers from its first event on.
    base::Duration batch_window = std::chrono::milliseconds{50};
    /// An event that could not be delivered so long after it happened is given up.
    base::Duration lifetime = std::chrono::minutes{5};
    /// The wait after the first failure; it doubles with each, up to the most. A random half of it is taken off.
    base::Duration retry_first = std::chrono::seconds{1};
    base::Duration retry_most = std::chrono::seconds{60};
    /// The same bytes are tried again until their time_ms is so old; then it is made new. Receivers refuse what is
    /// older than 300 s (the Python library does).
    base::Duration stamp_good_for = std::chrono::minutes{4};
};

inline constexpr std::uint32_t kCountAtOnce = 100;
/// POSTs of one webhook under way at the same time; one while its last try failed.
inline constexpr std::size_t kPostsPerWebhook = 8;
/// Events and bytes of one batch.
inline constexpr std::size_t kBatchEventsMax = 100;
inline constexpr std::size_t kBatchBytesMax = 256 * kKiB;
/// Bytes of events waiting for one webhook (their number is a setting).
inline constexpr std::size_t kQueueBytesMax = 16 * kMiB;
/// Departures waiting for a return, and channels being paced: what comes beyond goes out without waiting.
inline constexpr std::size_t kHeldMax = 1U << 16;

}  // namespace spillway::webhooks
