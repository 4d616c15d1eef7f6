// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// `spillway tail`: prints what is published to channels, one line per event, until it is told to stop.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "client/endpoint.h"
#include "client/event_line.h"

namespace spillway::client {

enum class Wire : std::uint8_t { pusher, feed };

struct TailOptions {
    Endpoint endpoint;
    App app;
    std::vector<std::string> channels;
    Wire wire = Wire::pusher;  // feed: a connection for each channel
    LineForm form = LineForm::plain;
    std::string event;        // only of this name; empty = all
    std::uint64_t count = 0;  // leave after so many lines; 0 = never
    bool gaps = false;        // a line for each time without a connection
    bool reconnect = false;
};

/// Silence of the server's after which it is pinged, until it says what it wants; and how long the answer may take.
inline constexpr std::chrono::seconds kSilence{120};
inline constexpr std::chrono::seconds kPongTimeout{30};
/// A connection that lasted so long may be lost again without a longer pause.
inline constexpr std::chrono::seconds kSettled{10};

/// Runs to its end and returns the exit code (exit_code.h). Lines go to standard output, everything else to standard error.
[[nodiscard]] int tail(const TailOptions& options);

}  // namespace spillway::client
