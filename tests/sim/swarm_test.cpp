// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Small swarms in which one thing happens at every step in turn: somebody goes, or the server is told to end. Swarms at
// large are played by seeds.cpp.
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>

#include "sim_seed.h"
#include "sim_world.h"

namespace spillway::test {
namespace {

using End = SimOptions::End;
using Way = SimOptions::Way;

/// Few people, and faults that are not so many that they are all there is.
SimOptions small_swarm(std::uint64_t seed, std::size_t steps) {
    SimOptions options = draw_circumstances(seed);
    options.steps = steps;
    options.clients = 3;
    options.publishers = 2;
    options.ending = End::in_order;
    return options;
}

/// In circumstances where going is no fault: a seed whose mode is not calm.
std::uint64_t troubled_seed(std::uint64_t from) {
    while (draw_circumstances(from).calm) ++from;
    return from;
}

void play(const SimOptions& options, std::string_view what, std::size_t at) {
    SimWorld world(options);
    try {
        world.play();
    } catch (const SimFailure& failure) {
        world.abandon();
        FAIL_CHECK("seed " << options.seed << ", " << what << " at step " << at << ": the server " << failure.what()
                           << ", but not at step " << world.steps());
    }
}

}  // namespace

TEST_CASE("a client may go at every step, in every way") {
    constexpr std::size_t kSteps = 160;
    for (const Way way : {Way::close_frame, Way::fin, Way::rst, Way::network}) {
        const std::uint64_t seed = troubled_seed(100 * (1 + static_cast<std::uint64_t>(way)));
        for (std::size_t at = 1; at < kSteps; at += 2) {
            SimOptions options = small_swarm(seed, kSteps);
            options.strike_at = at;
            options.strike = way;
            play(options, "a client goes", at);
        }
    }
}

TEST_CASE("the server may be told to end at every step") {
    for (const End ending : {End::drained, End::abrupt, End::forced}) {
        for (std::size_t at = 1; at < 240; at += 2) {
            SimOptions options = small_swarm(700 + 10 * static_cast<std::uint64_t>(ending), at);
            options.ending = ending;
            play(options, "the end", at);
        }
    }
}

TEST_CASE("the same seed plays the same game, to the byte") {
    for (const std::uint64_t seed : {3U, 8U, 21U}) {
        const SeedOutcome once = play_seed(seed);
        const SeedOutcome again = play_seed(seed);
        CHECK(once.failure == "");
        CHECK(once.trace == again.trace);
        CHECK(once.steps == again.steps);
    }
    CHECK(play_seed(3).trace != play_seed(8).trace);
}

}  // namespace spillway::test
