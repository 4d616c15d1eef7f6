// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/address_text.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using base::parse_address;
using base::parse_network;

TEST_CASE("addresses are read strictly and written back") {
    for (const char* text : {"127.0.0.1", "10.255.0.3", "::1", "2001:db8::8:1", "fe80::1"}) {
        const auto address = parse_address(text);
        REQUIRE(address);
        CHECK(base::to_text(*address) == text);
    }
    CHECK(parse_address("1.2.3.4")->is_v4());
    CHECK(parse_address("::ffff:1.2.3.4") == parse_address("1.2.3.4"));
    CHECK_FALSE(parse_address("::1")->is_v4());
    CHECK(parse_address("::")->is_none());
    for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "::g", "host", "1.2.3.4 ", "fe80::1%lo",
                             "[::1]", "1.2.3.4:80"})
        CHECK_FALSE(parse_address(text));
    CHECK_FALSE(parse_address(std::string("1.2.3.4\0x", 9)));
    CHECK_FALSE(parse_address(std::string(1000, '1')));
}

TEST_CASE("networks hold what their prefix says, in both families") {
    const auto ten = parse_network("10.0.0.0/8");
    REQUIRE(ten);
    CHECK(ten->contains(*parse_address("10.255.1.2")));
    CHECK_FALSE(ten->contains(*parse_address("11.0.0.0")));
    CHECK_FALSE(ten->contains(*parse_address("::a00:1")));
    const auto six = parse_network("2001:db8::/33");
    REQUIRE(six);
    CHECK(six->contains(*parse_address("2001:db8:7fff::1")));
    CHECK_FALSE(six->contains(*parse_address("2001:db8:8000::1")));
    CHECK(parse_network("1.2.3.4")->contains(*parse_address("1.2.3.4")));
    CHECK(parse_network("0.0.0.0/0")->contains(*parse_address("1.2.3.4")));
    CHECK_FALSE(parse_network("0.0.0.0/0")->contains(*parse_address("::1")));
    CHECK(parse_network("::/0")->contains(*parse_address("1.2.3.4")));
    for (const char* text :
         {"10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "/8", "x/8"})
        CHECK_FALSE(parse_network(text));
}
