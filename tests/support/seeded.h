// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The simulation's dice: one 64-bit seed decides everything, the same on every machine and standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spillway::test {

/// SplitMix64: small, good enough for dice, and every seed is as good as any other.
class Seeded {
public:
    explicit Seeded(std::uint64_t seed) : state_(seed) {}

    [[nodiscard]] std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }
    /// 0 <= result < n; n > 0.
    [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
    /// low <= result <= high.
    [[nodiscard]] std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }
    /// True `per_mille` times in a thousand. 0 takes no number, so that a fault switched off changes nothing else.
    [[nodiscard]] bool chance(unsigned per_mille) { return per_mille != 0 && below(1000) < per_mille; }
    /// Another generator that goes its own way.
    [[nodiscard]] Seeded fork() { return Seeded(next()); }

private:
    std::uint64_t state_;
};

}  // namespace spillway::test
