// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "load/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using spillway::load::Histogram;

namespace {

constexpr double kShares[] = {0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999};

double exact_ms(const std::vector<std::int64_t>& sorted, double share) {
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return static_cast<double>(sorted[std::min(rank, sorted.size() - 1)]) / 1e6;
}

}  // namespace

TEST_CASE("percentiles are those of a sorted list, at most one bucket of 1/32 above") {
    std::mt19937_64 random(7);
    for (const double spread : {1e2, 1e4, 1e6, 1e9, 1e12}) {
        std::uniform_real_distribution<double> log_value(0, std::log(spread));
        const auto histogram = std::make_unique<Histogram>();
        std::vector<std::int64_t> values(10'000);
        for (std::int64_t& value : values)
            histogram->add(value = static_cast<std::int64_t>(std::exp(log_value(random))));
        std::sort(values.begin(), values.end());
        for (const double share : kShares) {
            const double exact = exact_ms(values, share);
            CHECK(histogram->percentile_ms(share) >= exact);
            CHECK(histogram->percentile_ms(share) <= exact * (1 + 1.0 / 32) + 1e-9);
        }
        CHECK(histogram->max_ms() == static_cast<double>(values.back()) / 1e6);
        CHECK(histogram->percentile_ms(1) == histogram->max_ms());
    }
}

TEST_CASE("values under zero count as zero, values beyond two hours as the last bucket, none is lost") {
    Histogram histogram;
    histogram.add(-5);
    histogram.add(std::int64_t{1} << 60);
    CHECK(histogram.count() == 2);
    CHECK(histogram.percentile_ms(0) == 0);
    CHECK(histogram.percentile_ms(0.5) >= 7'200'000);
}

TEST_CASE("an empty histogram has percentiles of zero") {
    const Histogram histogram;
    CHECK(histogram.percentile_ms(0.99) == 0);
    CHECK(histogram.max_ms() == 0);
}

TEST_CASE("histograms add up to the histogram of all values") {
    Histogram all, odd, even;
    for (std::int64_t value = 1; value < 100'000; value += 7) {
        all.add(value);
        (value % 2 == 0 ? even : odd).add(value);
    }
    odd.add(even);
    CHECK(odd.count() == all.count());
    for (const double share : kShares) CHECK(odd.percentile_ms(share) == all.percentile_ms(share));
}

TEST_CASE("what never came is later than everything that did") {
    Histogram histogram;
    for (int i = 0; i < 990; ++i) histogram.add(1'000'000);
    CHECK(std::isfinite(histogram.percentile_ms(0.98, 1000)));
    CHECK(std::isinf(histogram.percentile_ms(0.99, 1000)));
    CHECK(std::isinf(histogram.percentile_ms(0.5, 5000)));
    CHECK(histogram.percentile_ms(0.99, 990) == histogram.percentile_ms(0.99));
    CHECK(std::isinf(Histogram().percentile_ms(0.5, 1)));
}
