// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/counter.h"

#include <random>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::base;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST_CASE("a counter read by another thread only ever grows", "[base][counter]") {
    constexpr std::uint64_t kTotal = 200'000;
    Counter counter;
    std::thread writer([&] {
        for (std::uint64_t i = 0; i < kTotal; ++i) counter.add();
    });
    std::uint64_t last = 0;
    bool grew_only = true;
    while (last < kTotal) {
        const std::uint64_t now = counter.value();
        grew_only = grew_only && now >= last;
        last = now;
        std::this_thread::yield();
    }
    writer.join();
    CHECK(grew_only);
    CHECK(counter.value() == kTotal);
}

TEST_CASE("a gauge goes below zero and back", "[base][counter]") {
    Gauge gauge;
    gauge.subtract(3);
    CHECK(gauge.value() == -3);
    gauge.add(5);
    CHECK(gauge.value() == 2);
    gauge.set(-7);
    CHECK(gauge.value() == -7);
}

TEST_CASE("histogram buckets meet without gap or overlap", "[base][counter]") {
    using B = HistogramBuckets;
    for (std::size_t i = 0; i + 1 < B::kCount; ++i) {
        const std::uint64_t low = B::lower_edge_ns(i);
        const std::uint64_t high = B::upper_edge_ns(i);
        REQUIRE(low < high);
        REQUIRE(B::index_of(low) == i);
        REQUIRE(B::index_of(high - 1) == i);
        REQUIRE(B::index_of(high) == i + 1);
        if (i > 0) REQUIRE((high - low) * 8 <= low);
    }
    CHECK(B::lower_edge_ns(1) == 1024);
    CHECK(B::lower_edge_ns(B::kCount - 1) == std::uint64_t{1} << 36);
    CHECK(B::index_of(UINT64_MAX) == B::kCount - 1);
}

TEST_CASE("an empty histogram answers zero to everything", "[base][counter]") {
    HistogramSum sum;
    sum.add(Histogram{});
    CHECK(sum.count() == 0);
    CHECK(sum.quantile(0.99) == Duration::zero());
    CHECK(sum.mean() == Duration::zero());
    CHECK(sum.min() == Duration::zero());
    CHECK(sum.max() == Duration::zero());
}

TEST_CASE("quantiles stay within an eighth of the exact ones", "[base][counter]") {
    std::mt19937_64 random(7);
    std::lognormal_distribution<double> spread(13.0, 2.0);  // around 0.4 ms
    Histogram histogram;
    std::vector<std::int64_t> exact;
    for (int i = 0; i < 20'000; ++i) {
        const auto ns = static_cast<std::int64_t>(spread(random)) + 1'024;
        exact.push_back(ns);
        histogram.record(nanoseconds{ns});
    }
    std::sort(exact.begin(), exact.end());
    HistogramSum sum;
    sum.add(histogram);
    for (const double q : {0.01, 0.5, 0.95, 0.99, 0.999}) {
        const auto real = static_cast<double>(exact[static_cast<std::size_t>(q * 20'000) - 1]);
        const auto told = static_cast<double>(sum.quantile(q).count());
        CHECK(told > real * 0.875);
        CHECK(told < real * 1.125);
    }
    CHECK(sum.min().count() == exact.front());
    CHECK(sum.max().count() == exact.back());
    CHECK(sum.quantile(1.0) == sum.max());
    CHECK(sum.count() == 20'000);
}

TEST_CASE("a single value is every quantile", "[base][counter]") {
    Histogram histogram;
    histogram.record(milliseconds{5}, 10);
    HistogramSum sum;
    sum.add(histogram);
    for (const double q : {0.0, 0.5, 1.0}) CHECK(sum.quantile(q) == milliseconds{5});
    CHECK(sum.mean() == milliseconds{5});
    CHECK(sum.sum() == milliseconds{50});
}

TEST_CASE("values beyond the last bucket are kept in it and known by the maximum", "[base][counter]") {
    Histogram histogram;
    histogram.record(seconds{1000});
    histogram.record(seconds{-1});
    HistogramSum sum;
    sum.add(histogram);
    CHECK(sum.count() == 2);
    CHECK(sum.quantile(1.0) == seconds{1000});
    CHECK(sum.min() == Duration::zero());
}

TEST_CASE("histograms of several cores merge, and an earlier reading can be taken away", "[base][counter]") {
    Histogram one;
    Histogram two;
    one.record(milliseconds{1}, 3);
    two.record(milliseconds{100}, 1);
    HistogramSum before;
    before.add(one).add(two);
    CHECK(before.count() == 4);
    CHECK(before.sum() == milliseconds{103});
    two.record(milliseconds{10}, 5);
    HistogramSum after;
    after.add(one).add(two).subtract(before);
    CHECK(after.count() == 5);
    CHECK(after.sum() == milliseconds{50});
    CHECK(after.quantile(0.5) > milliseconds{8});
    CHECK(after.quantile(0.5) < milliseconds{12});
}

TEST_CASE("count_below is exact at powers of two", "[base][counter]") {
    Histogram histogram;
    histogram.record(nanoseconds{1023});
    histogram.record(nanoseconds{1024});
    histogram.record(nanoseconds{4095});
    histogram.record(nanoseconds{4096});
    HistogramSum sum;
    sum.add(histogram);
    CHECK(sum.count_below(nanoseconds{1024}) == 1);
    CHECK(sum.count_below(nanoseconds{4096}) == 3);
    CHECK(sum.count_below(nanoseconds{8192}) == 4);
    CHECK(sum.count_below(nanoseconds{0}) == 0);
}
