// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/delivery.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "seeded.h"

namespace spillway::webhooks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SharedNotice event(std::string channel, std::string name) {
    auto notice = std::make_shared<Notice>();
    notice->what = WebhookEvent::client_event;
    notice->channel = std::move(channel);
    notice->event = std::move(name);
    notice->data_json = "1";
    return notice;
}
SharedNotice simple(WebhookEvent what, std::string channel, std::uint32_t count = 0) {
    auto notice = std::make_shared<Notice>();
    notice->what = what;
    notice->channel = std::move(channel);
    notice->count = count;
    return notice;
}

/// A queue with a clock of its own and a receiver that is told what to answer.
struct Rig {
    explicit Rig(Delivery::Limits limits = {}) : delivery(timing, limits, tally) {}

    void push(std::string channel, std::string name) {
        delivery.push(event(std::move(channel), std::move(name)), now);
        delivery.check_invariants();
    }
    std::unique_ptr<Delivery::Post> next() {
        auto post = delivery.next(now);
        delivery.check_invariants();
        return post;
    }
    void ok(std::unique_ptr<Delivery::Post> post) {
        delivery.delivered(std::move(post), now);
        delivery.check_invariants();
    }
    void fail(std::unique_ptr<Delivery::Post> post) {
        delivery.failed(std::move(post), now, 0);
        delivery.check_invariants();
    }
    /// The names in a body, in order.
    std::string names(Delivery::Post& post) {
        const std::string& body = post.body(timing, now, unix_ms());
        std::string all;
        for (std::size_t at = 0; (at = body.find("\"event\":\"", at)) != std::string::npos;) {
            at += 9;
            all += body.substr(at, body.find('"', at) - at) + " ";
        }
        return all;
    }
    std::int64_t unix_ms() const {
        return std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count() + 1'700'000'000'000;
    }

    Timing timing;
    Tally tally;
    base::Instant now = base::Instant{} + seconds{1000};
    Delivery delivery;
};

TEST_CASE("one event per POST unless batching is on", "[webhooks]") {
    Rig rig;
    rig.push("a", "1");
    rig.push("b", "2");
    auto first = rig.next();
    auto second = rig.next();
    REQUIRE((first && second));
    CHECK(rig.names(*first) == "1 ");
    CHECK(rig.names(*second) == "2 ");
    CHECK(rig.next() == nullptr);
    CHECK(rig.delivery.events() == 2);
    rig.ok(std::move(second));
    rig.ok(std::move(first));
    CHECK(rig.delivery.events() == 0);
    CHECK(rig.tally.of(Fate::delivered) == 2);
    CHECK(rig.tally.queued_events.value() == 0);
    CHECK(rig.tally.queued_bytes.value() == 0);
}

TEST_CASE("no webhook overtakes an earlier one of its channel that is being retried; other channels go on",
          "[webhooks]") {
    Rig rig;
    rig.push("a", "1");
    rig.push("a", "2");
    rig.push("b", "3");
    auto a1 = rig.next();
    REQUIRE(a1);
    CHECK(rig.names(*a1) == "1 ");
    rig.fail(std::move(a1));
    auto b3 = rig.next();
    REQUIRE(b3);
    CHECK(rig.names(*b3) == "3 ");
    rig.ok(std::move(b3));
    CHECK(rig.next() == nullptr);
    CHECK(rig.delivery.due() == rig.now + milliseconds{500});
    rig.now += milliseconds{499};
    CHECK(rig.next() == nullptr);
    rig.now += milliseconds{1};
    a1 = rig.next();
    REQUIRE(a1);
    CHECK(rig.names(*a1) == "1 ");
    CHECK(rig.next() == nullptr);
    rig.ok(std::move(a1));
    auto a2 = rig.next();
    REQUIRE(a2);
    CHECK(rig.names(*a2) == "2 ");
    rig.ok(std::move(a2));
}

TEST_CASE("webhooks are retried for five minutes, the last time at the end, then given up and counted", "[webhooks]") {
    Rig rig;
    const base::Instant began = rig.now;
    rig.push("a", "1");
    std::vector<milliseconds> tries;
    while (rig.delivery.events() != 0) {
        const auto due = rig.delivery.due();
        REQUIRE(due);
        rig.now = std::max(rig.now, *due);
        auto post = rig.next();
        REQUIRE(post);
        tries.push_back(std::chrono::duration_cast<milliseconds>(rig.now - began));
        rig.fail(std::move(post));
        REQUIRE(tries.size() < 100);
    }
    // Waits of half of 1, 2, 4, 8, 16, 32, 60, 60 … seconds, as the random number here is 0.
    CHECK(std::vector(tries.begin(), tries.begin() + 8) ==
          std::vector<milliseconds>{milliseconds{0}, milliseconds{500}, milliseconds{1500}, milliseconds{3500},
                                    milliseconds{7500}, milliseconds{15'500}, milliseconds{31'500},
                                    milliseconds{61'500}});
    CHECK(tries.back() == std::chrono::minutes{5});
    CHECK(rig.tally.of(Fate::expired) == 1);
    CHECK(rig.tally.queued_events.value() == 0);
    CHECK_FALSE(rig.delivery.due());
}

TEST_CASE("what waited behind a retry for five minutes is given up with it", "[webhooks]") {
    Rig rig;
    rig.push("a", "1");
    rig.push("a", "2");
    auto post = rig.next();
    rig.now += rig.timing.lifetime;
    rig.push("a", "3");
    rig.fail(std::move(post));
    CHECK(rig.tally.of(Fate::expired) == 1);
    post = rig.next();
    REQUIRE(post);
    CHECK(rig.names(*post) == "3 ");
    CHECK(rig.tally.of(Fate::expired) == 2);
    rig.ok(std::move(post));
}

TEST_CASE("a retried webhook has the same bytes until its time_ms is four minutes old", "[webhooks]") {
    Rig rig;
    rig.push("a", "1");
    auto post = rig.next();
    const std::string first = post->body(rig.timing, rig.now, rig.unix_ms());
    CHECK(first.starts_with(R"({"time_ms":1700001000000,)"));
    rig.now += rig.timing.stamp_good_for - milliseconds{1};
    CHECK(post->body(rig.timing, rig.now, rig.unix_ms()) == first);
    rig.now += milliseconds{1};
    CHECK(post->body(rig.timing, rig.now, rig.unix_ms()).starts_with(R"({"time_ms":1700001240000,)"));
    rig.ok(std::move(post));
}

TEST_CASE("a batch gathers for a short while, or until it is full, in the order of what happened", "[webhooks]") {
    Delivery::Limits limits;
    limits.batch = true;
    limits.batch_events_max = 4;
    Rig rig(limits);
    rig.push("a", "1");
    rig.push("b", "2");
    rig.push("a", "3");
    CHECK(rig.next() == nullptr);
    CHECK(rig.delivery.due() == rig.now + milliseconds{50});
    SECTION("the window ends") {
        rig.now += milliseconds{50};
        auto post = rig.next();
        REQUIRE(post);
        CHECK(rig.names(*post) == "1 2 3 ");
        rig.push("a", "4");
        rig.push("c", "5");
        rig.now += milliseconds{50};
        auto other = rig.next();
        REQUIRE(other);
        CHECK(rig.names(*other) == "5 ");
        rig.fail(std::move(post));
        rig.now += milliseconds{500};
        rig.ok(std::move(other));
        auto again = rig.next();
        REQUIRE(again);
        CHECK(rig.names(*again) == "1 2 3 ");
        rig.ok(std::move(again));
        rig.now += milliseconds{50};
        auto last = rig.next();
        REQUIRE(last);
        CHECK(rig.names(*last) == "4 ");
        rig.ok(std::move(last));
    }
    SECTION("it is full") {
        rig.push("c", "4");
        rig.push("c", "5");
        auto post = rig.next();
        REQUIRE(post);
        CHECK(rig.names(*post) == "1 2 3 4 ");
        rig.ok(std::move(post));
    }
    SECTION("the server ends") {
        rig.delivery.hurry(rig.now);
        auto post = rig.next();
        REQUIRE(post);
        CHECK(rig.names(*post) == "1 2 3 ");
        rig.ok(std::move(post));
    }
}

TEST_CASE("a batch is bounded in bytes, and takes one event however large", "[webhooks]") {
    Delivery::Limits limits;
    limits.batch = true;
    limits.batch_bytes_max = 3 * sizeof(Notice);
    Rig rig(limits);
    rig.push("a", std::string(4 * sizeof(Notice), 'x'));
    rig.push("b", "2");
    rig.push("c", "3");
    rig.now += milliseconds{50};
    auto large = rig.next();
    REQUIRE(large);
    CHECK(large->events() == 1);
    auto small = rig.next();
    REQUIRE(small);
    CHECK(rig.names(*small) == "2 3 ");
    rig.ok(std::move(large));
    rig.ok(std::move(small));
}

TEST_CASE("a full queue of webhooks drops what comes, counted, and keeps what it has", "[webhooks]") {
    Delivery::Limits limits;
    limits.events_max = 2;
    Rig rig(limits);
    for (const char* name : {"1", "2", "3"}) rig.push("a", name);
    CHECK(rig.tally.of(Fate::dropped) == 1);
    CHECK(rig.delivery.events() == 2);
    auto post = rig.next();
    rig.push("a", "4");
    CHECK(rig.tally.of(Fate::dropped) == 2);
    rig.ok(std::move(post));
    rig.push("a", "5");
    for (const char* name : {"2 ", "5 "}) {
        post = rig.next();
        REQUIRE(post);
        CHECK(rig.names(*post) == name);
        rig.ok(std::move(post));
    }
    limits.events_max = 100;
    limits.bytes_max = 10'000;
    Rig narrow(limits);
    narrow.push("a", std::string(9'000, 'x'));
    narrow.push("b", std::string(2'000, 'x'));
    CHECK(narrow.tally.of(Fate::dropped) == 1);
}

TEST_CASE("of misses and counts of a channel that wait, the newest stays", "[webhooks]") {
    Rig rig;
    rig.delivery.push(event("a", "0"), rig.now);
    auto held = rig.next();  // keeps the channel's lane
    for (int i = 0; i < 3; ++i) rig.delivery.push(simple(WebhookEvent::cache_miss, "a"), rig.now);
    for (std::uint32_t i = 5; i < 8; ++i) rig.delivery.push(simple(WebhookEvent::subscription_count, "a", i), rig.now);
    CHECK(rig.delivery.events() == 3);
    CHECK(rig.tally.of(Fate::merged) == 4);
    rig.ok(std::move(held));
    rig.ok(rig.next());
    auto post = rig.next();
    CHECK(post->body(rig.timing, rig.now, 0).find("\"subscription_count\":7") != std::string::npos);
    rig.ok(std::move(post));
}

TEST_CASE("a receiver that fails gets one POST at a time until it is well", "[webhooks]") {
    Delivery::Limits limits;
    limits.posts_max = 3;
    Rig rig(limits);
    for (const char* channel : {"a", "b", "c", "d", "e"}) rig.push(channel, channel);
    auto one = rig.next();
    auto two = rig.next();
    auto three = rig.next();
    REQUIRE(three);
    CHECK(rig.next() == nullptr);
    CHECK_FALSE(rig.delivery.due());
    rig.fail(std::move(one));
    CHECK(rig.delivery.failing());
    CHECK(rig.next() == nullptr);
    rig.fail(std::move(two));
    rig.fail(std::move(three));
    auto probe = rig.next();
    REQUIRE(probe);
    CHECK(rig.next() == nullptr);
    rig.ok(std::move(probe));
    CHECK_FALSE(rig.delivery.failing());
    CHECK(rig.next() != nullptr);
}

TEST_CASE("at the end what waits for a retry is tried at once, and what is left is counted", "[webhooks]") {
    Rig rig;
    rig.push("a", "1");
    rig.push("a", "2");
    rig.fail(rig.next());
    CHECK(rig.next() == nullptr);
    rig.delivery.hurry(rig.now);
    auto post = rig.next();
    REQUIRE(post);
    CHECK(rig.names(*post) == "1 ");
    rig.fail(std::move(post));
    rig.delivery.abandon();
    CHECK(rig.tally.of(Fate::unsent) == 2);
    CHECK(rig.tally.queued_events.value() == 0);
    CHECK(rig.tally.queued_bytes.value() == 0);
}

TEST_CASE("webhooks under random failures: every event in its channel's order, each with one fate", "[webhooks]") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        test::Seeded dice(seed);
        Delivery::Limits limits;
        limits.batch = dice.below(2) == 0;
        limits.batch_events_max = 1 + dice.below(6);
        limits.events_max = 5 + dice.below(60);
        limits.posts_max = 1 + dice.below(4);
        Rig rig(limits);
        std::map<std::string, int> last;
        std::vector<std::unique_ptr<Delivery::Post>> sent;
        std::uint64_t pushed = 0;
        for (int step = 0; step < 3000; ++step) {
            switch (dice.below(4)) {
                case 0: {
                    const std::string channel(1, static_cast<char>('a' + dice.below(6)));
                    rig.push(channel, channel + std::to_string(++pushed));
                    break;
                }
                case 1:
                    if (auto post = rig.next()) sent.push_back(std::move(post));
                    break;
                case 2:
                    if (!sent.empty()) {
                        const std::size_t which = dice.below(sent.size());
                        auto post = std::move(sent[which]);
                        sent.erase(sent.begin() + static_cast<std::ptrdiff_t>(which));
                        if (dice.below(3) == 0) {
                            rig.fail(std::move(post));
                            break;
                        }
                        std::string names = rig.names(*post);
                        for (std::size_t space = 0; (space = names.find(' ')) != std::string::npos;) {
                            const std::string name = names.substr(0, space);
                            names.erase(0, space + 1);
                            int& before = last[name.substr(0, 1)];
                            const int place = std::stoi(name.substr(1));
                            REQUIRE(place > before);
                            before = place;
                        }
                        rig.ok(std::move(post));
                    }
                    break;
                case 3: rig.now += milliseconds{dice.below(2) == 0 ? dice.below(100) : dice.below(20'000)}; break;
            }
        }
        const std::uint64_t ended =
            rig.tally.of(Fate::delivered) + rig.tally.of(Fate::expired) + rig.tally.of(Fate::dropped);
        CHECK(pushed == ended + rig.delivery.events());
    }
}

}  // namespace
}  // namespace spillway::webhooks
