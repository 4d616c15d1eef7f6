// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/member.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

#include "base/format.h"

using namespace spillway::protocol;

namespace {

struct Parsed {
    explicit Parsed(std::string channel_data, std::size_t bytes_max = 1024)
        : text(std::move(channel_data)), member(decode_member(text, bytes_max, arena)) {}
    Parsed(const Parsed&) = delete;

    std::string text;
    JsonArena arena;
    std::expected<Member, MemberError> member;
};

std::uint16_t status(const std::string& channel_data, std::size_t bytes_max = 1024) {
    const Parsed parsed(channel_data, bytes_max);
    return parsed.member ? 0 : parsed.member.error().status;
}

}  // namespace

TEST_CASE("a user_id is a string, or a number whose text counts") {
    CHECK(Parsed(R"({"user_id":"ann"})").member->user_id == "ann");
    CHECK(Parsed(R"({"user_id":10,"user_info":{"name":"Mr. Channels"}})").member->user_id == "10");
    CHECK(Parsed(R"({"user_id":12345678901234567890})").member->user_id == "12345678901234567890");
    CHECK(Parsed(R"({"user_id":"a\"b\u00e9"})").member->user_id == "a\"bé");
    CHECK(Parsed(R"({"user_id":"1","user_id":"2"})").member->user_id == "2");
}

TEST_CASE("a user_info is kept as it is written, and null is none") {
    CHECK(Parsed(R"({"user_id":"1","user_info": {"n": 1.50, "é":"\u00e9"} })").member->user_info ==
          R"({"n": 1.50, "é":"\u00e9"})");
    CHECK(Parsed(R"({"user_info":"text","user_id":"1"})").member->user_info == "\"text\"");
    CHECK(Parsed(R"({"user_id":"1","user_info":7})").member->user_info == "7");
    CHECK(Parsed(R"({"user_id":"1","user_info":null})").member->user_info.empty());
    CHECK(Parsed(R"({"user_id":"1"})").member->user_info.empty());
}

TEST_CASE("channel_data that names nobody is refused") {
    for (const char* text : {"", "x", "[]", "null", "\"1\"", "{}", R"({"user_id":null})", R"({"user_id":true})",
                             R"({"user_id":{}})", R"({"user_id":""})", R"({"user_id":"a\u0000b"})",
                             R"({"user_id":"line\nend"})", R"({"user_info":{}})", "{\"user_id\":\"1\"} {}"}) {
        INFO(text);
        CHECK(status(text) == 400);
    }
}

TEST_CASE("a user_id has at most 128 characters, whatever their bytes") {
    std::string longest;
    for (int i = 0; i < 128; ++i) longest += "€";
    CHECK(status(spillway::base::concat(R"({"user_id":")", longest, "\"}")) == 0);
    CHECK(status(spillway::base::concat(R"({"user_id":")", longest, "x\"}")) == 400);
    CHECK(status(spillway::base::concat(R"({"user_id":)", std::string(129, '9'), "}")) == 400);
}

TEST_CASE("id and info together are bounded, to the byte") {
    const std::string text = R"({"user_id":"ann","user_info":"12345"})";  // 3 and 7
    CHECK(status(text, 10) == 0);
    CHECK(status(text, 9) == 4301);
}

TEST_CASE("who has signed in is a member without channel_data, within the same bounds") {
    const auto member = signed_in_member("7", R"({"n": 1})", 9);
    REQUIRE(member);
    CHECK(member->user_id == "7");
    CHECK(member->user_info == R"({"n": 1})");
    CHECK(signed_in_member("7", "", 1));
    REQUIRE_FALSE(signed_in_member("7", R"({"n": 1})", 8));
}
