// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/liveness.h"

#include <algorithm>

namespace spillway::server {
namespace {

base::Instant ping_due(const Config& config, const Silence& silence) {
    return silence.last_received + config.ping_interval - ping_jitter(config.ping_interval, silence.slot);
}

base::Instant stale_from(const Config& config, const Silence& silence) {
    return silence.ping_sent + config.pong_timeout / 2;
}

}  // namespace

base::Duration ping_jitter(base::Duration interval, std::uint32_t slot) {
    // Fibonacci hashing: the upper ten bits of slot / golden ratio.
    const std::uint32_t step = (slot * 2'654'435'769U) >> 22;
    return interval / 8 / 1024 * step;
}

LivenessVerdict judge_silence(const Config& config, const Silence& silence, base::Instant now) {
    if (now >= silence.last_received + config.read_timeout) return LivenessVerdict::read_timeout;
    if (!silence.asked()) return now >= ping_due(config, silence) ? LivenessVerdict::ping : LivenessVerdict::alive;
    if (now >= silence.ping_sent + config.pong_timeout) return LivenessVerdict::pong_timeout;
    return now >= stale_from(config, silence) ? LivenessVerdict::stale : LivenessVerdict::alive;
}

base::Instant next_judgement(const Config& config, const Silence& silence, base::Instant now) {
    base::Instant due = silence.last_received + config.read_timeout;
    if (!silence.asked()) return std::min(due, ping_due(config, silence));
    if (now < stale_from(config, silence)) return std::min(due, stale_from(config, silence));
    return std::min<base::Instant>(due, silence.ping_sent + config.pong_timeout);
}

}  // namespace spillway::server
