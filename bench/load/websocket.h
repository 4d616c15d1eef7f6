// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// As much of a WebSocket client as a subscriber needs: the upgrade, frames of a server (whole, unmasked), and masked
// frames of its own. Pure: bytes in, bytes out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "options.h"

namespace spillway::load {

enum class Opcode : std::uint8_t { text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

struct Frame {
    Opcode opcode;
    std::string_view payload;  // inside the bytes it was taken from
};

/// Takes the first whole frame from `bytes`. Nothing: more bytes are needed. `broken` is set when they can never be one.
[[nodiscard]] std::optional<Frame> take_frame(std::string_view& bytes, bool& broken);

/// A frame as a client sends it, masked with zeros (which costs nothing and is allowed to a test client).
[[nodiscard]] std::string client_frame(Opcode opcode, std::string_view payload);

/// A request to become a WebSocket at this path and query.
[[nodiscard]] std::string upgrade_request(const Options& options, const std::string& path);

/// Where a subscriber of the channel goes: Feed, Pusher, or the other server's path.
[[nodiscard]] std::string subscriber_path(const Options& options, std::uint32_t channel);

/// Takes the answer to it: 101, another status, or nothing while it is incomplete. -1: not an answer at all.
[[nodiscard]] std::optional<int> take_upgrade_answer(std::string_view& bytes);

/// The sequence number of a message: ten digits where its data begins. Nothing: it has none.
[[nodiscard]] std::optional<std::uint32_t> sequence_of(std::string_view message, Protocol protocol);

/// The number of the channel that a Pusher message names. Nothing: it is none of ours.
[[nodiscard]] std::optional<std::uint32_t> channel_in(std::string_view message);

}  // namespace spillway::load
