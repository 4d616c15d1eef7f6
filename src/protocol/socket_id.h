// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A connection's public name, `<digits>.<digits>`: 64 random bits, so that it cannot be guessed (signatures are bound
// to it), and the ClientId, so that any core finds the client that a publisher wants excluded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <spillway/ids.h>

namespace spillway::protocol {

struct SocketId {
    std::uint64_t nonce = 0;
    ClientId client;
    friend constexpr bool operator==(const SocketId&, const SocketId&) = default;
};

/// Two numbers of 20 digits and the dot.
inline constexpr std::size_t kSocketIdBytesMax = 41;

[[nodiscard]] std::string format_socket_id(SocketId id);

/// Nothing for what is no socket id and for one that cannot be ours (a number over 64 bits). The caller compares the
/// nonce with the client's own: the ClientId alone proves nothing.
[[nodiscard]] std::optional<SocketId> parse_socket_id(std::string_view text);

/// The form alone: one or more ASCII digits, a dot, one or more digits.
[[nodiscard]] bool is_socket_id(std::string_view text);

}  // namespace spillway::protocol
