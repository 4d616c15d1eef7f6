// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "load/websocket.h"

#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace spillway::load;

TEST_CASE("a client frame carries its length in one, two or eight bytes, and its payload as it is") {
    const std::size_t size =
        GENERATE(std::size_t{0}, std::size_t{125}, std::size_t{126}, std::size_t{65535}, std::size_t{65536});
    const std::string payload(size, 'x');
    const std::string frame = client_frame(Opcode::text, payload);
    const std::size_t head = size < 126 ? 2 : size < 65536 ? 4 : 10;
    REQUIRE(frame.size() == head + 4 + size);
    CHECK(static_cast<unsigned char>(frame[0]) == 0x81);
    CHECK((static_cast<unsigned char>(frame[1]) & 0x80) != 0);
    std::string unmasked = frame.substr(0, head) + frame.substr(head + 4);
    unmasked[1] = static_cast<char>(unmasked[1] & 0x7F);
    std::string_view rest = unmasked;
    bool broken = false;
    const auto read = take_frame(rest, broken);
    REQUIRE(read);
    CHECK(read->payload == payload);
    CHECK(rest.empty());
}

TEST_CASE("sequence number and channel of a Pusher message") {
    const std::string_view message = R"({"event":"e","channel":"load-17","data":"0000000042xxx"})";
    CHECK(sequence_of(message, Protocol::pusher) == 42U);
    CHECK(channel_in(message) == 17U);
    CHECK_FALSE(channel_in(R"({"event":"pusher:pong"})"));
    CHECK_FALSE(sequence_of("00000000x2", Protocol::feed));
    CHECK(sequence_of("0000000007", Protocol::feed) == 7U);
}
