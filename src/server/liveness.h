// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// When a silent client is pinged, counts as stale and is given up: rules over times that are passed in, nothing else.
//
// A ping is due one interval after the last byte received, whatever was sent meanwhile; any byte received answers it. A
// client whose ping is unanswered for half the pong timeout is stale, and after the whole of it closed.
#pragma once

#include <cstdint>

#include <spillway/config.h>

#include "base/clock.h"

namespace spillway::server {

/// How long a client has said nothing.
struct Silence {
    base::Instant last_received{};
    base::Instant ping_sent{};  // zero: no ping is unanswered
    std::uint32_t slot = 0;     // shifts its pings against those of others
    [[nodiscard]] bool asked() const { return ping_sent != base::Instant{}; }
};

enum class LivenessVerdict : std::uint8_t { alive, ping, stale, pong_timeout, read_timeout };

/// Up to an eighth of the interval earlier than others: clients that connected in one moment are not pinged in one tick, nor
/// do they answer in one. Neighbouring slots lie far apart.
[[nodiscard]] base::Duration ping_jitter(base::Duration interval, std::uint32_t slot);

/// What is to be done now.
[[nodiscard]] LivenessVerdict judge_silence(const Config& config, const Silence& silence, base::Instant now);

/// When to judge again, if nothing is received until then.
[[nodiscard]] base::Instant next_judgement(const Config& config, const Silence& silence, base::Instant now);

}  // namespace spillway::server
