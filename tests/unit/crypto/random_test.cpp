// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A generator cannot be proven random here, but one that stands still, repeats its buffer or leaves bits alone is
// caught.
#include "crypto/random.h"

#include <cstdint>
#include <set>

#include <catch2/catch_test_macros.hpp>

TEST_CASE("the system's random numbers do not repeat across refills and reach every bit") {
    spillway::crypto::SystemRandom random;
    std::set<std::uint64_t> seen;
    std::uint64_t ever_set = 0;
    std::uint64_t ever_clear = 0;
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t number = random.next();
        seen.insert(number);
        ever_set |= number;
        ever_clear |= ~number;
    }
    CHECK(seen.size() == 1000);
    CHECK(ever_set == UINT64_MAX);
    CHECK(ever_clear == UINT64_MAX);
}

TEST_CASE("two generators do not share a sequence") {
    spillway::crypto::SystemRandom a;
    spillway::crypto::SystemRandom b;
    CHECK(a.next() != b.next());
}
