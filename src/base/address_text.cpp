// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/address_text.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace spillway::base {

std::optional<Address> parse_address(std::string_view text) {
    char word[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof word || text.find('\0') != std::string_view::npos) return std::nullopt;
    std::memcpy(word, text.data(), text.size());
    word[text.size()] = '\0';
    Address address;
    if (::inet_pton(AF_INET6, word, address.bytes.data()) == 1) return address;
    address = {};
    if (::inet_pton(AF_INET, word, address.bytes.data() + 12) != 1) return std::nullopt;
    address.bytes[10] = address.bytes[11] = 0xFF;
    return address;
}

std::optional<Network> parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address) return std::nullopt;
    Network network{*address, 128};
    if (slash == std::string_view::npos) return network;
    const std::string_view digits = text.substr(slash + 1);
    const unsigned family = text.find(':') == std::string_view::npos ? 32 : 128;
    unsigned bits = 0;
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (fault != std::errc{} || end != digits.data() + digits.size() || bits > family) return std::nullopt;
    network.bits = 128 - family + bits;
    return address->prefix(network.bits) == *address ? std::optional(network) : std::nullopt;
}

std::string to_text(const Address& address) {
    char word[INET6_ADDRSTRLEN];
    const bool v4 = address.is_v4();
    ::inet_ntop(v4 ? AF_INET : AF_INET6, address.bytes.data() + (v4 ? 12 : 0), word, sizeof word);
    return word;
}

}  // namespace spillway::base
