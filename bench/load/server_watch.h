// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The server seen from outside: memory, processor time and descriptors of its process, and its own figures.
#pragma once

#include <cstdint>

#include "options.h"

namespace spillway::load {

/// What could not be learned is -1.
struct ServerState {
    std::int64_t resident_bytes = -1;
    std::int64_t descriptors = -1;
    double cpu_seconds = -1;
    std::int64_t clients = -1;  // spillway_clients: pusher and feed
    std::int64_t dropped = -1;  // spillway_dropped_total, all reasons
};

[[nodiscard]] ServerState look_at_server(const Options& options);

/// Waits until descriptors and clients are back at (or under) what `before` says; false after `seconds`.
bool wait_back_at(const Options& options, const ServerState& before, int seconds);

}  // namespace spillway::load
