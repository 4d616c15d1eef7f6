// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/surplus.h"

#include <catch2/catch_test_macros.hpp>

using spillway::base::Surplus;

TEST_CASE("what is needed now and then stays, what never is goes little by little", "[base][surplus]") {
    Surplus surplus;
    std::size_t kept = 1000;
    CHECK(surplus.take(kept) == 0);  // nothing is known yet of how much is needed

    for (int i = 0; i < 300; ++i) {
        surplus.left(kept - 40);  // 40 are out for a while, and come back
        const std::size_t gone = surplus.take(kept);
        CHECK(gone <= kept / 16 + 1);
        kept -= gone;
    }
    CHECK(kept == 40);

    for (int i = 0; i < 40; ++i) kept -= surplus.take(kept);
    CHECK(kept == 0);
    CHECK(surplus.take(kept) == 0);
}

TEST_CASE("nothing is let go of that was needed since", "[base][surplus]") {
    Surplus surplus;
    for (int i = 0; i < 10; ++i) {
        surplus.left(0);
        CHECK(surplus.take(64) == 0);
    }
    surplus.left(10);
    CHECK(surplus.take(64) == 1);
}
