// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/close_code.h"

#include <catch2/catch_test_macros.hpp>

using spillway::ws::is_valid_on_wire;

TEST_CASE("close codes that may stand on the wire, at every border") {
    for (const unsigned good :
         {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1011U, 1012U, 1013U, 1014U, 3000U, 3999U, 4000U, 4999U}) {
        INFO(good);
        CHECK(is_valid_on_wire(good));
    }
    for (const unsigned bad :
         {0U, 1U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U, 2999U, 5000U, 65535U, 66536U}) {
        INFO(bad);
        CHECK_FALSE(is_valid_on_wire(bad));
    }
}
