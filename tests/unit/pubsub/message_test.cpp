// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/message.h"

#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "base/bytes.h"
#include "messages.h"
#include "poisoned.h"

using namespace spillway;
using namespace spillway::pubsub;
using spillway::test::Messages;
using spillway::test::MessageSpec;

TEST_CASE("the frames of a message lie one behind the other and do not overlap", "[pubsub][message]") {
    Messages messages;
    Held* held = messages.make({.seq = 5, .bytes = 3, .feed_bytes = 4});
    const auto pusher = held->message->frame(WireForm::pusher);
    const auto feed = held->message->frame(WireForm::feed);
    CHECK(pusher.size() == 3);
    CHECK(feed.size() == 4);
    CHECK(pusher.data() == held->message->storage());
    CHECK(feed.data() == held->message->storage() + 3);
    messages.release(held);
    CHECK(messages.nothing_left());
}

TEST_CASE("a form that was not in use has no bytes", "[pubsub][message]") {
    Messages messages;
    Held* held = messages.make("only this");
    CHECK(base::as_text(held->message->frame(WireForm::pusher)) == "only this");
    CHECK(held->message->frame(WireForm::feed).empty());
    messages.release(held);
}

TEST_CASE("R7 whoever reads a hold that was released is caught", "[pubsub][message][hardening]") {
    if (!test::kFreedIsFilled) SKIP("release builds do not fill freed memory");
    Messages messages;
    Held* held = messages.make("once");
    const void* message = &held->message;
    messages.release(held);
    CHECK(test::read_is_caught(message, 0));
    Held* again = messages.make("twice");
    REQUIRE(again == held);
    CHECK(base::as_text(again->message->frame(WireForm::pusher)) == "twice");
    messages.release(again);
}

TEST_CASE("C4 a message excludes one client, and nobody who has its id from another run", "[pubsub][message]") {
    Messages messages;
    Held* held = messages.make({.seq = 1, .exclude = 7});
    held->message->exclude_nonce = 1000;
    CHECK(held->message->excludes(7, 1000));
    CHECK_FALSE(held->message->excludes(7, 1001));
    CHECK_FALSE(held->message->excludes(8, 1000));
    held->message->exclude = 0;
    held->message->exclude_nonce = 0;
    CHECK_FALSE(held->message->excludes(0, 0));
    messages.release(held);
}

TEST_CASE("R7 R9 however many clients refer to a message, its core holds it once", "[pubsub][message]") {
    Messages messages;
    Held* held = messages.make(MessageSpec{});
    Message* message = held->message;
    for (int client = 0; client < 10'000; ++client) Holds::retain(held);
    CHECK(held->refs == 10'001);
    CHECK(message->holders.load() == 1);
    for (int client = 0; client < 10'000; ++client) messages.release(held);
    CHECK(messages.holds.in_use() == 1);
    CHECK(messages.pool.blocks_live() == 1);
    messages.release(held);
    CHECK(messages.nothing_left());
}

TEST_CASE("the last reference of a core lets go that core's count only", "[pubsub][message]") {
    Messages messages;
    Held* held = messages.make(MessageSpec{});
    Message* message = held->message;
    BlockPool::retain(message);  // for another core
    messages.release(held);
    CHECK(messages.holds.in_use() == 0);
    CHECK(messages.pool.blocks_live() == 1);
    CHECK(message->holders.load() == 1);

    BlockPool other_pool(1, 2);
    Holds other(other_pool);
    Held* there = other.take(message);
    CHECK(there->refs == 1);
    other.release(there);
    messages.pool.accept_returns(other_pool.take_returns(0));
    CHECK(messages.nothing_left());
}

TEST_CASE("H3 holds are used again before new ones are made", "[pubsub][message]") {
    Messages messages;
    const auto take_many = [&](std::size_t n) {
        std::vector<Held*> taken;
        for (std::size_t i = 0; i < n; ++i) taken.push_back(messages.make({.seq = i}));
        CHECK(messages.holds.in_use() == n);
        return taken;
    };
    const auto sorted = [](std::vector<Held*> v) {
        std::ranges::sort(v);
        return v;
    };
    const auto first = take_many(600);  // more than one chunk
    const auto places = sorted(first);
    CHECK(std::ranges::adjacent_find(places) == places.end());
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i]->message->seq == i);
    for (Held* held : first) messages.release(held);
    CHECK(messages.nothing_left());

    const auto second = take_many(600);
    CHECK(sorted(first) == sorted(second));
    for (Held* held : second) {
        CHECK(held->refs == 1);
        messages.release(held);
    }
    CHECK(messages.nothing_left());
}
