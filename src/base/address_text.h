// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Addresses and networks from text. Strict: what inet_pton(3) takes, no names, no leading zeros, no zones.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <spillway/address.h>

namespace spillway::base {

[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

/// "10.0.0.0/8", "2001:db8::/32", or a single address. Bits behind the prefix are refused: they are a mistake.
[[nodiscard]] std::optional<Network> parse_network(std::string_view text);

[[nodiscard]] std::string to_text(const Address& address);

}  // namespace spillway::base
