// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/address_rule.h"

#include <algorithm>
#include <cstdint>

namespace spillway::webhooks {
namespace {

struct Network4 {
    std::uint32_t address;
    unsigned bits;
};
constexpr std::uint32_t ip(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    return (a << 24) | (b << 16) | (c << 8) | d;
}
constexpr Network4 kNotPublic[] = {
    {ip(0, 0, 0, 0), 8},        // this host
    {ip(10, 0, 0, 0), 8},       // private
    {ip(100, 64, 0, 0), 10},    // shared, behind a carrier's NAT
    {ip(127, 0, 0, 0), 8},      // loopback
    {ip(169, 254, 0, 0), 16},   // link-local; 169.254.169.254 is the metadata of clouds
    {ip(172, 16, 0, 0), 12},    // private
    {ip(192, 0, 0, 0), 24},     // protocol assignments
    {ip(192, 0, 2, 0), 24},     // documentation
    {ip(192, 88, 99, 0), 24},   // 6to4 relays, withdrawn
    {ip(192, 168, 0, 0), 16},   // private
    {ip(198, 18, 0, 0), 15},    // benchmarks
    {ip(198, 51, 100, 0), 24},  // documentation
    {ip(203, 0, 113, 0), 24},   // documentation
    {ip(224, 0, 0, 0), 4},      // multicast
    {ip(240, 0, 0, 0), 4},      // reserved, broadcast
};

bool is_public4(std::uint32_t address) {
    return std::ranges::none_of(kNotPublic, [address](const Network4& n) {
        const std::uint32_t mask = ~std::uint32_t{0} << (32 - n.bits);
        return (address & mask) == n.address;
    });
}

std::uint32_t word(std::span<const std::byte> address, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | std::to_integer<std::uint32_t>(address[at + i]);
    return value;
}

bool is_public6(std::span<const std::byte> address) {
    const std::uint32_t first = word(address, 0);
    const std::uint32_t second = word(address, 4);
    if (first == 0x0064FF9B && second == 0 && word(address, 8) == 0) return is_public4(word(address, 12));  // NAT64
    if ((first >> 29) != 1)
        return false;  // 2000::/3 is all that is public; IPv4-mapped ones, ::1, fc00::, fe80:: are not in it
    if ((first >> 16) == 0x2002) return is_public4((first << 16) | (second >> 16));  // 6to4
    if ((first >> 9) == (0x20010000U >> 9)) return false;                            // 2001::/23: Teredo and kin
    if (first == 0x20010DB8) return false;                                           // documentation
    return (first >> 12) != 0x3FFF0;                                                 // 3fff::/20: documentation
}

}  // namespace

bool is_public_address(std::span<const std::byte> address) {
    if (address.size() == 4) return is_public4(word(address, 0));
    return address.size() == 16 && is_public6(address);
}

}  // namespace spillway::webhooks
