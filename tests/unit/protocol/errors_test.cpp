// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/errors.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::protocol;

namespace {

constexpr ErrorCode kAll[] = {ErrorCode::tls_only,
                              ErrorCode::unknown_app,
                              ErrorCode::app_disabled,
                              ErrorCode::app_over_quota,
                              ErrorCode::path_not_found,
                              ErrorCode::invalid_version,
                              ErrorCode::unsupported_protocol,
                              ErrorCode::no_protocol,
                              ErrorCode::unauthorized,
                              ErrorCode::over_capacity,
                              ErrorCode::reconnect,
                              ErrorCode::pong_not_received,
                              ErrorCode::inactive,
                              ErrorCode::client_event_rejected,
                              ErrorCode::watchlist_limit};

}  // namespace

TEST_CASE("every code has a text that fits a close frame") {
    for (const ErrorCode code : kAll) {
        CHECK_FALSE(default_text(code).empty());
        CHECK(default_text(code).size() <= kCloseReasonMax);
    }
}

TEST_CASE("codes from 4300 on are never closed with") {
    CHECK(is_close_code(ErrorCode::unauthorized));
    CHECK(is_close_code(ErrorCode::inactive));
    CHECK_FALSE(is_close_code(ErrorCode::client_event_rejected));
    CHECK_FALSE(is_close_code(ErrorCode::watchlist_limit));
}

TEST_CASE("errors of one message have the sentences that clients' users know") {
    CHECK(existing_subscription_text("c") == "Existing subscription to channel c");
    CHECK(no_current_subscription_text("c") == "No current subscription to channel c, or subscription in progress");
    CHECK(auth_required_text("private-x") == "Auth info required to subscribe to private-x");
    CHECK(invalid_key_text("K") == "Invalid key in subscription auth data: 'K'");
    CHECK(client_event_not_subscribed_text("private-x") ==
          "Cannot broadcast client event (connection not subscribed to channel private-x)");
    CHECK(unknown_app_text("k") == "App key k not in this cluster. Did you forget to specify the cluster?");
}

TEST_CASE("what is quoted is cut between characters, so that the sentence stays UTF-8") {
    CHECK(quoted("short") == "short");
    CHECK(quoted("abc", 2) == "ab");
    CHECK(quoted("a\xC3\xA9", 2) == "a");
    CHECK(quoted("a\xC3\xA9z", 3) == "a\xC3\xA9");
    CHECK(quoted("\xF0\x9F\x8C\x8A", 3).empty());
    CHECK(quoted("\x80\x80\x80", 1).empty());  // no UTF-8: nothing rather than a part
    const std::string name = std::string(199, 'c') + "\xC3\xA9";
    CHECK(invalid_channel_name_text(name) == "Invalid channel name: '" + std::string(199, 'c') + "'");
    CHECK(no_current_subscription_text(std::string(100'000, 'x')).size() < 300);
}

TEST_CASE("an unknown key is quoted if it is short plain text, for it came out of a URL") {
    CHECK(unknown_app_text(std::string(55, 'k')).size() == kCloseReasonMax);
    for (const std::string& key : {std::string(), std::string(56, 'k'), std::string("a b"), std::string("\xff"),
                                   std::string("a\n"), std::string("k\0", 2), std::string("é")}) {
        CHECK(unknown_app_text(key) == default_text(ErrorCode::unknown_app));
    }
}
