// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/forwarded.h"

#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "base/address_text.h"

using namespace spillway;
using namespace spillway::http;

namespace {

Address at(std::string_view text) { return base::parse_address(text).value(); }

std::string client_of(std::string_view peer, std::vector<std::string_view> lines) {
    const std::vector<Network> trusted{*base::parse_network("10.0.0.0/8"), *base::parse_network("2001:db8::/32")};
    std::vector<Header> headers{{"Host", "x"}};
    for (const std::string_view line : lines) headers.push_back({"x-forwarded-FOR", line});
    return base::to_text(forwarded_client(at(peer), headers, trusted));
}

}  // namespace

TEST_CASE("only what trusted proxies appended to X-Forwarded-For is believed") {
    CHECK(client_of("192.0.2.1", {"198.51.100.7"}) == "192.0.2.1");  // not a proxy of ours: whatever it says
    CHECK(client_of("10.0.0.1", {}) == "10.0.0.1");
    CHECK(client_of("10.0.0.1", {"198.51.100.7"}) == "198.51.100.7");
    CHECK(client_of("10.0.0.1", {"1.1.1.1, 198.51.100.7"}) ==
          "198.51.100.7");  // the first is the client's own invention
    CHECK(client_of("10.0.0.1", {"1.1.1.1,198.51.100.7 , 10.9.9.9"}) == "198.51.100.7");
    CHECK(client_of("10.0.0.1", {"10.0.0.2, 10.0.0.3"}) == "10.0.0.2");
    CHECK(client_of("2001:db8::1", {"2001:4860::5"}) == "2001:4860::5");
}

TEST_CASE("field lines of X-Forwarded-For are one list") {
    CHECK(client_of("10.0.0.1", {"1.1.1.1", "198.51.100.7", "10.0.0.2"}) == "198.51.100.7");
    CHECK(client_of("10.0.0.1", {"1.1.1.1, 198.51.100.7", "10.0.0.2, 10.0.0.3"}) == "198.51.100.7");
}

TEST_CASE("what is no address ends the search at the proxy that wrote it down") {
    CHECK(client_of("10.0.0.1", {"unknown"}) == "10.0.0.1");
    CHECK(client_of("10.0.0.1", {"198.51.100.7, unknown, 10.0.0.2"}) == "10.0.0.2");
    CHECK(client_of("10.0.0.1", {""}) == "10.0.0.1");
    CHECK(client_of("10.0.0.1", {"198.51.100.7,"}) == "10.0.0.1");
    CHECK(client_of("10.0.0.1", {",,,"}) == "10.0.0.1");
    CHECK(client_of("10.0.0.1", {"_hidden, \"198.51.100.7\""}) == "10.0.0.1");
}

TEST_CASE("ports behind addresses are left out") {
    CHECK(client_of("10.0.0.1", {"198.51.100.7:4711"}) == "198.51.100.7");
    CHECK(client_of("10.0.0.1", {"[2001:4860::5]:443"}) == "2001:4860::5");
    CHECK(client_of("10.0.0.1", {"[2001:4860::5"}) == "10.0.0.1");
}
