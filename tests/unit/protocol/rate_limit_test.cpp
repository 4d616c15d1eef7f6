// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
#include "protocol/rate_limit.h"

#include <cstdint>

#include <catch2/catch_test_macros.hpp>

using spillway::protocol::TokenBucket;

namespace {

int grants(TokenBucket& bucket, std::uint64_t now_ms, std::uint64_t per_second, int asked) {
    int granted = 0;
    for (int i = 0; i < asked; ++i) granted += bucket.take(now_ms, per_second);
    return granted;
}

}  // namespace

TEST_CASE("a bucket starts full and refills at its rate") {
    TokenBucket bucket;
    CHECK(grants(bucket, 5000, 10, 20) == 10);
    CHECK(grants(bucket, 5099, 10, 1) == 0);
    CHECK(grants(bucket, 5100, 10, 5) == 1);
    CHECK(grants(bucket, 5600, 10, 20) == 5);
    CHECK(grants(bucket, 999'999, 10, 20) == 10);  // never more than a second's worth
}

TEST_CASE("fractions of a token are kept however often the bucket is asked") {
    TokenBucket bucket;
    CHECK(grants(bucket, 0, 3, 5) == 3);
    int granted = 0;
    for (std::uint64_t ms = 1; ms <= 10'000; ++ms) granted += grants(bucket, ms, 3, 1);
    CHECK(granted == 30);
}

TEST_CASE("a rate of 0 is no limit, nor is one too large to count") {
    TokenBucket bucket;
    CHECK(grants(bucket, 0, 0, 100'000) == 100'000);
    CHECK(bucket.take(0, TokenBucket::kPerSecondMax + 1, UINT64_MAX));
    CHECK(bucket.take(0, TokenBucket::kPerSecondMax, TokenBucket::kPerSecondMax));
    CHECK_FALSE(bucket.take(0, TokenBucket::kPerSecondMax, 1));
}

TEST_CASE("a cost is taken whole or not at all") {
    TokenBucket bucket;
    CHECK(bucket.take(0, 10, 8));
    CHECK_FALSE(bucket.take(0, 10, 3));
    CHECK(bucket.take(0, 10, 2));
    CHECK_FALSE(bucket.take(60'000, 10, 11));
    CHECK_FALSE(bucket.take(60'000, 10, UINT64_MAX));
    CHECK(bucket.take(60'000, 10, 10));
}

TEST_CASE("time that stands still, steps back or wraps gives nothing away") {
    TokenBucket bucket;
    CHECK(grants(bucket, 1000, 10, 10) == 10);
    CHECK(grants(bucket, 500, 10, 10) == 0);
    CHECK(grants(bucket, 600, 10, 10) == 1);

    constexpr std::uint64_t wrap = std::uint64_t{1} << 32;
    TokenBucket across;
    CHECK(grants(across, wrap - 50, 10, 20) == 10);
    CHECK(grants(across, wrap + 50, 10, 20) == 1);
    CHECK(grants(across, wrap + 5000, 10, 20) == 10);
}

TEST_CASE("a changed rate holds at once") {
    TokenBucket bucket;
    CHECK(bucket.take(0, 1000));
    CHECK(grants(bucket, 0, 5, 20) == 5);
    CHECK(grants(bucket, 10, 1000, 20) == 10);
}
