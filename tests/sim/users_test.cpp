// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Users between cores: sign-ins, events to users, terminations and watchlists, against what the people outside know. Every
// client holds each watchlist event against the ones before it; at rest what it knows must be so.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_seed.h"
#include "sim_world.h"

namespace spillway::test {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kAll = 1 << 20;

SimOptions calm(std::size_t cores) {
    SimOptions options;
    options.cores = cores;
    options.calm = true;
    options.mesh_capacity = 4096;
    return options;
}

void run(SimWorld& world, std::size_t core, int turns = 1) {
    for (; turns > 0; --turns) {
        world.ring(core).progress();
        world.turn(core);
        world.check();
    }
}

/// A user whose hidden channel is at home on that core.
std::string user_at(SimWorld& world, std::size_t core, std::size_t n = 0) {
    return world.channel_at(core, n, "#server-to-user-").substr(std::string("#server-to-user-").size());
}

SimClient& signed_in(SimWorld& world, std::size_t core, const std::string& user,
                     const std::vector<std::string>& watchlist = {}, const std::string& more = {}) {
    SimClient& client = world.connect(core);
    world.settle();
    client.sign_in(user, watchlist, more);
    world.settle();
    CHECK(client.sign_ins() == 1);
    return client;
}

SimPublisher::Event to_user(const std::string& user) {
    return {{"#server-to-user-" + user}, {}, Priority::normal, nullptr};
}

/// What each open client knows of those it watches is so.
void check_knowledge(const std::vector<SimClient*>& clients) {
    std::set<std::string> online;
    for (const SimClient* client : clients)
        if (client->open() && client->sign_ins() != 0) online.insert(client->user());
    for (const SimClient* client : clients) {
        if (!client->open() || client->sign_ins() == 0) continue;
        sim_check(client->knows().size() == client->watchlist().size(), "tells a watcher of everybody it watches");
        for (const auto& [user, is_online] : client->knows())
            sim_check(is_online == online.contains(user), "tells watchers the last state of " + user);
    }
}

struct Figures {
    std::size_t sign_ins = 0;
    std::size_t watchlist_events = 0;
    std::size_t deliveries = 0;
    std::size_t terminated = 0;
};

class Party {
public:
    explicit Party(std::uint64_t seed) : dice_(seed), world_(circumstances(seed)) {
        for (std::size_t i = 0; i < 5; ++i) users_.push_back("u" + std::to_string(i));
        publisher_ = &world_.connect_publisher(dice_.below(world_.cores()));
    }

    Figures play() {
        for (int step = 0; step < 2500; ++step) {
            act();
            world_.check();
        }
        world_.settle();
        world_.check_rest();
        check_knowledge(clients_);
        Figures figures;
        for (const SimClient* client : clients_) {
            figures.sign_ins += client->sign_ins();
            figures.watchlist_events += client->watchlist_events();
            figures.deliveries += client->numbers().size();
            figures.terminated += client->close_code() == 4009 ? 1 : 0;
        }
        world_.end();
        return figures;
    }

    void abandon() { world_.abandon(); }

private:
    static SimOptions circumstances(std::uint64_t seed) {
        Seeded dice(seed ^ 0xFACE);
        constexpr std::size_t kMeshes[] = {8, 16, 64, 4096};
        SimOptions options;
        options.seed = seed;
        options.cores = dice.between(1, 3);
        options.mesh_capacity = kMeshes[dice.below(4)];
        options.clients = 40;
        options.channels = 1;
        if (dice.chance(500)) {
            options.faults.short_read = options.faults.short_send = options.faults.again = 100;
            options.faults.delay = 100;
            options.ring.buffer_bytes = 128;
        }
        return options;
    }

    const std::string& any_user() { return users_[dice_.below(users_.size())]; }

    std::vector<std::string> any_watchlist() {
        std::vector<std::string> ids;
        for (const std::string& user : users_)
            if (dice_.chance(400)) ids.push_back(user);
        return ids;
    }

    void act() {
        const std::size_t what = dice_.below(100);
        if (what < 40) return world_.turn(dice_.below(world_.cores()));
        if (what < 45) return world_.clock.advance(milliseconds{1});
        if (what < 55) return publish();
        const auto present = std::ranges::count_if(clients_, [](const SimClient* c) { return !c->gone(); });
        if (present < 12 && dice_.chance(300)) clients_.push_back(&world_.connect(dice_.below(world_.cores())));
        if (clients_.empty()) return;
        SimClient& client = *clients_[clients_.size() - 1 - dice_.below(std::min<std::size_t>(clients_.size(), 16))];
        if (client.gone()) return;
        switch (dice_.below(4)) {
            case 0: client.read(dice_.chance(700) ? kAll : dice_.between(1, 40)); break;
            case 1:
            case 2: client.write(dice_.chance(700) ? kAll : dice_.between(1, 40)); break;
            default: speak(client); break;
        }
    }

    void speak(SimClient& client) {
        if (!client.open()) return;
        if (dice_.chance(80)) {
            switch (dice_.below(3)) {
                case 0: return client.close_with_frame(1000);
                case 1: return client.finish();
                default: return client.reset();
            }
        }
        if (client.user().empty()) return client.sign_in(any_user(), any_watchlist());
        if (dice_.chance(100)) return client.sign_in(client.user(), client.watchlist());
        if (dice_.chance(50)) client.sign_in_raw("somebody else");
    }

    void publish() {
        if (publisher_->gone()) return;
        switch (dice_.below(6)) {
            case 0:
                if (publisher_->unanswered() < 3) publisher_->publish(to_user(any_user()));
                break;
            case 1:
                if (publisher_->unanswered() < 3 && dice_.chance(150)) publisher_->terminate(any_user());
                break;
            case 2:
            case 3: publisher_->write(kAll); break;
            default: publisher_->read(kAll); break;
        }
    }

    Seeded dice_;
    SimWorld world_;
    std::vector<std::string> users_;
    std::vector<SimClient*> clients_;
    SimPublisher* publisher_ = nullptr;
};

}  // namespace

TEST_CASE("users, events to them, terminations and watchlists hold under every seed") {
    // As sim_seeds does it: the same every time, then others every time.
    const std::uint64_t one = number_from("SPILLWAY_SIM_SEED", 0);
    const std::uint64_t fixed = one != 0 ? 0 : 20;
    const std::uint64_t first = one != 0 ? one : fresh_seed();
    const std::uint64_t count = one != 0 ? 1 : fixed + number_from("SPILLWAY_SIM_SEEDS", 60);
    Figures all;
    for (std::uint64_t place = 0; place < count; ++place) {
        const std::uint64_t seed = place < fixed ? place + 1 : first + (place - fixed);
        CAPTURE(seed);
        Party party(seed);
        try {
            const Figures figures = party.play();
            all.sign_ins += figures.sign_ins;
            all.watchlist_events += figures.watchlist_events;
            all.deliveries += figures.deliveries;
            all.terminated += figures.terminated;
        } catch (const SimFailure& failure) {
            party.abandon();
            FAIL_CHECK("the server " << failure.what() << ", but not here; SPILLWAY_SIM_SEED=" << seed
                                     << " plays it again");
        }
    }
    INFO("sign-ins " << all.sign_ins << ", watchlist events " << all.watchlist_events << ", deliveries "
                     << all.deliveries << ", terminated " << all.terminated);
    if (one != 0) return;  // a party at which nothing happens proves nothing
    CHECK(all.sign_ins > count * 10);
    CHECK(all.watchlist_events > count * 10);
    CHECK(all.deliveries > count * 5);
    CHECK(all.terminated > count);
}

TEST_CASE("who signs in on any core hears what is sent to the user after signin_success") {
    for (std::size_t cores = 1; cores <= 3; ++cores) {
        SimWorld world(calm(cores));
        const std::string user = user_at(world, cores - 1);
        std::vector<SimClient*> clients;
        for (std::size_t i = 0; i < 6; ++i) clients.push_back(&signed_in(world, i % cores, user));
        SimPublisher& publisher = world.connect_publisher(0);
        publisher.publish(to_user(user));
        world.settle();
        for (const SimClient* client : clients) CHECK(client->numbers().size() == 1);
        world.check_rest();
        world.end();
    }
}

TEST_CASE("a sign-in whose client ends before the home answers signs nobody in") {
    SimWorld world(calm(2));
    const std::string user = user_at(world, 1);
    SimClient& watcher = signed_in(world, 0, "watcher", {user});
    SimClient& client = world.connect(0);
    world.settle();
    client.sign_in(user, {"watcher"});
    client.write(kAll);
    run(world, 0, 2);
    client.reset();
    run(world, 0, 2);
    world.settle();
    // The home had the join before the leave: both were true, one after the other, or neither was told.
    CHECK(watcher.watchlist_events() % 2 == 1);
    CHECK(watcher.knows() == std::map<std::string, bool>{{user, false}});
    CHECK(world.core(1).home.channels().hidden() == 1);
    world.end();
}

TEST_CASE("signing in twice at once joins once and is answered twice") {
    SimWorld world(calm(2));
    const std::string user = user_at(world, 1);
    SimClient& client = world.connect(0);
    world.settle();
    client.sign_in(user, {});
    client.sign_in(user, {});
    world.settle();
    CHECK(client.sign_ins() == 2);
    CHECK(world.find(client.connection())->subscriptions.size() == 1);
    world.connect_publisher(0).publish(to_user(user));
    world.settle();
    CHECK(client.numbers().size() == 1);
    world.end();
}

TEST_CASE("a sign-in that the home places after a termination stays") {
    SimWorld world(calm(2));
    world.scene.calm = false;  // somebody is closed
    const std::string user = user_at(world, 1);
    SimClient& before = signed_in(world, 0, user);
    SimPublisher& publisher = world.connect_publisher(1);
    SimClient& after = world.connect(0);
    world.settle();
    publisher.terminate(user);
    publisher.write(kAll);
    run(world, 1, 2);  // the home has told core 0, which has not looked yet
    after.sign_in(user, {});
    after.write(kAll);
    world.settle();
    CHECK(publisher.statuses() == std::vector<int>{200});
    CHECK(before.close_code() == 4009);
    CHECK(after.open());
    CHECK(after.sign_ins() == 1);
    CHECK(after.close_code() == -1);
    world.end();
}

TEST_CASE("the signed user_data makes a client one of high priority, where the app allows it") {
    SimWorld world(calm(1));
    SimClient& high = signed_in(world, 0, "high", {}, R"(,"priority":"high")");
    SimClient& normal = signed_in(world, 0, "normal", {}, R"(,"priority":"urgent")");
    CHECK(world.find(high.connection())->high_priority);
    CHECK_FALSE(world.find(normal.connection())->high_priority);
    world.end();
}

TEST_CASE("each coming and going is told once, in order, to every watcher on every core") {
    SimWorld world(calm(3));
    const std::string user = user_at(world, 2);
    std::vector<SimClient*> watchers;
    for (std::size_t i = 0; i < 9; ++i)
        watchers.push_back(&signed_in(world, i % 3, "watcher-" + std::to_string(i), {user}));
    for (int round = 0; round < 4; ++round) {
        SimClient& first = signed_in(world, 0, user);
        SimClient& second = signed_in(world, 1, user);
        first.finish();
        world.settle();
        second.finish();
        world.settle();
    }
    for (const SimClient* watcher : watchers) CHECK(watcher->watchlist_events() == 1 + 2 * 4);
    world.end();
}

TEST_CASE("more watchers than one turn tells are told over several turns, and then all know") {
    SimOptions options = calm(1);
    SimWorld world(options);
    std::vector<SimClient*> watchers;
    for (std::size_t i = 0; i < 1200; ++i) {
        watchers.push_back(&world.connect(0));
        if (i % 50 == 49) world.settle();
    }
    for (std::size_t i = 0; i < watchers.size(); ++i) watchers[i]->sign_in("w" + std::to_string(i), {"star"});
    world.settle();
    SimClient& star = world.connect(0);
    world.settle();
    star.sign_in("star", {});
    star.write(kAll);
    for (int i = 0; i < 20 && !world.core(0).users.busy(); ++i) run(world, 0);
    CHECK(world.core(0).users.busy());
    world.settle();
    for (const SimClient* watcher : watchers) CHECK(watcher->knows() == std::map<std::string, bool>{{"star", true}});
    world.end();
}

}  // namespace spillway::test
