// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The scenarios, from the first connection to the last check. Each makes its own processes and leaves none.
#pragma once

#include <optional>
#include <string>

#include "options.h"
#include "report.h"

namespace spillway::load {

/// Subscribers and broadcasts in the mode of the options. Nothing: it could not be played, and stderr says why.
[[nodiscard]] std::optional<Outcome> play_broadcasts(const Options& options, const std::string& title);

/// A few connect, leave and connect again, then all: the slope between few and all is what an idle client costs.
[[nodiscard]] std::optional<IdleOutcome> play_idle(const Options& options);

}  // namespace spillway::load
