// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Seeds. Each draws its own server, people and faults, plays some thousand steps and ends everything; see sim_world.h for
// what is checked. A seed that fails names itself and the step; SPILLWAY_SIM_SEED=<seed> plays it alone.
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace spillway::test {
namespace {

std::uint64_t seed_now = 0;
const SimWorld* world_now = nullptr;

/// Tells where it was when an assertion or a sanitizer ends the process.
void tell_place() {
    std::string line = "simulation: seed " + std::to_string(seed_now) + ", step " +
                       std::to_string(world_now != nullptr ? world_now->steps() : 0) +
                       "; SPILLWAY_SIM_SEED=" + std::to_string(seed_now) + " plays it again\n";
    static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}
void tell_place_of_abort(int) { tell_place(); }

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    if (text == nullptr) return otherwise;
    std::uint64_t value = otherwise;
    std::from_chars(text, text + std::strlen(text), value);
    return value;
}

struct Outcome {
    std::uint64_t trace = 0;
    std::size_t deliveries = 0;
    std::string failure;
};

Outcome play(std::uint64_t seed) {
    seed_now = seed;
    std::signal(SIGABRT, tell_place_of_abort);
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(tell_place);
    Outcome outcome;
    SimWorld world(draw_circumstances(seed));
    world_now = &world;
    try {
        world.play();
    } catch (const SimFailure& failure) {
        outcome.failure = "seed " + std::to_string(seed) + ", step " + std::to_string(world.steps()) + ": the server " +
                          failure.what() + ", but not here; SPILLWAY_SIM_SEED=" + std::to_string(seed) +
                          " plays it again;" + world.summary();
        world.abandon();
    }
    world_now = nullptr;
    outcome.trace = world.trace();
    outcome.deliveries = world.scene.deliveries;
    if (outcome.failure.empty() && std::getenv("SPILLWAY_SIM_VERBOSE") != nullptr)
        WARN("seed " << seed << ": " << world.summary());
    return outcome;
}

}  // namespace

TEST_CASE("the server keeps its promises under every seed") {
    const std::uint64_t one = number_from("SPILLWAY_SIM_SEED", 0);
    const std::uint64_t first = one != 0 ? one : number_from("SPILLWAY_SIM_FIRST", 1);
    const std::uint64_t count = one != 0 ? 1 : number_from("SPILLWAY_SIM_SEEDS", 50);
    std::size_t deliveries = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const Outcome outcome = play(seed);
        deliveries += outcome.deliveries;
        if (!outcome.failure.empty()) FAIL_CHECK(outcome.failure);
    }
    if (one == 0) CHECK(deliveries > count * 20);  // a swarm in which nothing happens proves nothing
}

TEST_CASE("the same seed plays the same game") {
    for (const std::uint64_t seed : {3U, 8U}) CHECK(play(seed).trace == play(seed).trace);
}

}  // namespace spillway::test
