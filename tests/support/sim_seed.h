// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One seed, played from its circumstances to its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace spillway::test {

struct SeedOutcome {
    std::uint64_t trace = 0;  // of everything that happened: the same for the same seed
    std::uint64_t steps = 0;
    std::uint64_t completions = 0;
    std::uint64_t deliveries = 0;
    std::string summary;
    std::string failure;  // empty if every promise was kept; else which was not, where, and how to play it again
};

/// A process that an assertion, a sanitizer, a signal or a clock ends in the midst of it says the same on stderr.
[[nodiscard]] SeedOutcome play_seed(std::uint64_t seed);

/// A number from the environment.
[[nodiscard]] std::uint64_t number_from(const char* name, std::uint64_t otherwise);

/// The first of seeds that nobody has played before: SPILLWAY_SIM_FIRST, or by the clock. Runs a tenth of a second apart share none
/// if none takes more than a hundred thousand.
[[nodiscard]] std::uint64_t fresh_seed();

}  // namespace spillway::test
