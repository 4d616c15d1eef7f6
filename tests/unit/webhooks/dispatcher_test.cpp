// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/dispatcher.h"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "crypto/digest.h"
#include "fake_random.h"

namespace spillway::webhooks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using To = Dispatcher::Change::To;

WebhookConfig to(std::string url, std::initializer_list<WebhookEvent> events = {}, std::string prefix = {}) {
    WebhookConfig webhook;
    webhook.url = std::move(url);
    webhook.channel_prefix = std::move(prefix);
    if (events.size() != 0) webhook.events = {};
    for (const WebhookEvent e : events) webhook.events.add(e);
    return webhook;
}

AppConfig app_with(std::string id, std::vector<WebhookConfig> webhooks) {
    AppConfig app;
    app.id = id;
    app.key = "key-" + id;
    app.secret = "secret-" + id;
    app.webhooks = std::move(webhooks);
    return app;
}

struct Sent {
    std::uint64_t id;
    std::string url;
    std::string body;
};

struct Rig {
    explicit Rig(std::vector<AppConfig> apps) { dispatcher.configure(apps); }

    void say(WebhookEvent what, std::string channel, std::string user = {}, std::uint32_t count = 0, AppIndex app = 0) {
        auto notice = std::make_unique<Notice>();
        notice->what = what;
        notice->app = app;
        notice->channel = std::move(channel);
        notice->user_id = std::move(user);
        notice->count = count;
        notice->data_json = "{}";
        dispatcher.take(std::move(notice), now);
        dispatcher.check_invariants();
    }
    /// Everything that goes out now; nothing is answered yet.
    std::vector<Sent> sent() {
        dispatcher.advance(now);
        std::vector<Sent> all;
        while (const auto out = dispatcher.next(now, 42)) {
            CHECK(out->signature == crypto::hmac_sha256_hex("secret-" + std::string(out->key.substr(4)), out->body));
            all.push_back({out->id, out->webhook.url, std::string(out->body)});
        }
        dispatcher.check_invariants();
        return all;
    }
    /// The same, answered as said; the events' names and channels.
    std::vector<std::string> answered(Answer answer = Answer::ok) {
        std::vector<std::string> all;
        while (true) {
            const auto round = sent();
            if (round.empty()) return all;
            for (const Sent& one : round) {
                all.push_back(one.url + one.body.substr(one.body.find('[')));
                last = dispatcher.finished(one.id, answer, now);
            }
        }
    }

    Tally tally;
    test::FakeRandom random{1};
    Dispatcher dispatcher{Timing{}, tally, random};
    base::Instant now = base::Instant{} + seconds{1000};
    Dispatcher::Change last;
};

std::string body(std::string_view url, std::string_view event) {
    return std::string(url) + "[{\"name\":\"" + std::string(event) + "}]}";
}

TEST_CASE("webhooks are filtered by event and by the beginning of the channel's name", "[webhooks]") {
    Rig rig({app_with("a", {to("all"), to("vacated", {WebhookEvent::channel_vacated}), to("rooms", {}, "room-")}),
             app_with("b", {to("other")})});
    rig.say(WebhookEvent::channel_occupied, "room-1");
    rig.say(WebhookEvent::channel_occupied, "hall");
    CHECK(rig.answered() == std::vector<std::string>{body("all", R"(channel_occupied","channel":"room-1")"),
                                                     body("rooms", R"(channel_occupied","channel":"room-1")"),
                                                     body("all", R"(channel_occupied","channel":"hall")")});
    rig.say(WebhookEvent::channel_vacated, "hall");
    rig.say(WebhookEvent::channel_occupied, "hall", {}, 0, 1);
    CHECK(rig.answered() == std::vector<std::string>{body("other", R"(channel_occupied","channel":"hall")")});
    rig.now += seconds{3};
    CHECK(rig.answered() == std::vector<std::string>{body("all", R"(channel_vacated","channel":"hall")"),
                                                     body("vacated", R"(channel_vacated","channel":"hall")")});
    rig.say(WebhookEvent::channel_occupied, "hall", {}, 0, 7);  // an app that is not known here
    CHECK(rig.answered().empty());
    CHECK(rig.dispatcher.idle());
}

TEST_CASE("webhooks on a page reload: neither half is told, by leaving or by a lost connection", "[webhooks]") {
    Rig rig({app_with("a", {to("x")})});
    rig.say(WebhookEvent::channel_occupied, "presence-a");
    rig.say(WebhookEvent::member_added, "presence-a", "7");
    CHECK(rig.answered().size() == 2);
    rig.say(WebhookEvent::member_removed, "presence-a", "7");
    rig.say(WebhookEvent::channel_vacated, "presence-a");
    CHECK(rig.answered().empty());
    CHECK(rig.tally.held.value() == 2);
    CHECK(rig.dispatcher.due() == rig.now + seconds{3});
    rig.now += milliseconds{2999};
    CHECK(rig.answered().empty());
    rig.say(WebhookEvent::channel_occupied, "presence-a");
    rig.say(WebhookEvent::member_added, "presence-a", "7");
    rig.now += seconds{60};
    CHECK(rig.answered().empty());
    CHECK(rig.tally.of(Fate::returned) == 4);
    CHECK(rig.tally.held.value() == 0);
    // And who does not come back is told of, in order.
    rig.say(WebhookEvent::member_removed, "presence-a", "7");
    rig.say(WebhookEvent::channel_vacated, "presence-a");
    rig.now += seconds{3};
    CHECK(rig.answered() ==
          std::vector<std::string>{body("x", R"(member_removed","channel":"presence-a","user_id":"7")"),
                                   body("x", R"(channel_vacated","channel":"presence-a")")});
}

TEST_CASE("counts up to 100 are told at once, larger ones every five seconds", "[webhooks]") {
    Rig rig({app_with("a", {to("x")})});
    for (std::uint32_t n = 98; n <= 103; ++n) {
        rig.say(WebhookEvent::subscription_count, "a", {}, n);
        const bool told = n <= 101;
        CHECK(rig.answered().size() == (told ? 1 : 0));
    }
    rig.now += milliseconds{4999};
    CHECK(rig.answered().empty());
    rig.now += milliseconds{1};
    CHECK(rig.answered() ==
          std::vector<std::string>{body("x", R"(subscription_count","channel":"a","subscription_count":103)")});
    rig.say(WebhookEvent::subscription_count, "a", {}, 101);
    rig.say(WebhookEvent::subscription_count, "a", {}, 100);
    CHECK(rig.answered() ==
          std::vector<std::string>{body("x", R"(subscription_count","channel":"a","subscription_count":100)")});
    rig.now += seconds{60};
    CHECK(rig.answered().empty());
    CHECK(rig.tally.of(Fate::merged) == 2);
    CHECK(rig.dispatcher.idle());
    CHECK_FALSE(rig.dispatcher.due());
}

TEST_CASE("a cache miss is told once however many subscribers find nothing", "[webhooks]") {
    Rig rig({app_with("a", {to("x")})});
    for (int i = 0; i < 50; ++i) rig.say(WebhookEvent::cache_miss, "cache-a");
    rig.say(WebhookEvent::cache_miss, "cache-b");
    CHECK(rig.answered().size() == 2);
    rig.now += seconds{1};
    rig.say(WebhookEvent::cache_miss, "cache-a");
    CHECK(rig.answered().size() == 1);
    CHECK(rig.tally.of(Fate::merged) == 49);
}

TEST_CASE("a dead receiver of webhooks holds up no other", "[webhooks]") {
    Rig rig({app_with("a", {to("dead"), to("well")})});
    for (int i = 0; i < 20; ++i) rig.say(WebhookEvent::channel_occupied, "room-" + std::to_string(i));
    int well = 0;
    int dead = 0;
    // The dead one never answers at all: its POSTs stay under way.
    for (int round = 0; round < 50; ++round)
        for (const Sent& one : rig.sent()) {
            if (one.url == "dead") {
                ++dead;
            } else {
                ++well;
                rig.dispatcher.finished(one.id, Answer::ok, rig.now);
            }
        }
    CHECK(well == 20);
    CHECK(dead == static_cast<int>(kPostsPerWebhook));
    CHECK(rig.tally.queued_events.value() == 20);
}

TEST_CASE("a change of a receiver's state is told once", "[webhooks]") {
    Rig rig({app_with("a", {to("x")})});
    rig.say(WebhookEvent::channel_occupied, "a");
    CHECK(rig.answered(Answer::status).size() == 1);
    CHECK(rig.last.to == To::failing);
    CHECK(rig.last.url == "x");
    rig.now += seconds{1};
    CHECK(rig.answered(Answer::timeout).size() == 1);
    CHECK(rig.last.to == To::same);
    rig.now += seconds{2};
    CHECK(rig.answered(Answer::ok).size() == 1);
    CHECK(rig.last.to == To::well);
    CHECK(rig.tally.of(Answer::status) == 1);
    CHECK(rig.tally.of(Answer::timeout) == 1);
    CHECK(rig.tally.of(Answer::ok) == 1);
}

TEST_CASE("a reload keeps what waits for webhooks that stay, and counts what waits for others", "[webhooks]") {
    const auto stays = app_with("a", {to("stays"), to("goes")});
    Rig rig({stays});
    rig.say(WebhookEvent::channel_occupied, "a");
    rig.say(WebhookEvent::channel_occupied, "b");
    const auto before = rig.sent();
    REQUIRE(before.size() == 4);
    auto changed = app_with("a", {to("new"), to("stays")});
    changed.secret = "secret-rotated";
    changed.key = "key-rotated";
    rig.dispatcher.configure({app_with("first", {}), changed});
    CHECK(rig.tally.of(Fate::unsent) == 2);
    for (const Sent& one : before)
        rig.dispatcher.finished(one.id, one.url == "goes" ? Answer::ok : Answer::failed, rig.now);
    CHECK(rig.tally.of(Fate::delivered) == 0);
    rig.now += seconds{1};
    CHECK(rig.answered().size() == 2);  // signed with the new secret
    rig.say(WebhookEvent::channel_occupied, "c", {}, 0, 1);
    CHECK(rig.answered().size() == 2);
    CHECK(rig.dispatcher.idle());
}

TEST_CASE("at the end of the server departures are told at once, and what cannot be is counted", "[webhooks]") {
    Rig rig({app_with("a", {to("x")})});
    rig.say(WebhookEvent::channel_vacated, "a");
    rig.say(WebhookEvent::subscription_count, "b", {}, 200);
    rig.say(WebhookEvent::subscription_count, "b", {}, 201);
    CHECK(rig.answered(Answer::status).size() == 1);
    rig.dispatcher.hurry(rig.now);
    CHECK(rig.answered().size() == 3);
    rig.say(WebhookEvent::channel_vacated, "c");
    const auto last = rig.sent();
    REQUIRE(last.size() == 1);
    CHECK_FALSE(rig.dispatcher.idle());
    CHECK(rig.dispatcher.abandon() == 1);
    rig.dispatcher.finished(last[0].id, Answer::ok, rig.now);
    CHECK(rig.tally.of(Fate::unsent) == 1);
    CHECK(rig.tally.queued_events.value() == 0);
}

}  // namespace
}  // namespace spillway::webhooks
