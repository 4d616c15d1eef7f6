// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/return_window.h"

#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace spillway::webhooks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = ReturnWindow::Verdict;

base::Instant at(int ms) { return base::Instant{} + seconds{1000} + milliseconds{ms}; }

std::unique_ptr<Notice> about(WebhookEvent what, std::string channel, std::string user = {}, AppIndex app = 0) {
    auto notice = std::make_unique<Notice>();
    notice->what = what;
    notice->app = app;
    notice->channel = std::move(channel);
    notice->user_id = std::move(user);
    return notice;
}

Verdict take(ReturnWindow& window, std::unique_ptr<Notice> notice, int ms) { return window.take(notice, at(ms)); }

std::vector<std::string> released(ReturnWindow& window, int ms) {
    std::vector<std::string> all;
    while (auto notice = window.release(at(ms))) all.push_back(notice->channel + notice->user_id);
    return all;
}

TEST_CASE("no webhook is fired on a page reload: who returns within three seconds was never gone", "[webhooks]") {
    ReturnWindow window(seconds{3}, 100);
    CHECK(take(window, about(WebhookEvent::channel_occupied, "a"), 0) == Verdict::passes);
    CHECK(take(window, about(WebhookEvent::channel_vacated, "a"), 100) == Verdict::waits);
    CHECK(take(window, about(WebhookEvent::member_removed, "presence-a", "7"), 100) == Verdict::waits);
    CHECK(released(window, 3099).empty());
    CHECK(take(window, about(WebhookEvent::channel_occupied, "a"), 3099) == Verdict::returns);
    CHECK(take(window, about(WebhookEvent::member_added, "presence-a", "7"), 3099) == Verdict::returns);
    CHECK(released(window, 100'000).empty());
    CHECK(window.size() == 0);
    CHECK_FALSE(window.due());
    // A second time round it counts from the second departure.
    CHECK(take(window, about(WebhookEvent::channel_vacated, "a"), 5000) == Verdict::waits);
    CHECK(window.due() == at(8000));
    CHECK(released(window, 7999).empty());
    CHECK(released(window, 8000) == std::vector<std::string>{"a"});
    CHECK(take(window, about(WebhookEvent::channel_occupied, "a"), 8001) == Verdict::passes);
}

TEST_CASE("departures go out in the order in which they came, those of returners left out", "[webhooks]") {
    ReturnWindow window(seconds{3}, 100);
    for (const char* user : {"1", "2", "3", "4"})
        CHECK(take(window, about(WebhookEvent::member_removed, "presence-a", user), 0) == Verdict::waits);
    CHECK(take(window, about(WebhookEvent::channel_vacated, "presence-a"), 0) == Verdict::waits);
    CHECK(take(window, about(WebhookEvent::member_added, "presence-a", "1"), 1) == Verdict::returns);
    CHECK(take(window, about(WebhookEvent::member_added, "presence-a", "3"), 1) == Verdict::returns);
    CHECK(take(window, about(WebhookEvent::member_added, "presence-a", "9"), 1) == Verdict::passes);
    CHECK(released(window, 3000) == std::vector<std::string>{"presence-a2", "presence-a4", "presence-a"});
}

TEST_CASE("a return is of the same user, channel and app", "[webhooks]") {
    ReturnWindow window(seconds{3}, 100);
    CHECK(take(window, about(WebhookEvent::member_removed, "presence-a", "7", 1), 0) == Verdict::waits);
    CHECK(take(window, about(WebhookEvent::member_added, "presence-a", "7", 2), 1) == Verdict::passes);
    CHECK(take(window, about(WebhookEvent::member_added, "presence-b", "7", 1), 1) == Verdict::passes);
    CHECK(take(window, about(WebhookEvent::channel_occupied, "presence-a", "", 1), 1) == Verdict::passes);
    CHECK(window.size() == 1);
}

TEST_CASE("more departures than may wait go out early, the oldest first", "[webhooks]") {
    ReturnWindow window(seconds{3}, 2);
    for (const char* channel : {"a", "b", "c"})
        CHECK(take(window, about(WebhookEvent::channel_vacated, channel), 0) == Verdict::waits);
    CHECK(window.due() <= at(0));
    CHECK(released(window, 0) == std::vector<std::string>{"a"});
    CHECK(window.size() == 2);
}

TEST_CASE("at the end of the server nobody is waited for", "[webhooks]") {
    ReturnWindow window(seconds{3}, 100);
    CHECK(take(window, about(WebhookEvent::channel_vacated, "a"), 0) == Verdict::waits);
    window.end_waiting();
    CHECK(released(window, 0) == std::vector<std::string>{"a"});
    CHECK(take(window, about(WebhookEvent::channel_vacated, "b"), 1) == Verdict::passes);
}

TEST_CASE("a departure told twice waits once", "[webhooks]") {
    ReturnWindow window(seconds{3}, 100);
    CHECK(take(window, about(WebhookEvent::channel_vacated, "a"), 0) == Verdict::waits);
    CHECK(take(window, about(WebhookEvent::channel_vacated, "a"), 1) == Verdict::returns);
    CHECK(released(window, 3000) == std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace spillway::webhooks
