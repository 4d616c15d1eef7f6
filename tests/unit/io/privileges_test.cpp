// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who is meant by --user. Becoming one is a matter of the whole process: system/privileges_test.mjs.
#include "io/privileges.h"

#include <catch2/catch_test_macros.hpp>

namespace spillway::io {

TEST_CASE("a user is found by name and number, with a group of its own or another one", "[io][hardening]") {
    const auto daemon = find_account("daemon");
    REQUIRE(daemon);
    CHECK(daemon->name == "daemon");
    CHECK(daemon->user == 1);
    CHECK(daemon->group == 1);
    const auto mixed = find_account("daemon:nogroup");
    REQUIRE(mixed);
    CHECK(mixed->group == 65'534);
    CHECK(find_account("1:65534")->name == "daemon");
    CHECK(find_account("1:65534")->group == 65'534);

    const auto unknown = find_account("23456:34567");  // as containers have them
    REQUIRE(unknown);
    CHECK(unknown->name.empty());
    CHECK(unknown->user == 23'456);
    CHECK(unknown->group == 34'567);
}

TEST_CASE("who is nobody we know, or root, is refused with the reason", "[io][hardening]") {
    const auto reason = [](std::string_view text) {
        const auto account = find_account(text);
        return account ? "user " + std::to_string(account->user) : account.error();
    };
    CHECK(reason("no-such-user").find("'no-such-user'") != std::string::npos);
    CHECK(reason("daemon:no-such-group").find("'no-such-group'") != std::string::npos);
    CHECK(reason("23456").find("needs a group") != std::string::npos);
    for (const auto* root : {"root", "0", "0:1", "root:daemon"}) CHECK(reason(root).find("root") != std::string::npos);
    for (const auto* none : {"", ":", ":daemon", "daemon:", "-1:1", "4294967295:1", "1 :1", "4294967296:1"}) {
        INFO(none);
        CHECK_FALSE(find_account(none));
    }
}

}  // namespace spillway::io
