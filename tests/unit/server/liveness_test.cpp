// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/liveness.h"

#include <algorithm>
#include <map>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using namespace spillway::server;
using namespace std::chrono_literals;
using base::Instant;

namespace {

const Config kDefaults;
constexpr Instant kStart{1000s};

/// Slot 0 has no jitter.
Silence silent_since(Instant last, Instant asked = {}) { return {last, asked, 0}; }

LivenessVerdict after(Silence silence, base::Duration d) {
    return judge_silence(kDefaults, silence, silence.last_received + d);
}

}  // namespace

TEST_CASE("S3 a ping is due exactly one interval after the last byte received") {
    CHECK(after(silent_since(kStart), 0s) == LivenessVerdict::alive);
    CHECK(after(silent_since(kStart), 30s - 1ns) == LivenessVerdict::alive);
    CHECK(after(silent_since(kStart), 30s) == LivenessVerdict::ping);
    CHECK(next_judgement(kDefaults, silent_since(kStart), kStart) == kStart + 30s);
}

TEST_CASE("S3 an unanswered ping makes a client stale after half the pong timeout and ends it after all of it") {
    const Silence asked = silent_since(kStart, kStart + 30s);
    CHECK(after(asked, 30s) == LivenessVerdict::alive);
    CHECK(after(asked, 35s - 1ns) == LivenessVerdict::alive);
    CHECK(after(asked, 35s) == LivenessVerdict::stale);
    CHECK(after(asked, 40s - 1ns) == LivenessVerdict::stale);
    CHECK(after(asked, 40s) == LivenessVerdict::pong_timeout);
    CHECK(next_judgement(kDefaults, asked, kStart + 30s) == kStart + 35s);
    CHECK(next_judgement(kDefaults, asked, kStart + 35s) == kStart + 40s);
}

TEST_CASE("the read timeout counts from the last byte received, whatever was asked since") {
    CHECK(after(silent_since(kStart), 60s) == LivenessVerdict::read_timeout);
    CHECK(after(silent_since(kStart, kStart + 59s), 60s) == LivenessVerdict::read_timeout);
    CHECK(next_judgement(kDefaults, silent_since(kStart, kStart + 59s), kStart + 59s) == kStart + 60s);
}

TEST_CASE("ten thousand clients of one moment are never pinged in one tick") {
    for (const base::Duration interval : {base::Duration(30s), base::Duration(10s), base::Duration(1s)}) {
        std::map<std::int64_t, int> per_tick;
        for (std::uint32_t slot = 0; slot < 10'000; ++slot) {
            const base::Duration jitter = ping_jitter(interval, slot);
            CHECK(jitter >= 0s);
            CHECK(jitter < interval / 8);
            ++per_tick[jitter / 10ms];
        }
        const auto worst = std::ranges::max_element(per_tick, {}, [](const auto& tick) { return tick.second; });
        // Spread evenly over an eighth of the interval, no tick has twice its share.
        CHECK(worst->second <= 2 * 10'000 * base::Duration(10ms) / (interval / 8) + 10);
    }
}

TEST_CASE("the times of a judgement and the judgement agree: nothing is missed and nothing asked too early") {
    for (std::uint32_t slot = 0; slot < 200; ++slot) {
        Silence silence{kStart, {}, slot};
        Instant now = next_judgement(kDefaults, silence, kStart);
        REQUIRE(judge_silence(kDefaults, silence, now) == LivenessVerdict::ping);
        REQUIRE(judge_silence(kDefaults, silence, now - 1ns) == LivenessVerdict::alive);
        silence.ping_sent = now;
        now = next_judgement(kDefaults, silence, now);
        REQUIRE(judge_silence(kDefaults, silence, now) == LivenessVerdict::stale);
        now = next_judgement(kDefaults, silence, now);
        REQUIRE(judge_silence(kDefaults, silence, now) == LivenessVerdict::pong_timeout);
    }
}
