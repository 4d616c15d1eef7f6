// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Figures that one core writes on its hot path and the metrics scraper reads whenever it likes. No lock and no locked
// instruction: there is one writer, so an addition is a plain load, add and store that is merely never torn.
//
// A reader sees each figure as of some recent moment, and two figures perhaps as of two moments; sums over a core's
// figures are exact only at rest.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace spillway::base {

/// Counts up. Written by one thread, read by any.
class Counter {
public:
    void add(std::uint64_t n = 1) noexcept { set(value() + n); }
    void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// Goes up and down. Written by one thread, read by any.
class Gauge {
public:
    void add(std::int64_t n = 1) noexcept { set(value() + n); }
    void subtract(std::int64_t n = 1) noexcept { set(value() - n); }
    void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
    [[nodiscard]] std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_{0};
};

/// The buckets of Histogram: the first is everything under 1.024 us, then each power of two is cut into 8 equal parts,
/// and the last is everything from 2^36 ns (69 s). A bucket is at most an eighth of its lower edge wide, which bounds
/// the error of a quantile.
struct HistogramBuckets {
    static constexpr unsigned kFirstBits = 10;
    static constexpr unsigned kLastBits = 36;
    static constexpr unsigned kPartBits = 3;
    static constexpr std::size_t kCount = 2 + (std::size_t{kLastBits - kFirstBits} << kPartBits);

    [[nodiscard]] static constexpr std::size_t index_of(std::uint64_t ns) noexcept {
        const auto bits = static_cast<unsigned>(std::bit_width(ns));
        if (bits <= kFirstBits) return 0;
        if (bits > kLastBits) return kCount - 1;
        const unsigned octave = bits - 1;  // ns lies in [2^octave, 2^(octave + 1))
        const auto part = static_cast<std::size_t>(ns >> (octave - kPartBits)) & ((1U << kPartBits) - 1);
        return 1 + (std::size_t{octave - kFirstBits} << kPartBits) + part;
    }
    /// First value above the bucket, in ns; for the last bucket its lower edge, there being no upper one.
    [[nodiscard]] static constexpr std::uint64_t upper_edge_ns(std::size_t index) noexcept {
        return index + 1 >= kCount ? std::uint64_t{1} << kLastBits : lower_edge_ns(index + 1);
    }
    [[nodiscard]] static constexpr std::uint64_t lower_edge_ns(std::size_t index) noexcept {
        if (index == 0) return 0;
        const std::size_t octave = kFirstBits + ((index - 1) >> kPartBits);
        const std::uint64_t part = (index - 1) & ((1U << kPartBits) - 1);
        return ((std::uint64_t{1} << kPartBits) + part) << (octave - kPartBits);
    }
};

/// How long things took. Written by one thread, read by any through HistogramSum. 1.7 KB.
class Histogram {
public:
    /// Notes that `n` things took `took` each; negative counts as zero.
    void record(Duration took, std::uint64_t n = 1) noexcept {
        if (n == 0) return;
        const auto ns = static_cast<std::uint64_t>(std::max<Duration::rep>(took.count(), 0));
        buckets_[HistogramBuckets::index_of(ns)].add(n);
        sum_ns_.add(ns * n);
        if (ns < min_ns_.load(std::memory_order_relaxed)) min_ns_.store(ns, std::memory_order_relaxed);
        if (ns > max_ns_.value()) max_ns_.set(ns);
    }

private:
    friend class HistogramSum;
    std::array<Counter, HistogramBuckets::kCount> buckets_;
    Counter sum_ns_;
    Counter max_ns_;
    std::atomic<std::uint64_t> min_ns_{UINT64_MAX};
};

/// What one or several histograms (one per core) showed at the moment of asking; plain values of the reader's own.
class HistogramSum {
public:
    HistogramSum& add(const Histogram& h) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            const std::uint64_t n = h.buckets_[i].value();
            counts_[i] += n;
            count_ += n;
        }
        sum_ns_ += h.sum_ns_.value();
        max_ns_ = std::max(max_ns_, h.max_ns_.value());
        min_ns_ = std::min(min_ns_, h.min_ns_.load(std::memory_order_relaxed));
        return *this;
    }

    HistogramSum& add(const HistogramSum& other) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
        count_ += other.count_;
        sum_ns_ += other.sum_ns_;
        max_ns_ = std::max(max_ns_, other.max_ns_);
        min_ns_ = std::min(min_ns_, other.min_ns_);
        return *this;
    }

    /// Takes away what was there at an earlier asking, so that the quantiles are those of the time between. min() and
    /// max() stay those of the whole time.
    HistogramSum& subtract(const HistogramSum& earlier) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] -= std::min(counts_[i], earlier.counts_[i]);
        count_ -= std::min(count_, earlier.count_);
        sum_ns_ -= std::min(sum_ns_, earlier.sum_ns_);
        return *this;
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t count_in(std::size_t bucket) const noexcept { return counts_[bucket]; }
    [[nodiscard]] Duration sum() const noexcept { return from_ns(sum_ns_); }
    [[nodiscard]] Duration mean() const noexcept { return from_ns(count_ == 0 ? 0 : sum_ns_ / count_); }
    [[nodiscard]] Duration min() const noexcept { return from_ns(min_ns_ == UINT64_MAX ? 0 : min_ns_); }
    [[nodiscard]] Duration max() const noexcept { return from_ns(max_ns_); }

    /// How many took less than `bound`, exactly if it is an edge of a bucket (as every 2^n ns is), else rounded down to
    /// whole buckets: what a Prometheus bucket with this `le` holds.
    [[nodiscard]] std::uint64_t count_below(Duration bound) const noexcept {
        std::uint64_t below = 0;
        for (std::size_t i = 0; i + 1 < counts_.size(); ++i) {
            if (HistogramBuckets::upper_edge_ns(i) >
                static_cast<std::uint64_t>(std::max<Duration::rep>(bound.count(), 0)))
                break;
            below += counts_[i];
        }
        return below;
    }

    /// The time that a share `q` (0 to 1) of all stayed within, estimated inside its bucket (error under 1/8) and never
    /// beyond what min() and max() allow; zero if nothing was recorded.
    [[nodiscard]] Duration quantile(double q) const noexcept {
        if (count_ == 0) return Duration::zero();
        const double wanted = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
        double below = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            const auto here = static_cast<double>(counts_[i]);
            if (counts_[i] != 0 && below + here >= wanted) return within(i, (wanted - below) / here);
            below += here;
        }
        return max();
    }

private:
    [[nodiscard]] static Duration from_ns(std::uint64_t ns) noexcept {
        return Duration{static_cast<Duration::rep>(ns)};
    }
    [[nodiscard]] Duration within(std::size_t bucket, double share) const noexcept {
        if (bucket + 1 == HistogramBuckets::kCount) return max();
        const auto low = static_cast<double>(HistogramBuckets::lower_edge_ns(bucket));
        const auto high = static_cast<double>(HistogramBuckets::upper_edge_ns(bucket));
        const auto ns = static_cast<std::uint64_t>(low + (high - low) * share);
        return std::clamp(from_ns(ns), min(), std::max(min(), max()));
    }

    std::array<std::uint64_t, HistogramBuckets::kCount> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t sum_ns_ = 0;
    std::uint64_t max_ns_ = 0;
    std::uint64_t min_ns_ = UINT64_MAX;
};

}  // namespace spillway::base
