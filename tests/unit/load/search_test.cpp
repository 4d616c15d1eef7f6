// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "load/search.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using spillway::load::Search;

namespace {

/// Plays a server that keeps every rate up to `limit`; returns the number of steps.
int play(Search& search, double limit) {
    int steps = 0;
    for (; !search.done() && steps < 1000; ++steps) search.tell(search.next() <= limit);
    return steps;
}

}  // namespace

TEST_CASE("a search finds the highest kept rate to its precision, wherever it begins") {
    const double first = GENERATE(8.0, 100.0, 990.0, 20'000.0);
    const double limit = GENERATE(50.0, 700.0, 1000.0, 7777.0);
    Search search(first, 1.05);
    const int steps = play(search, limit);
    CHECK(search.best() <= limit);
    CHECK(search.best() >= limit / 1.05);
    CHECK(steps < 30);
}

TEST_CASE("a search that begins close to the answer takes few steps") {
    Search search(1000, 1.05);
    CHECK(play(search, 1010) <= 6);
}

TEST_CASE("a search ends when nothing is kept, and says so") {
    Search search(1000, 1.05);
    CHECK(play(search, 0) < 30);
    CHECK(search.best() == 0);
}

TEST_CASE("a search ends when everything is kept") {
    Search search(10, 1.05);
    CHECK(play(search, 1e300) < 30);
    CHECK(search.best() >= 10'000 / 1.5);
}
