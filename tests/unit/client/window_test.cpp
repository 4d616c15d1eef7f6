// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/window.h"

#include <catch2/catch_test_macros.hpp>

using spillway::client::Window;

TEST_CASE("a window lets through so many without an answer, and no more") {
    Window window(3);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(window.open());
        window.send();
    }
    CHECK_FALSE(window.open());
    window.acknowledge(2);
    CHECK(window.open());
    window.send();
    window.send();
    CHECK_FALSE(window.open());
    window.acknowledge(1);  // older than what is known
    CHECK_FALSE(window.open());
    window.acknowledge(1000);  // never sent
    CHECK(window.acknowledged() == 5);
    CHECK(window.sent() == 5);
    CHECK(window.open());
}
