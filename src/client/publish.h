// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// `spillway publish`: one event through the HTTP API, or every line of standard input through the publisher WebSocket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <spillway/limits.h>

#include "client/endpoint.h"

namespace spillway::client {

/// Lines that may be without an answer: each can bring an error, and the server keeps 1024 messages for a client.
inline constexpr std::uint64_t kWindowDefault = 1000;
inline constexpr std::uint64_t kWindowMax = 100'000;
/// Nothing is read from standard input while so much waits for the socket.
inline constexpr std::size_t kUnsentBytesMax = 256 * kKiB;

struct PublishOptions {
    Endpoint endpoint;
    App app;
    std::string channel;  // with `json` not looked at, as is the event
    std::string event;
    std::string data;
    bool from_input = false;  // a line of standard input is a message, not `data`
    bool json = false;        // and each a whole body
    std::uint64_t window = kWindowDefault;
    std::size_t message_bytes_max = 32 * kKiB;  // what the server takes
};

/// Runs to its end and returns the exit code (exit_code.h). Errors, totals and the rate go to standard error.
[[nodiscard]] int publish(const PublishOptions& options);

/// Takes the next line off `text`, without its end ("\n" or "\r\n"); nothing if none is whole. `begin` moves behind it. With
/// `last` what has no end is a line, too.
[[nodiscard]] std::optional<std::string_view> take_line(std::string_view text, std::size_t& begin, bool last);

}  // namespace spillway::client
