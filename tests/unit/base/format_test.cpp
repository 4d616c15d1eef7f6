// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/format.h"

#include <cstdint>
#include <limits>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::base;

TEST_CASE("numbers are appended in full at the ends of their ranges", "[base][format]") {
    std::string text = "x=";
    append_number(text, std::numeric_limits<std::uint64_t>::max());
    CHECK(text == "x=18446744073709551615");
    text.clear();
    append_number(text, std::numeric_limits<std::int64_t>::min());
    CHECK(text == "-9223372036854775808");
}

TEST_CASE("fixed point keeps its decimals and fits the largest double", "[base][format]") {
    std::string text;
    append_fixed(text, 0.5, 3);
    CHECK(text == "0.500");
    text.clear();
    append_fixed(text, -std::numeric_limits<double>::max(), 9);
    CHECK(text.size() == 1 + 309 + 1 + 9);
    text.clear();
    append_fixed(text, std::numeric_limits<double>::infinity(), 2);
    CHECK(text == "inf");
}

TEST_CASE("concat joins text, characters and integers", "[base][format]") {
    CHECK(concat("port ", std::uint16_t{6001}, ':', std::string("in use"), -1) == "port 6001:in use-1");
}

TEST_CASE("bytes are appended as two digits", "[base][format]") {
    std::string text;
    append_hex(text, 0);
    append_hex(text, 0xAF);
    CHECK(text == "00af");
}
