// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/request_header.h"

#include <catch2/catch_test_macros.hpp>

namespace spillway::webhooks {
namespace {

TEST_CASE("headers for webhooks are a token and printable text", "[webhooks]") {
    CHECK(request_header("X-Env", "prod").value() == "X-Env: prod");
    CHECK(request_header("Authorization", "Bearer a b").value() == "Authorization: Bearer a b");
    for (const auto& [name, value] :
         std::initializer_list<std::pair<const char*, const char*>>{{"", "v"},
                                                                    {"X Env", "v"},
                                                                    {"X-Env:", "v"},
                                                                    {"X-Env\r\nY", "v"},
                                                                    {"X-Env", ""},
                                                                    {"X-Env", " v"},
                                                                    {"X-Env", "v "},
                                                                    {"X-Env", "a\r\nY: b"},
                                                                    {"X-Env", "a\nb"},
                                                                    {"X-Env", "\xC3\xA4"}}) {
        INFO(name << ": " << value);
        CHECK_FALSE(request_header(name, value).has_value());
    }
    CHECK_FALSE(request_header("X-Env", std::string("a\0b", 3)).has_value());
    CHECK_FALSE(request_header("X-Env", std::string(kRequestHeaderBytesMax, 'a')).has_value());
}

TEST_CASE("headers that make a webhook what it is cannot be replaced", "[webhooks]") {
    for (const char* name : {"Content-Type", "content-length", "HOST", "Transfer-Encoding", "Connection", "Expect",
                             "X-Pusher-Key", "x-pusher-signature", "Proxy-Authorization"}) {
        INFO(name);
        CHECK_FALSE(request_header(name, "v").has_value());
    }
}

}  // namespace
}  // namespace spillway::webhooks
