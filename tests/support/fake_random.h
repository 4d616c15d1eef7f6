// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Unpredictable numbers, predictably.
#pragma once

#include <cstdint>

#include "crypto/random.h"
#include "seeded.h"

namespace spillway::test {

class FakeRandom final : public crypto::Random {
public:
    explicit FakeRandom(std::uint64_t seed) : dice_(seed) {}
    [[nodiscard]] std::uint64_t next() override { return dice_.next(); }

private:
    Seeded dice_;
};

}  // namespace spillway::test
