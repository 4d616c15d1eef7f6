// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/socket_id.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"

namespace spillway::protocol {
namespace {

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Nothing for more than 64 bits.
std::optional<std::uint64_t> number(std::string_view digits) {
    std::uint64_t value = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (result.ec != std::errc{}) return std::nullopt;
    return value;
}

}  // namespace

std::string format_socket_id(SocketId id) {
    std::string text;
    text.reserve(kSocketIdBytesMax);
    base::append(text, id.nonce, ".", id.client.packed());
    return text;
}

std::optional<SocketId> parse_socket_id(std::string_view text) {
    if (!is_socket_id(text)) return std::nullopt;
    const std::size_t dot = text.find('.');
    const auto nonce = number(text.substr(0, dot));
    const auto packed = number(text.substr(dot + 1));
    if (!nonce || !packed) return std::nullopt;
    return SocketId{*nonce, ClientId::unpack(*packed)};
}

bool is_socket_id(std::string_view text) {
    const std::size_t dot = text.find('.');
    return dot != std::string_view::npos && all_digits(text.substr(0, dot)) && all_digits(text.substr(dot + 1));
}

}  // namespace spillway::protocol
