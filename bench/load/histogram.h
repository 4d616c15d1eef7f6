// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Latencies in buckets 3 % apart, as plain counters that may lie in memory shared between processes: each process
// writes its own, the reader adds them up after the writers are done.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace spillway::load {

class Histogram {
public:
    void add(std::int64_t nanoseconds) {
        const std::uint64_t value = nanoseconds < 0 ? 0 : static_cast<std::uint64_t>(nanoseconds);
        ++counts_[bucket_of(value)];
        ++count_;
        max_ = std::max(max_, value);
    }
    void add(const Histogram& other) {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
        count_ += other.count_;
        max_ = std::max(max_, other.max_);
    }

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] double max_ms() const { return static_cast<double>(max_) / 1e6; }

    /// The value that `share` (0..1) of all do not exceed, in milliseconds, never above the maximum seen.
    [[nodiscard]] double percentile_ms(double share) const { return percentile_ms(share, count_); }

    /// The same of `expected` values, of which those that are not here never came: infinity, where they are meant.
    [[nodiscard]] double percentile_ms(double share, std::uint64_t expected) const {
        const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(expected));
        if (rank >= count_ && expected > count_) return std::numeric_limits<double>::infinity();
        std::uint64_t passed = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            passed += counts_[i];
            if (passed > rank) return static_cast<double>(std::min(upper_end(i), max_)) / 1e6;
        }
        return max_ms();
    }

private:
    static constexpr unsigned kSubBits = 5;                               // 32 buckets for each power of two
    static constexpr std::size_t kBuckets = (44 - kSubBits) << kSubBits;  // up to 2^43 ns, two hours

    static std::size_t bucket_of(std::uint64_t value) {
        if (value < (1U << kSubBits)) return static_cast<std::size_t>(value);
        const auto exponent = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
        const auto bucket = ((exponent + 1) << kSubBits) + (value >> exponent) - (1U << kSubBits);
        return std::min(static_cast<std::size_t>(bucket), kBuckets - 1);
    }
    static std::uint64_t upper_end(std::size_t bucket) {
        const std::uint64_t sub = bucket & ((1U << kSubBits) - 1);
        const std::uint64_t row = bucket >> kSubBits;
        if (row == 0) return sub;
        return (((std::uint64_t{1} << kSubBits) + sub + 1) << (row - 1)) - 1;
    }

    std::array<std::uint64_t, kBuckets> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace spillway::load
