// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a backend may say of a user, and what is no sign-in.
#include "protocol/user_data.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

#include "protocol/errors.h"

using namespace spillway;
using namespace spillway::protocol;

namespace {

using Ids = std::vector<std::string_view>;

std::string with_watchlist(std::size_t n) {
    std::string text = R"({"id":"me","watchlist":[)";
    for (std::size_t i = 0; i < n; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\"";
    return text + "]}";
}

}  // namespace

TEST_CASE("user_data: id, user_info as written, priority and watchlist") {
    UserScratch scratch;
    const auto user = decode_user_data(
        R"({"id":"7","user_info":{"name": "Ä", "n":1e3},"priority":"high","watchlist":["a","b"]})", scratch);
    REQUIRE(user);
    CHECK(user->id == "7");
    CHECK(user->user_info == R"({"name": "Ä", "n":1e3})");
    CHECK(user->high_priority);
    CHECK(user->watchlist == Ids{"a", "b"});
    CHECK_FALSE(user->too_many);
}

TEST_CASE("user_data: everything but the id may be missing") {
    UserScratch scratch;
    for (const std::string_view text :
         {R"({"id":"7"})", R"({"id":"7","user_info":null,"watchlist":null,"priority":null})",
          R"({"id":"7","priority":"normal","other":[1]})"}) {
        CAPTURE(text);
        const auto user = decode_user_data(text, scratch);
        REQUIRE(user);
        CHECK(user->user_info.empty());
        CHECK_FALSE(user->high_priority);
        CHECK(user->watchlist.empty());
    }
}

TEST_CASE("user_data: the id is a non-empty string of at most 128 characters") {
    UserScratch scratch;
    CHECK(decode_user_data(R"({"id":")" + std::string(128, 'x') + "\"}", scratch));
    for (const std::string& text :
         {std::string(), std::string("7"), std::string("[]"), std::string("{}"), std::string(R"({"id":7})"),
          std::string(R"({"id":""})"), std::string(R"({"id":null})"), std::string(R"({"id":"a\u0000b"})"),
          std::string(R"({"id":"a)"), R"({"id":")" + std::string(129, 'x') + "\"}"}) {
        CAPTURE(text);
        const auto user = decode_user_data(text, scratch);
        REQUIRE_FALSE(user);
        CHECK(user.error().size() <= kCloseReasonMax);
    }
}

TEST_CASE("user_data: of a watchlist over 100 the first 100 count, each id once") {
    UserScratch scratch;
    const auto full = decode_user_data(with_watchlist(100), scratch);
    REQUIRE(full);
    CHECK_FALSE(full->too_many);
    CHECK(full->watchlist.size() == 100);
    const auto over = decode_user_data(with_watchlist(101), scratch);
    REQUIRE(over);
    CHECK(over->too_many);
    CHECK(over->watchlist.size() == 100);
    CHECK(over->watchlist.back() == "99");
    const auto twice = decode_user_data(R"({"id":"me","watchlist":["a","b","a"]})", scratch);
    REQUIRE(twice);
    CHECK(twice->watchlist == Ids{"a", "b"});
}

TEST_CASE("user_data: a watchlist of anything but ids is no watchlist") {
    UserScratch scratch;
    for (const std::string_view list : {R"("a")", "{}", "[1]", R"(["a",""])", "[null]", "7"}) {
        CAPTURE(list);
        CHECK_FALSE(decode_user_data(R"({"id":"me","watchlist":)" + std::string(list) + "}", scratch));
    }
}
