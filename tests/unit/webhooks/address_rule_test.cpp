// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/address_rule.h"

#include <arpa/inet.h>

#include <array>
#include <string>

#include <catch2/catch_test_macros.hpp>

namespace spillway::webhooks {
namespace {

bool is_public(const std::string& text) {
    std::array<std::byte, 16> bytes{};
    if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return is_public_address(std::span(bytes).first(4));
    REQUIRE(inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1);
    return is_public_address(bytes);
}

TEST_CASE("webhooks go to public addresses", "[webhooks]") {
    for (const char* address :
         {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
          "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.255.255",
          "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00::1", "2002:0808:0808::1", "64:ff9b::8.8.8.8"}) {
        INFO(address);
        CHECK(is_public(address));
    }
}

TEST_CASE("webhooks never go inside by an address: loopback, private, metadata, mapped, multicast", "[webhooks]") {
    for (const char* address : {"0.0.0.0",
                                "0.1.2.3",
                                "10.0.0.1",
                                "10.255.255.255",
                                "100.64.0.1",
                                "127.0.0.1",
                                "127.255.255.255",
                                "169.254.169.254",
                                "172.16.0.1",
                                "172.31.255.255",
                                "192.0.0.8",
                                "192.0.2.1",
                                "192.168.1.1",
                                "198.18.0.1",
                                "198.19.255.255",
                                "198.51.100.7",
                                "203.0.113.9",
                                "224.0.0.1",
                                "239.255.255.255",
                                "240.0.0.1",
                                "255.255.255.255",
                                "::",
                                "::1",
                                "::ffff:8.8.8.8",
                                "::ffff:127.0.0.1",
                                "::127.0.0.1",
                                "64:ff9b::10.0.0.1",
                                "64:ff9b:1::1",
                                "100::1",
                                "fc00::1",
                                "fd00:ec2::254",
                                "fe80::1",
                                "fec0::1",
                                "ff02::1",
                                "2001::1",
                                "2001:db8::1",
                                "2002:7f00:1::",
                                "2002:a00:1::1",
                                "3fff::1",
                                "4000::1"}) {
        INFO(address);
        CHECK_FALSE(is_public(address));
    }
    CHECK_FALSE(is_public_address({}));
    CHECK_FALSE(is_public_address(std::array<std::byte, 5>{}));
}

}  // namespace
}  // namespace spillway::webhooks
