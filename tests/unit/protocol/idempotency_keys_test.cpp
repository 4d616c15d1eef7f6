// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/idempotency_keys.h"

#include <map>
#include <random>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "base/format.h"

namespace spillway::protocol {
namespace {

using Keys = IdempotencyKeys;
using Verdict = Keys::Verdict;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr base::Instant kStart{seconds{1000}};
constexpr Keys::Caller kFirst{0, 1};
constexpr Keys::Caller kSecond{1, 2};
constexpr Keys::Caller kThird{2, 3};

}  // namespace

TEST_CASE("the first with a key publishes, later ones get its answer") {
    Keys keys({});
    const auto first = keys.claim(0, "k", "body", kFirst, kStart);
    REQUIRE(first.verdict == Verdict::go);
    CHECK(keys.settle(first.ticket, "{}", kStart).empty());
    const auto again = keys.claim(0, "k", "body", kSecond, kStart);
    CHECK(again.verdict == Verdict::same);
    CHECK(again.answer == "{}");
    CHECK(keys.claim(0, "k", "other", kSecond, kStart).verdict == Verdict::conflict);
    CHECK(keys.claim(1, "k", "other", kSecond, kStart).verdict == Verdict::go);  // another app
}

TEST_CASE("who comes at the same moment waits for the answer") {
    Keys keys({});
    const auto first = keys.claim(0, "k", "body", kFirst, kStart);
    CHECK(keys.claim(0, "k", "body", kSecond, kStart).verdict == Verdict::wait);
    CHECK(keys.claim(0, "k", "other", kSecond, kStart).verdict == Verdict::conflict);
    CHECK(keys.claim(0, "k", "body", kThird, kStart).verdict == Verdict::wait);
    CHECK(keys.settle(first.ticket, "{}", kStart) == std::vector{kSecond, kThird});
    CHECK(keys.pending() == 0);
}

TEST_CASE("what failed is not remembered, and who waits takes over") {
    Keys keys({});
    const auto first = keys.claim(0, "k", "body", kFirst, kStart);
    CHECK(keys.claim(0, "k", "body", kSecond, kStart).verdict == Verdict::wait);
    Keys::Caller next;
    REQUIRE(keys.fail(first.ticket, next));
    CHECK(next == kSecond);
    REQUIRE_FALSE(keys.fail(first.ticket, next));
    CHECK(keys.size() == 0);
    CHECK(keys.claim(0, "k", "other", kThird, kStart).verdict == Verdict::go);
}

TEST_CASE("too many who wait for one key are refused") {
    Keys keys({});
    static_cast<void>(keys.claim(0, "k", "body", kFirst, kStart));
    for (std::size_t i = 0; i < kIdempotencyWaitersMax; ++i)
        REQUIRE(keys.claim(0, "k", "body", kSecond, kStart).verdict == Verdict::wait);
    CHECK(keys.claim(0, "k", "body", kSecond, kStart).verdict == Verdict::full);
}

TEST_CASE("answers are remembered for their time, exactly") {
    Keys keys({});
    static_cast<void>(keys.settle(keys.claim(0, "k", "body", kFirst, kStart).ticket, "{}", kStart));
    CHECK(keys.claim(0, "k", "body", kFirst, kStart + kIdempotencyTime - seconds{1}).verdict == Verdict::same);
    CHECK(keys.claim(0, "k", "body", kFirst, kStart + kIdempotencyTime).verdict == Verdict::go);
}

TEST_CASE("keys and bytes are bounded; the one answered longest ago goes first") {
    Keys keys({3, 1 << 20});
    const auto publish = [&](const std::string& key, const std::string& answer) {
        static_cast<void>(keys.settle(keys.claim(0, key, "body", kFirst, kStart).ticket, answer, kStart));
    };
    for (const char* key : {"a", "b", "c", "d"}) publish(key, "{}");
    CHECK(keys.size() == 3);
    CHECK(keys.evicted() == 1);
    CHECK(keys.claim(0, "d", "body", kFirst, kStart).verdict == Verdict::same);
    CHECK(keys.claim(0, "b", "body", kFirst, kStart).verdict == Verdict::same);
    CHECK(keys.claim(0, "a", "body", kFirst, kStart).verdict == Verdict::go);

    Keys narrow({100, 2000});
    static_cast<void>(
        narrow.settle(narrow.claim(0, "k", "body", kFirst, kStart).ticket, std::string(5000, 'x'), kStart));
    CHECK(narrow.size() == 0);
    CHECK(narrow.bytes() == 0);
}

TEST_CASE("whatever happens, a key is published once until it is forgotten") {
    std::mt19937 dice(7);
    Keys keys({1000, 1 << 20});
    std::map<std::string, int> published;
    std::map<std::uint64_t, std::string> under_way;
    for (int i = 0; i < 20'000; ++i) {
        if (dice() % 2 == 0 || under_way.empty()) {
            const std::string key = base::concat("k", dice() % 300);
            const auto claim = keys.claim(0, key, "body", kFirst, kStart);
            if (claim.verdict == Verdict::go) REQUIRE(under_way.emplace(claim.ticket, key).second);
            if (claim.verdict == Verdict::same) REQUIRE(published[key] == 1);
        } else {
            const auto one = std::next(under_way.begin(), static_cast<std::ptrdiff_t>(dice() % under_way.size()));
            if (dice() % 3 == 0) {
                Keys::Caller next;
                if (!keys.fail(one->first, next)) under_way.erase(one);
            } else {
                REQUIRE(++published[one->second] == 1);
                static_cast<void>(keys.settle(one->first, "{}", kStart));
                under_way.erase(one);
            }
        }
        REQUIRE(keys.pending() == under_way.size());
    }
}

}  // namespace spillway::protocol
