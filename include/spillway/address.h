// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Addresses of peers and networks of them, as bytes. IPv4 is kept v4-mapped (RFC 4291 section 2.5.5.2), so that one type
// serves both; a Unix socket's peer is all zero.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace spillway {

struct Address {
    std::array<std::uint8_t, 16> bytes{};

    [[nodiscard]] constexpr bool is_none() const { return *this == Address{}; }
    [[nodiscard]] constexpr bool is_v4() const {
        for (std::size_t i = 0; i < 10; ++i)
            if (bytes[i] != 0) return false;
        return bytes[10] == 0xFF && bytes[11] == 0xFF;
    }
    /// 127.0.0.0/8 or ::1.
    [[nodiscard]] constexpr bool is_loopback() const {
        if (is_v4()) return bytes[12] == 127;
        return bytes[15] == 1 && prefix(127).is_none();
    }
    /// The first `bits` (0 to 128) bits, the others zero.
    [[nodiscard]] constexpr Address prefix(unsigned bits) const {
        Address cut;
        for (unsigned i = 0; i < 16 && bits > 0; ++i) {
            const unsigned here = bits < 8 ? bits : 8;
            cut.bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xFFU << (8 - here)));
            bits -= here;
        }
        return cut;
    }
    friend constexpr bool operator==(const Address&, const Address&) = default;
};

struct Network {
    Address address;      // with nothing behind the prefix
    unsigned bits = 128;  // counted from the front of the 16 bytes: a.b.c.d/24 has 120
    [[nodiscard]] constexpr bool contains(const Address& a) const { return a.prefix(bits) == address; }
    friend constexpr bool operator==(const Network&, const Network&) = default;
};

}  // namespace spillway
