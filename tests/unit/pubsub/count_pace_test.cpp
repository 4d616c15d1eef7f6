// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/count_pace.h"

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using namespace spillway::pubsub;
using namespace std::chrono_literals;

TEST_CASE("up to a hundred subscribers are told at once, more at most every five seconds", "[pubsub][count_pace]") {
    const base::Instant now{1h};
    CountPace pace;
    CHECK(pace.due(101, now) == now);  // never told
    pace.told(now);
    CHECK(pace.due(100, now + 1ms) == now + 1ms);
    CHECK(pace.due(101, now + 1ms) == now + 5s);
    CHECK(pace.due(101, now + 5s) == now + 5s);
    CHECK(pace.due(101, now + 7s) == now + 7s);
}
