// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "sim_seed.h"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "sim_world.h"

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace spillway::test {
namespace {

/// In real time. A seed takes a fraction of a second, with sanitizers some seconds.
constexpr unsigned kSecondsMax = 40;

std::uint64_t seed_now = 0;
std::string build_now;
const SimWorld* world_now = nullptr;

std::string place(std::string_view what) {
    const std::string seed = std::to_string(seed_now);
    std::string line = "simulation: seed " + seed + ", step ";
    line += std::to_string(world_now != nullptr ? world_now->steps() : 0);
    line.append(": ").append(what);
    // In the build that failed: assertions and sanitizers are not in every one.
    return line + "; `tools/check sim --build " + build_now + " --seed " + seed + "` plays it again";
}

/// The build directory of this program, as seen from the top of the sources if it is below them.
std::string build_directory() {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path build = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path().parent_path();
    for (fs::path top = build.parent_path(); top.has_relative_path(); top = top.parent_path())
        if (fs::exists(top / "tools/check", error)) return build.lexically_relative(top).string();
    return build.string();
}

/// SPILLWAY_SIM_PLANT=STEP breaks a promise at that step of every seed, `STEP abort` ends the process there: to see that a
/// failure is told, and found again.
void plant_failure(SimOptions& options) {
    options.planted_at = number_from("SPILLWAY_SIM_PLANT", 0);
    const char* planted = std::getenv("SPILLWAY_SIM_PLANT");
    options.planted_abort = planted != nullptr && std::string_view(planted).ends_with("abort");
}

void tell_place(std::string_view what) {
    const std::string line = place(what) + "\n";
    static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

void tell_place_of_death() { tell_place("the process ended"); }

void tell_place_of_signal(int signal) {
    tell_place(signal == SIGALRM ? "no end in forty seconds" : "the process ended");
    static_cast<void>(std::signal(signal, SIG_DFL));
    static_cast<void>(std::raise(signal));
}

void watch_for_the_worst() {
    static_cast<void>(std::signal(SIGABRT, tell_place_of_signal));
    static_cast<void>(std::signal(SIGALRM, tell_place_of_signal));
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(tell_place_of_death);
    } else {
        static_cast<void>(std::signal(SIGSEGV, tell_place_of_signal));
    }
    ::alarm(kSecondsMax);
}

}  // namespace

SeedOutcome play_seed(std::uint64_t seed) {
    seed_now = seed;
    if (build_now.empty()) build_now = build_directory();
    watch_for_the_worst();
    SeedOutcome outcome;
    SimOptions options = draw_circumstances(seed);
    plant_failure(options);
    SimWorld world(options);
    world_now = &world;
    try {
        world.play();
    } catch (const SimFailure& failure) {
        outcome.failure = place(std::string("the server ") + failure.what() + ", but not here");
    }
    outcome.trace = world.trace();
    outcome.steps = world.steps();
    outcome.completions = world.completions();
    outcome.deliveries = world.scene.deliveries;
    outcome.summary = world.summary();
    if (!outcome.failure.empty()) world.abandon();
    world_now = nullptr;
    ::alarm(0);
    return outcome;
}

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    std::uint64_t value = otherwise;
    if (text != nullptr) std::from_chars(text, text + std::strlen(text), value);
    return value;
}

std::uint64_t fresh_seed() {
    constexpr std::uint64_t kSeedsPerTick = 100'000;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto ticks = std::chrono::duration_cast<std::chrono::milliseconds>(now).count() / 100;
    return number_from("SPILLWAY_SIM_FIRST", static_cast<std::uint64_t>(ticks) % 1'000'000'000 * kSeedsPerTick);
}

}  // namespace spillway::test
