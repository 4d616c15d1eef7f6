// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The scenarios, from the first connection to the last check. Each makes its own processes and leaves none. Nothing: it
// could not be played, and stderr says why.
#pragma once

#include <optional>
#include <string>

#include "options.h"
#include "outcome.h"

namespace spillway::load {

/// Subscribers and broadcasts in the mode of the options: closed, open, flood, search.
[[nodiscard]] std::optional<Outcome> play_broadcasts(const Options& options, const std::string& title);

/// A few connect, leave and connect again, then all: the slope between few and all is what an idle client costs.
[[nodiscard]] std::optional<IdleOutcome> play_idle(const Options& options);

/// All connect, all leave, and again; timed until the last is subscribed.
[[nodiscard]] std::optional<ConnectOutcome> play_connects(const Options& options);

/// One message at a time to one subscriber, each after a moment of silence, in turn with an echo.
[[nodiscard]] std::optional<LoneOutcome> play_lone(const Options& options);

}  // namespace spillway::load
