// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/backoff.h"

#include <catch2/catch_test_macros.hpp>

using namespace spillway::client;
using std::chrono::milliseconds;

TEST_CASE("close codes say whether and when to come back") {
    CHECK(retry_after(4000) == Retry::never);
    CHECK(retry_after(4099) == Retry::never);
    CHECK(retry_after(4100) == Retry::later);
    CHECK(retry_after(4199) == Retry::later);
    CHECK(retry_after(4200) == Retry::at_once);
    CHECK(retry_after(4299) == Retry::at_once);
    for (const unsigned code : {0U, 1000U, 1006U, 1012U, 3000U, 4300U, 4999U})
        CHECK(retry_after(static_cast<std::uint16_t>(code)) == Retry::later);
}

TEST_CASE("pauses double up to 15 s, and the random number decides within their half") {
    Backoff shortest;
    Backoff longest;
    for (const int least : {1000, 2000, 4000, 8000, 15'000, 15'000}) {
        CHECK(shortest.next(Retry::later, 0) == milliseconds(least));
        // A multiple of each pause, less one: the most that can be added.
        CHECK(longest.next(Retry::later, 8 * 15'000 - 1) == milliseconds(2 * least - 1));
    }
    shortest.succeeded();
    CHECK(shortest.next(Retry::later, 1001) == milliseconds(1001));
}

TEST_CASE("at once is for the first attempt after a success, never is for ever") {
    Backoff backoff;
    CHECK(backoff.next(Retry::at_once, 5) == milliseconds(0));
    CHECK(backoff.next(Retry::at_once, 5) == milliseconds(1005));
    CHECK(backoff.next(Retry::at_once, 5) == milliseconds(2005));
    backoff.succeeded();
    CHECK(backoff.next(Retry::at_once, 5) == milliseconds(0));
    CHECK(backoff.next(Retry::never, 5) == std::nullopt);
}
