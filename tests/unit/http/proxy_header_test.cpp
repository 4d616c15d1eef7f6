// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/proxy_header.h"

#include <random>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "base/address_text.h"

using namespace spillway;
using namespace spillway::http;

namespace {

std::string binary(unsigned char version_command, unsigned char family, const std::string& addresses) {
    std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
    bytes += static_cast<char>(version_command);
    bytes += static_cast<char>(family);
    bytes += static_cast<char>(addresses.size() >> 8);
    bytes += static_cast<char>(addresses.size() & 0xFF);
    return bytes + addresses;
}

const std::string kV4 = {'\xC0', '\x00', '\x02', '\x07', '\x0A', 0, 0, 1, '\x12', '\x34', 0, 80};

/// Whole, in every split, and with a request behind it.
ProxyHeader read_all_ways(const std::string& bytes) {
    const ProxyHeader whole = parse_proxy_header(bytes);
    if (whole.outcome == ProxyOutcome::complete) {
        CHECK(whole.bytes == bytes.size());
        for (std::size_t n = 0; n < bytes.size(); ++n)
            CHECK(parse_proxy_header(std::string_view(bytes).substr(0, n)).outcome == ProxyOutcome::need_more);
        const ProxyHeader longer = parse_proxy_header(bytes + "GET / HTTP/1.1\r\n");
        CHECK(longer.outcome == ProxyOutcome::complete);
        CHECK(longer.bytes == bytes.size());
        CHECK(longer.client == whole.client);
    }
    return whole;
}

}  // namespace

TEST_CASE("PROXY version 2 tells the client's address") {
    CHECK(base::to_text(read_all_ways(binary(0x21, 0x11, kV4)).client) == "192.0.2.7");
    std::string v6(36, '\0');
    v6[0] = 0x20;
    v6[1] = 0x01;
    v6[15] = 9;
    CHECK(base::to_text(read_all_ways(binary(0x21, 0x21, v6)).client) == "2001::9");
    CHECK(base::to_text(read_all_ways(binary(0x21, 0x11, kV4 + std::string(200, 'T'))).client) == "192.0.2.7");
    CHECK(read_all_ways(binary(0x20, 0x11, kV4)).client.is_none());                    // LOCAL
    CHECK(read_all_ways(binary(0x20, 0x00, "")).outcome == ProxyOutcome::complete);    // and its usual form
    CHECK(read_all_ways(binary(0x21, 0x31, std::string(216, 'u'))).client.is_none());  // Unix
}

TEST_CASE("PROXY version 2 that cannot be is refused") {
    CHECK(parse_proxy_header(binary(0x11, 0x11, kV4)).outcome == ProxyOutcome::malformed);
    CHECK(parse_proxy_header(binary(0x22, 0x11, kV4)).outcome == ProxyOutcome::malformed);
    CHECK(parse_proxy_header(binary(0x21, 0x11, kV4.substr(0, 11))).outcome == ProxyOutcome::malformed);
    CHECK(parse_proxy_header(binary(0x21, 0x21, kV4)).outcome == ProxyOutcome::malformed);
    CHECK(parse_proxy_header(binary(0x21, 0x11, std::string(kProxyHeaderMax - 16, 'x'))).outcome ==
          ProxyOutcome::complete);
    CHECK(parse_proxy_header(binary(0x21, 0x11, std::string(kProxyHeaderMax - 15, 'x'))).outcome ==
          ProxyOutcome::malformed);
}

TEST_CASE("PROXY version 1 tells the client's address") {
    CHECK(base::to_text(read_all_ways("PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\r\n").client) == "192.0.2.7");
    CHECK(base::to_text(read_all_ways("PROXY TCP6 2001:db8::7 ::1 65535 1\r\n").client) == "2001:db8::7");
    CHECK(read_all_ways("PROXY UNKNOWN\r\n").client.is_none());
    CHECK(read_all_ways("PROXY UNKNOWN 1 2 3 4\r\n").client.is_none());
}

TEST_CASE("PROXY version 1 that cannot be is refused, as is what is no header") {
    for (const char* text :
         {"PROXY TCP4 192.0.2.7 10.0.0.1 5000\r\n", "PROXY TCP4 192.0.2.7 10.0.0.1 5000 443 1\r\n",
          "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "PROXY TCP4 1.2.3.4  1 2\r\n", "PROXY \r\n", "PROXX",
          "GET / HTTP/1.1\r\n", "\r\n\r\nX", "proxy TCP4"})
        CHECK(parse_proxy_header(text).outcome == ProxyOutcome::malformed);
    CHECK(parse_proxy_header("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n").outcome == ProxyOutcome::complete);
    CHECK(parse_proxy_header("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n").outcome == ProxyOutcome::malformed);
}

TEST_CASE("no bytes make the PROXY parser read beyond them or wait for ever") {
    std::mt19937 dice(1);
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = round % 2 ? binary(0x21, 0x11, kV4) : "PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\r\n";
        for (int changes = 0; changes < 3; ++changes) bytes[dice() % bytes.size()] = static_cast<char>(dice());
        bytes.resize(dice() % (bytes.size() + 1));
        const ProxyHeader header = parse_proxy_header(bytes);
        if (header.outcome == ProxyOutcome::complete) CHECK(header.bytes <= bytes.size());
        if (header.outcome == ProxyOutcome::need_more) CHECK(bytes.size() < kProxyHeaderMax);
    }
    CHECK(parse_proxy_header(binary(0x21, 0x11, "") + std::string(kProxyHeaderMax, 'x')).outcome !=
          ProxyOutcome::need_more);
}
