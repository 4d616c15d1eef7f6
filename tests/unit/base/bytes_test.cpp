// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

using spillway::base::as_bytes;
using spillway::base::as_text;

TEST_CASE("text seen as bytes is the same memory, and back", "[base][bytes]") {
    const std::string text("a\0\xFF", 3);
    const auto bytes = as_bytes(text);
    REQUIRE(bytes.size() == 3);
    CHECK(static_cast<const void*>(bytes.data()) == static_cast<const void*>(text.data()));
    CHECK(bytes[1] == std::byte{0});
    CHECK(bytes[2] == std::byte{0xFF});
    CHECK(as_text(bytes) == text);
    CHECK(as_text(bytes).data() == text.data());
}

TEST_CASE("nothing as bytes is nothing", "[base][bytes]") {
    CHECK(as_bytes({}).empty());
    CHECK(as_text({}).empty());
}
