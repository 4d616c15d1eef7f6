// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/request.h"

#include <array>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::http;

TEST_CASE("names compare in either case, and only letters do") {
    CHECK(equals_ignoring_case("Content-Length", "content-LENGTH"));
    CHECK(equals_ignoring_case("", ""));
    CHECK_FALSE(equals_ignoring_case("host", "hos"));
    CHECK_FALSE(equals_ignoring_case("[", "{"));
    CHECK_FALSE(equals_ignoring_case("@", "`"));
}

TEST_CASE("a list contains whole elements only") {
    CHECK(list_contains("upgrade", "upgrade"));
    CHECK(list_contains("keep-alive, Upgrade", "upgrade"));
    CHECK(list_contains(",,\tupgrade\t,x", "upgrade"));
    CHECK_FALSE(list_contains("upgraded", "upgrade"));
    CHECK_FALSE(list_contains("not-upgrade", "upgrade"));
    CHECK_FALSE(list_contains("up grade", "upgrade"));
    CHECK_FALSE(list_contains("", "upgrade"));
}

TEST_CASE("the first header of a name is found in any case, and all are counted") {
    const std::array<Header, 3> headers{{{"Accept", "a"}, {"ACCEPT", "b"}, {"Host", ""}}};
    Request request;
    request.headers = headers;
    CHECK(request.header("accept") == "a");
    CHECK(request.header_count("Accept") == 2);
    CHECK(request.header("HOST") == "");
    CHECK_FALSE(request.header("Cookie"));
    CHECK(request.header_count("Cookie") == 0);
}
