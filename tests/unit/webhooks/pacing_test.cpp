// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/pacing.h"

#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace spillway::webhooks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = Pacing::Verdict;

base::Instant at(int ms) { return base::Instant{} + seconds{1000} + milliseconds{ms}; }

std::unique_ptr<Notice> count_of(std::string channel, std::uint32_t count) {
    auto notice = std::make_unique<Notice>();
    notice->what = WebhookEvent::subscription_count;
    notice->channel = std::move(channel);
    notice->count = count;
    return notice;
}

Verdict take(Pacing& pacing, std::unique_ptr<Notice> notice, int ms) { return pacing.take(notice, at(ms)); }

std::vector<std::uint32_t> released(Pacing& pacing, int ms) {
    std::vector<std::uint32_t> all;
    while (auto notice = pacing.release(at(ms))) all.push_back(notice->count);
    return all;
}

TEST_CASE("a large channel's count is told every five seconds, the newest each time", "[webhooks]") {
    Pacing pacing(seconds{5}, 100, Pacing::TooSoon::keep_last);
    CHECK(take(pacing, count_of("a", 101), 0) == Verdict::passes);
    CHECK(take(pacing, count_of("b", 500), 0) == Verdict::passes);
    CHECK(take(pacing, count_of("a", 102), 1) == Verdict::waits);
    CHECK(take(pacing, count_of("a", 103), 4999) == Verdict::merges);
    CHECK(released(pacing, 4999).empty());
    CHECK(pacing.due() == at(5000));
    CHECK(released(pacing, 5000) == std::vector<std::uint32_t>{103});
    CHECK(take(pacing, count_of("a", 104), 5001) == Verdict::waits);
    CHECK(take(pacing, count_of("b", 501), 5001) == Verdict::passes);
    CHECK(released(pacing, 9999).empty());
    CHECK(released(pacing, 10'000) == std::vector<std::uint32_t>{104});
    CHECK(released(pacing, 20'000).empty());
    CHECK(pacing.size() == 0);
    CHECK_FALSE(pacing.due());
}

TEST_CASE("a count told at once makes the one that waits superfluous", "[webhooks]") {
    Pacing pacing(seconds{5}, 100, Pacing::TooSoon::keep_last);
    CHECK(take(pacing, count_of("a", 101), 0) == Verdict::passes);
    CHECK(take(pacing, count_of("a", 102), 1) == Verdict::waits);
    CHECK(pacing.supersede(*count_of("a", 99)));
    CHECK_FALSE(pacing.supersede(*count_of("a", 98)));
    CHECK_FALSE(pacing.supersede(*count_of("c", 98)));
    CHECK(released(pacing, 10'000).empty());
}

TEST_CASE("misses of one cache channel that come together are one", "[webhooks]") {
    Pacing pacing(seconds{1}, 2, Pacing::TooSoon::forget);
    CHECK(take(pacing, count_of("a", 0), 0) == Verdict::passes);
    CHECK(take(pacing, count_of("a", 0), 999) == Verdict::merges);
    CHECK(take(pacing, count_of("b", 0), 999) == Verdict::passes);
    CHECK(released(pacing, 1000).empty());
    CHECK(take(pacing, count_of("a", 0), 1000) == Verdict::passes);
    SECTION("over the bound, channels are not paced") {
        CHECK(take(pacing, count_of("c", 0), 1000) == Verdict::passes);
        CHECK(take(pacing, count_of("c", 0), 1000) == Verdict::passes);
        CHECK(pacing.size() == 2);
    }
    SECTION("at the end nothing waits") {
        pacing.end_waiting();
        CHECK(released(pacing, 1000).empty());
        CHECK(pacing.size() == 0);
        CHECK(take(pacing, count_of("a", 0), 1000) == Verdict::passes);
        CHECK(take(pacing, count_of("a", 0), 1000) == Verdict::passes);
    }
}

}  // namespace
}  // namespace spillway::webhooks
