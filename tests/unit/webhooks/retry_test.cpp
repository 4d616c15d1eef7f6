// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/retry.h"

#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace spillway::webhooks {
namespace {

using std::chrono::seconds;

TEST_CASE("retries of webhooks come after 1, 2, 4 … 60 seconds, less up to a half by chance", "[webhooks]") {
    const Timing timing;
    const std::vector<int> longest{1, 2, 4, 8, 16, 32, 60, 60, 60};
    for (std::uint32_t n = 1; n <= longest.size(); ++n) {
        const base::Duration most = seconds{longest[n - 1]};
        CHECK(retry_delay(timing, n, 0) == most / 2);
        CHECK(retry_delay(timing, n, static_cast<std::uint64_t>((most / 2).count())) == most);
        for (std::uint64_t random = 1; random != 0; random <<= 1) {
            const base::Duration delay = retry_delay(timing, n, random * 0x9E3779B97F4A7C15ULL);
            CHECK(delay >= most / 2);
            CHECK(delay <= most);
        }
    }
    CHECK(retry_delay(timing, 0xFFFFFFFF, 0) == seconds{30});
}

}  // namespace
}  // namespace spillway::webhooks
