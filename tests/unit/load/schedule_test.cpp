// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "load/schedule.h"

#include <catch2/catch_test_macros.hpp>

using spillway::load::Schedule;

TEST_CASE("a schedule does not drift: message n is due at n times the interval, exactly") {
    const Schedule schedule{1'000, 3, 1};  // 333,333,333.3 ns apart
    CHECK(schedule.due_ns(0) == 1'000);
    CHECK(schedule.due_ns(1) == 1'000 + 333'333'333);
    CHECK(schedule.due_ns(3) == 1'000 + 1'000'000'000);
    CHECK(schedule.due_ns(3'000'000) == 1'000 + 1'000'000'000'000'000);
}

TEST_CASE("messages of a burst are due together, and bursts keep the rate") {
    const Schedule schedule{0, 100, 20};
    CHECK(schedule.due_ns(0) == 0);
    CHECK(schedule.due_ns(19) == 0);
    CHECK(schedule.due_ns(20) == 200'000'000);
    CHECK(schedule.due_ns(39) == 200'000'000);
    CHECK(schedule.due_ns(1000) == 10'000'000'000);
}
