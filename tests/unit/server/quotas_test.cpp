// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/quotas.h"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using namespace spillway::server;

namespace {

constexpr std::size_t kThreads = 8;

/// Runs f(thread) on all threads at once.
template <class F>
void at_once(F&& f) {
    std::atomic<std::size_t> ready{0};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            ++ready;
            while (ready.load() != kThreads) std::this_thread::yield();
            f(t);
        });
    }
    for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("a quota admits up to its limit and again after a leave", "[server][quotas]") {
    Quota quota;
    CHECK(quota.enter(2));
    CHECK(quota.enter(2));
    CHECK_FALSE(quota.enter(2));
    CHECK(quota.count() == 2);
    quota.leave();
    CHECK(quota.enter(2));
    CHECK_FALSE(quota.enter(2));
}

TEST_CASE("a limit that was lowered admits nobody until enough have left", "[server][quotas]") {
    Quota quota;
    for (int i = 0; i < 5; ++i) CHECK(quota.enter(10));
    CHECK_FALSE(quota.enter(3));
    quota.leave();
    quota.leave();
    CHECK_FALSE(quota.enter(3));
    quota.leave();
    CHECK(quota.enter(3));
}

TEST_CASE("limit 0 admits everybody and counts them", "[server][quotas]") {
    Quota quota;
    for (int i = 0; i < 1000; ++i) CHECK(quota.enter(0));
    CHECK(quota.count() == 1000);
}

TEST_CASE("C6 R8 a limit of N admits exactly N, whoever asks at the same time", "[server][quotas][threads]") {
    constexpr std::uint64_t kLimit = 3'000'000;  // long enough that the threads meet
    for (int round = 0; round < 4; ++round) {
        Quota quota;
        std::vector<std::uint64_t> admitted(kThreads);
        at_once([&](std::size_t t) {
            std::uint64_t n = 0;
            while (quota.enter(kLimit)) ++n;
            admitted[t] = n;
        });
        std::uint64_t sum = 0;
        for (const std::uint64_t n : admitted) sum += n;
        CHECK(sum == kLimit);
        CHECK(quota.count() == kLimit);
    }
}

TEST_CASE("C6 R8 C10 comings and goings never exceed the limit nor lose a place", "[server][quotas][threads]") {
    constexpr std::uint64_t kLimit = 5;
    Quotas quotas(2);
    std::atomic<std::uint64_t> inside{0};
    std::atomic<bool> exceeded{false};
    at_once([&](std::size_t) {
        for (int i = 0; i < 50'000; ++i) {
            if (!quotas.per_app[1].enter(kLimit)) continue;
            if (inside.fetch_add(1) >= kLimit) exceeded = true;
            if (i % 64 == 0) std::this_thread::yield();  // rarely: on a busy machine each is a time slice of the others
            inside.fetch_sub(1);
            quotas.per_app[1].leave();
        }
    });
    CHECK_FALSE(exceeded);
    CHECK(quotas.per_app[1].count() == 0);
    CHECK(quotas.per_app[0].count() == 0);
    CHECK(quotas.clients.count() == 0);
    for (std::uint64_t i = 0; i < kLimit; ++i) CHECK(quotas.per_app[1].enter(kLimit));
    CHECK_FALSE(quotas.per_app[1].enter(kLimit));
}

TEST_CASE("counts of apps stay where they are when there are more apps", "[server][quotas][reload]") {
    Quotas quotas(1);
    REQUIRE(quotas.per_app[0].enter(0));
    const Quota* const before = &quotas.per_app[0];
    quotas.per_app.grow(65'535);
    CHECK(&quotas.per_app[0] == before);
    CHECK(quotas.per_app[0].count() == 1);
    CHECK(quotas.per_app[65'534].count() == 0);
    quotas.per_app.grow(1);
    CHECK(quotas.per_app[65'534].enter(1));
}

TEST_CASE("a rate admits exactly so many in a second, whoever asks at the same time") {
    constexpr std::uint64_t kRate = 1000;
    const base::Instant start{std::chrono::seconds{5}};
    RateQuota rate;
    std::atomic<std::uint64_t> granted{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int n = 0; n < 2000; ++n) granted += rate.take(start, kRate, 1) ? 1 : 0;
        });
    for (auto& thread : threads) thread.join();
    CHECK(granted == kRate);
    CHECK_FALSE(rate.take(start + std::chrono::microseconds{900}, kRate, 1));
    CHECK(rate.take(start + std::chrono::milliseconds{1}, kRate, 1));
    CHECK_FALSE(rate.take(start + std::chrono::milliseconds{1}, kRate, 1));
    CHECK(rate.take(start + std::chrono::seconds{9}, kRate, kRate));
    CHECK_FALSE(rate.take(start + std::chrono::seconds{9}, kRate, 1));
}

TEST_CASE("a rate of none admits everything, and a cost above the rate is never admitted") {
    RateQuota rate;
    const base::Instant now{std::chrono::seconds{5}};
    for (int i = 0; i < 1000; ++i) CHECK(rate.take(now, 0, 10));
    CHECK_FALSE(rate.take(now, 5, 6));
    CHECK(rate.take(now, 5, 5));
    rate.give_back(5, 2);
    CHECK(rate.take(now, 5, 2));
    CHECK_FALSE(rate.take(now, 5, 1));
}
