// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
#include "protocol/socket_id.h"

#include <cstdint>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using protocol::SocketId;

TEST_CASE("a socket id comes back as it was") {
    for (const SocketId id :
         {SocketId{1, {.slot = 0, .generation = 1, .core = 0}}, SocketId{0, {.slot = 7, .generation = 3, .core = 2}},
          SocketId{UINT64_MAX, {.slot = UINT32_MAX, .generation = 0xFFFFFF, .core = 255}}}) {
        const std::string text = protocol::format_socket_id(id);
        CHECK(protocol::is_socket_id(text));
        CHECK(text.size() <= protocol::kSocketIdBytesMax);
        CHECK(protocol::parse_socket_id(text) == id);
    }
    CHECK(protocol::format_socket_id({12345, ClientId::unpack(678)}) == "12345.678");
}

TEST_CASE("what is not digits, dot, digits is no socket id") {
    for (const char* text : {"", ".", "1", "1.", ".1", "1.2.3", "1..2", " 1.2", "1.2 ", "1.2\n", "-1.2", "1.-2", "+1.2",
                             "1,2", "0x1.2", "1e3.4", "١.٢", "null", "a.b"}) {
        CAPTURE(text);
        CHECK_FALSE(protocol::is_socket_id(text));
        CHECK_FALSE(protocol::parse_socket_id(text));
    }
    CHECK_FALSE(protocol::is_socket_id(std::string_view("1.2\0", 4)));
}

TEST_CASE("a socket id that cannot be ours has the form but names nobody") {
    CHECK(protocol::is_socket_id("18446744073709551616.1"));
    CHECK_FALSE(protocol::parse_socket_id("18446744073709551616.1"));
    CHECK_FALSE(protocol::parse_socket_id("1.18446744073709551616"));
    CHECK(protocol::parse_socket_id("1234.1234").has_value());
}
