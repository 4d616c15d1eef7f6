// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Unpredictable numbers as a value that is passed in, so that tests and the simulation can put a seed in its place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace spillway::crypto {

class Random {
public:
    virtual ~Random() = default;
    /// 64 uniform bits. One thread at a time per object.
    [[nodiscard]] virtual std::uint64_t next() = 0;
};

/// The kernel's generator (getrandom(2)), fetched 512 bytes at a time; what was handed out is wiped. Stops the
/// process if the kernel refuses, which it does not do on any kernel with io_uring.
class SystemRandom final : public Random {
public:
    SystemRandom() = default;
    SystemRandom(const SystemRandom&) = delete;  // a copy would hand out the same numbers again
    SystemRandom& operator=(const SystemRandom&) = delete;
    ~SystemRandom() override;
    [[nodiscard]] std::uint64_t next() override;

private:
    static constexpr std::size_t kWords = 64;
    void refill();

    std::array<std::uint64_t, kWords> words_{};
    std::size_t left_ = 0;
};

}  // namespace spillway::crypto
