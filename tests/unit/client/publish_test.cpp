// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/publish.h"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using spillway::client::take_line;

namespace {

std::vector<std::string> lines_of(std::string_view text, bool last, std::size_t* left = nullptr) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    while (const auto line = take_line(text, begin, last)) lines.emplace_back(*line);
    if (left != nullptr) *left = text.size() - begin;
    return lines;
}

}  // namespace

TEST_CASE("input comes in lines: empty ones count, a half one waits for its end or for the end of all") {
    using Lines = std::vector<std::string>;
    std::size_t left = 0;
    CHECK(lines_of("a\n\r\nb c\r\nhalf", false, &left) == Lines{"a", "", "b c"});
    CHECK(left == 4);
    CHECK(lines_of("a\nhalf", true, &left) == Lines{"a", "half"});
    CHECK(left == 0);
    CHECK(lines_of("a\n", true) == Lines{"a"});
    CHECK(lines_of("", true).empty());
    CHECK(lines_of("\n", true) == Lines{""});
}
