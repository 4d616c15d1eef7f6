// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/notice_rings.h"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace spillway::server {
namespace {

std::unique_ptr<webhooks::Notice> about(std::string channel) {
    auto notice = std::make_unique<webhooks::Notice>();
    notice->channel = std::move(channel);
    return notice;
}

std::vector<std::string> drained(NoticeRings& rings) {
    std::vector<std::string> channels;
    rings.drain([&](std::unique_ptr<webhooks::Notice> notice) { channels.push_back(notice->channel); });
    return channels;
}

TEST_CASE("notices of a core arrive in the core's order", "[server][webhooks]") {
    NoticeRings rings(2, 8);
    for (const char* name : {"a", "b"}) {
        auto notice = about(name);
        REQUIRE(rings.push(1, notice));
        CHECK(notice == nullptr);
    }
    auto other = about("c");
    REQUIRE(rings.push(0, other));
    CHECK(drained(rings) == std::vector<std::string>{"c", "a", "b"});
    CHECK(drained(rings).empty());
}

TEST_CASE("a core never waits for webhooks: a full ring refuses, and the notice stays the caller's",
          "[server][webhooks]") {
    NoticeRings rings(1, 2);
    for (int i = 0; i < 2; ++i) {
        auto notice = about("kept");
        REQUIRE(rings.push(0, notice));
    }
    auto late = about("late");
    CHECK_FALSE(rings.push(0, late));
    REQUIRE(late != nullptr);
    CHECK(late->channel == "late");
    CHECK(drained(rings).size() == 2);
    CHECK(rings.push(0, late));  // what is left in the ring is freed with it
}

TEST_CASE("the reader of notices is woken once per sleep and does not sleep on something", "[server][webhooks]") {
    NoticeRings rings(1, 2);
    int wakes = 0;
    rings.set_waker([&] { ++wakes; });
    rings.flush();
    CHECK(wakes == 0);
    REQUIRE(rings.may_sleep());
    auto notice = about("a");
    REQUIRE(rings.push(0, notice));
    rings.flush();
    rings.flush();
    CHECK(wakes == 1);
    CHECK_FALSE(rings.may_sleep());
    CHECK(drained(rings).size() == 1);
    CHECK(rings.may_sleep());
}

TEST_CASE("a set of events holds the opposites of those that wait for a return", "[webhooks]") {
    WebhookEvents wanted;
    CHECK(wanted.empty());
    wanted.add(WebhookEvent::channel_vacated);
    wanted.add(WebhookEvent::client_event);
    const WebhookEvents needed = wanted.with_opposites();
    CHECK(needed.has(WebhookEvent::channel_occupied));
    CHECK(needed.has(WebhookEvent::client_event));
    CHECK_FALSE(needed.has(WebhookEvent::member_added));
    CHECK_FALSE(wanted.has(WebhookEvent::channel_occupied));
    CHECK(WebhookEvents::all().with_opposites() == WebhookEvents::all());
}

}  // namespace
}  // namespace spillway::server
