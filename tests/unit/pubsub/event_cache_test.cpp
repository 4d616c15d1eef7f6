// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/event_cache.h"

#include <map>
#include <random>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "base/format.h"

using namespace spillway;
using namespace spillway::pubsub;
using namespace std::chrono_literals;

namespace {

constexpr base::Duration kTtl = 30min;
constexpr base::Instant kStart{std::chrono::hours{5}};

/// Channels under names that are gone after each call: the cache keeps its own.
struct Fixture {
    explicit Fixture(EventCache::Limits limits = {}) : cache(limits, kStart) {}

    void put(const std::string& channel, std::string_view data, base::Instant now = kStart, base::Duration ttl = kTtl) {
        const std::string copy = channel;
        cache.put(channel_key(0, copy), "event", data, now, ttl);
        cache.check_invariants();
    }
    [[nodiscard]] std::string data(const std::string& channel, base::Instant now = kStart) const {
        const auto event = cache.find(channel_key(0, channel), now);
        return event ? std::string(event->data) : "nothing";
    }

    EventCache cache;
};

}  // namespace

TEST_CASE("the last event of a channel is kept, with its name and its time", "[pubsub][event_cache]") {
    Fixture f;
    CHECK(f.data("cache-a") == "nothing");
    f.put("cache-a", "first");
    f.put("cache-b", "other");
    f.put("cache-a", "second, and longer than the first one was");
    CHECK(f.data("cache-a") == "second, and longer than the first one was");
    CHECK(f.data("cache-b") == "other");
    CHECK(f.cache.size() == 2);
    const auto event = f.cache.find(channel_key(0, "cache-a"), kStart);
    CHECK(event->name == "event");
    CHECK(event->expires == kStart + kTtl);
    CHECK_FALSE(f.cache.find(channel_key(1, "cache-a"), kStart));  // another app's
}

TEST_CASE("an event is there until its time is over, to the nanosecond, and its memory goes soon after",
          "[pubsub][event_cache]") {
    Fixture f;
    f.put("cache-a", "data", kStart, 10s);
    CHECK(f.data("cache-a", kStart + 10s - 1ns) == "data");
    CHECK(f.data("cache-a", kStart + 10s) == "nothing");
    f.cache.expire(kStart + 9s);
    CHECK(f.cache.size() == 1);
    f.cache.expire(kStart + 11s);
    CHECK(f.cache.size() == 0);
    CHECK(f.cache.bytes() == 0);
    CHECK(f.cache.evicted() == 0);
    f.cache.check_invariants();
}

TEST_CASE("a new event has a time of its own, longer or shorter", "[pubsub][event_cache]") {
    Fixture f;
    f.put("cache-a", "one", kStart, 10s);
    f.put("cache-a", "two", kStart + 5s, 10s);
    f.cache.expire(kStart + 12s);
    CHECK(f.data("cache-a", kStart + 12s) == "two");
    f.put("cache-a", "three", kStart + 12s, 1s);
    CHECK(f.data("cache-a", kStart + 13s) == "nothing");
    f.cache.expire(kStart + 16s);
    CHECK(f.cache.size() == 0);
}

TEST_CASE("at the limit of events the one published longest ago gives way", "[pubsub][event_cache]") {
    Fixture f({.events_max = 3});
    for (const char* channel : {"a", "b", "c"}) f.put(channel, channel);
    f.put("a", "again");
    f.put("d", "d");
    CHECK(f.data("b") == "nothing");
    CHECK(f.data("a") == "again");
    CHECK(f.data("c") == "c");
    CHECK(f.cache.evicted() == 1);
}

TEST_CASE("at the limit of bytes as many give way as it takes", "[pubsub][event_cache]") {
    Fixture f({.bytes_max = 4000});
    for (int i = 0; i < 8; ++i) f.put(base::concat("cache-", i), std::string(100, 'x'));
    CHECK(f.cache.size() == 8);
    f.put("large", std::string(3500, 'y'));
    CHECK(f.data("large").size() == 3500);
    CHECK(f.cache.bytes() <= 4000);
    // What can never fit takes the place of nothing but its channel's former event, which is not the last any more.
    f.put("large", std::string(5000, 'z'));
    CHECK(f.data("large") == "nothing");
    CHECK(f.cache.size() <= 2);
}

TEST_CASE("the cache agrees with a table over random events and times", "[pubsub][event_cache]") {
    const auto seed = static_cast<std::uint32_t>(GENERATE(range(1, 6)));
    CAPTURE(seed);
    std::mt19937 random(seed);
    struct Kept {
        std::string data;
        base::Instant expires{};
    };
    std::map<std::string, Kept> model;
    Fixture f;
    base::Instant now = kStart;
    for (int step = 0; step < 5'000; ++step) {
        const std::string channel = base::concat("cache-", random() % 40);
        switch (random() % 4) {
            case 0: now += std::chrono::milliseconds(random() % 20'000); break;
            case 1: f.cache.expire(now); break;
            case 2: {
                const base::Duration ttl = std::chrono::milliseconds(1 + random() % 3'000'000);
                const std::string data = base::concat("data ", random());
                f.put(channel, data, now, ttl);
                model[channel] = {data, now + ttl};
                break;
            }
            default: {
                const auto kept = model.find(channel);
                const bool there = kept != model.end() && kept->second.expires > now;
                CHECK(f.data(channel, now) == (there ? kept->second.data : "nothing"));
            }
        }
        f.cache.check_invariants();
    }
    f.cache.expire(now + 1h);
    CHECK(f.cache.size() == 0);
}
