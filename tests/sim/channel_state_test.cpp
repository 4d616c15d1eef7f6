// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who is in a channel, its last event, its count: the cases that the swarm meets only by luck, played step by step. The
// world holds what each client is told against who is there.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "pubsub/channel_key.h"
#include "sim_world.h"

namespace spillway::test {
namespace {

using State = SimSubscription::State;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kAll = 1 << 20;

SimOptions calm(std::size_t cores, std::size_t mesh_capacity = 4096) {
    SimOptions options;
    options.cores = cores;
    options.mesh_capacity = mesh_capacity;
    options.calm = true;
    return options;
}

/// What arrived is taken up and worked on.
void run(SimWorld& world, std::size_t core) {
    world.ring(core).progress();
    world.turn(core);
    world.check();
}

const pubsub::Roster* roster_of(SimWorld& world, const std::string& channel) {
    return world.core(world.home_of(channel)).home.roster(pubsub::channel_key(0, channel));
}

/// How many of the texts that a client logged hold this one.
std::size_t count_of(const SimClient& client, std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(client.log(), [&](const std::string& line) { return line.find(text) != line.npos; }));
}

std::vector<SimClient*> connect_many(SimWorld& world, std::size_t count) {
    std::vector<SimClient*> clients;
    for (std::size_t i = 0; i < count; ++i) clients.push_back(&world.connect(i % world.cores()));
    world.settle();
    for (SimClient* client : clients) client->keeps_log = true;
    return clients;
}

void subscribe_all(SimWorld& world, std::span<SimClient* const> clients, const std::string& channel) {
    for (SimClient* client : clients) client->subscribe(channel);
    world.settle();
}

}  // namespace

TEST_CASE("C7 a user on two cores comes with the first connection and is gone with the last, however it ends") {
    SimWorld world(calm(2));
    const std::string channel = world.channel_at(1, 0, "presence-");
    auto clients = connect_many(world, 12);  // five users: 1 to 5 twice and more, on both cores
    SimClient& watcher = *clients[0];
    const auto twins = [&] {
        std::vector<SimClient*> result;
        for (SimClient* client : clients)
            if (client->user_id() == clients[1]->user_id()) result.push_back(client);
        return result;
    }();
    REQUIRE(twins.size() == 3);
    subscribe_all(world, std::span(clients).first(1), channel);
    subscribe_all(world, twins, channel);
    CHECK(count_of(watcher, "member_added") == 1);
    CHECK(roster_of(world, channel)->find(twins[0]->user_id())->connections == 3);
    twins[0]->reset();
    twins[1]->unsubscribe(channel);
    world.settle();
    CHECK(count_of(watcher, "member_removed") == 0);
    twins[2]->finish();
    world.settle();
    CHECK(count_of(watcher, "member_removed") == 1);
    CHECK(watcher.in(channel).members() == std::set<std::string>{watcher.user_id()});
    world.check_rest();
}

TEST_CASE("ghosts in presence: who leaves before the join is answered leaves nothing behind") {
    for (const bool by_crash : {false, true}) {
        SimWorld world(calm(2));
        const std::string channel = world.channel_at(1, 0, "presence-");
        auto clients = connect_many(world, 2);
        SimClient& hasty = *clients[0];
        subscribe_all(world, std::span(clients).last(1), channel);
        hasty.subscribe(channel);
        hasty.write(kAll);
        run(world, 0);
        run(world, 1);  // the answer with the roster is on its way
        if (by_crash) {
            hasty.reset();
        } else {
            hasty.unsubscribe(channel);
            hasty.write(kAll);
        }
        world.settle();
        CHECK(count_of(*clients[1], "member_added") == 1);
        CHECK(count_of(*clients[1], "member_removed") == 1);
        CHECK(roster_of(world, channel)->size() == 1);
        if (!by_crash) {
            hasty.in(channel).state = State::out;
            subscribe_all(world, std::span(clients).first(1), channel);
            CHECK(hasty.in(channel).members().size() == 2);
        }
        world.check_rest();
    }
}

TEST_CASE("a full presence channel takes the next user when one is gone, and nobody who was refused stays") {
    SimOptions options = calm(2);
    options.calm = false;  // a refusal is an error
    options.members_max = 2;
    SimWorld world(options);
    const std::string channel = world.channel_at(1, 0, "presence-");
    auto clients = connect_many(world, 5);
    subscribe_all(world, std::span(clients).first(2), channel);
    subscribe_all(world, std::span(clients).last(3), channel);
    CHECK(roster_of(world, channel)->size() == 2);
    CHECK(roster_of(world, channel)->connections() == 2);
    for (std::size_t i = 2; i < 5; ++i) {
        CHECK(clients[i]->in(channel).state == State::out);
        CHECK(count_of(*clients[i], R"("type":"LimitReached")") == 1);
        CHECK(count_of(*clients[i], R"("status":4100)") == 1);
        CHECK(clients[i]->open());
    }
    clients[0]->reset();
    world.settle();
    subscribe_all(world, std::span(clients).last(1), channel);
    CHECK(clients[4]->in(channel).state == State::in);
    CHECK(world.core(world.home_of(channel)).home.channels().find(pubsub::channel_key(0, channel))->subscribers() == 2);
    world.check_rest();
}

TEST_CASE("who is refused and leaves before being told leaves nothing behind either") {
    SimOptions options = calm(2);
    options.calm = false;
    options.members_max = 1;
    SimWorld world(options);
    const std::string channel = world.channel_at(1, 0, "presence-");
    auto clients = connect_many(world, 3);
    subscribe_all(world, std::span(clients).subspan(1, 1), channel);
    for (SimClient* hasty : {clients[0], clients[2]}) {  // the same core: the second join of a run without a name
        hasty->subscribe(channel);
        hasty->write(kAll);
    }
    run(world, 0);
    run(world, 1);
    clients[0]->reset();
    world.settle();
    const auto* home = world.core(1).home.channels().find(pubsub::channel_key(0, channel));
    CHECK(home->subscribers() == 1);
    CHECK(roster_of(world, channel)->connections() == 1);
    world.check_rest();
}

TEST_CASE("C7 a storm of comings and goings while a core stands still stays bounded, and ends right") {
    constexpr std::size_t kCapacity = 32;
    SimWorld world(calm(2, kCapacity));
    const std::string channel = world.channel_at(0, 0, "presence-");
    auto clients = connect_many(world, 8);
    SimClient& far = *clients[1];  // on core 1, which will stand still
    subscribe_all(world, std::span(clients).subspan(1, 1), channel);
    std::size_t most = 0;
    std::size_t sent = 0;
    for (int round = 0; round < 400; ++round) {
        for (SimClient* client : clients) {
            if (client->connection().fd < 0 || client == &far || client->user_id() == far.user_id()) continue;
            if (ClientId::unpack(world.find(client->connection())->id).core != 0 || client->unsent() != 0) continue;
            SimSubscription& in = client->in(channel);
            if (in.state == State::out) client->subscribe(channel), ++sent;
            else if (in.state == State::in) client->unsubscribe(channel);
            client->write(kAll);
        }
        run(world, 0);
        for (SimClient* client : clients)
            if (client != &far) client->read(kAll);
        world.clock.advance(milliseconds{1});
        most = std::max(most, world.core(0).port.outbox_size());
    }
    CHECK(sent >= kCapacity / 4);  // what has credit is not held back,
    CHECK(sent <= kCapacity);      // and its source is, when the ring to the core that stands still is full.
    CHECK(world.core(0).life.paused() != 0);
    CHECK(most <= kCapacity);
    world.settle();
    world.check_rest();
}

TEST_CASE("counts that lie: above a hundred they are told every five seconds, and then the last one") {
    SimWorld world(calm(2));
    const std::string channel = world.channel_at(1);
    auto clients = connect_many(world, 108);
    subscribe_all(world, std::span(clients).first(100), channel);
    SimClient& first = *clients[0];
    CHECK(first.in(channel).count() == 100);
    subscribe_all(world, std::span(clients).subspan(100, 1), channel);
    const auto told = [&] { return count_of(first, "subscription_count"); };
    const std::size_t before = told();
    CHECK(first.in(channel).count() == 100);  // told at 100 a moment ago
    world.clock.advance(seconds{2});
    subscribe_all(world, std::span(clients).subspan(101, 7), channel);
    CHECK(told() == before);
    world.clock.advance(seconds{3});
    world.settle();
    CHECK(told() == before + 1);
    CHECK(first.in(channel).count() == 108);
    CHECK(clients[107]->in(channel).count() == 108);
    // Nothing happens: nothing is told.
    world.clock.advance(seconds{20});
    world.settle();
    CHECK(told() == before + 1);
    // Few again: at once.
    for (std::size_t i = 99; i < 108; ++i) clients[i]->unsubscribe(channel);
    world.settle();
    CHECK(first.in(channel).count() == 99);
}

TEST_CASE("counts that lie: changes of one turn are told together, the last number to everybody") {
    SimWorld world(calm(1));
    auto clients = connect_many(world, 5);
    for (SimClient* client : clients) {
        client->subscribe("room");
        client->write(kAll);
    }
    run(world, 0);
    world.settle();
    for (const SimClient* client : clients) CHECK(count_of(*client, "subscription_count") == 1);
    for (SimClient* client : clients) CHECK(client->in("room").count() == 5);
}

TEST_CASE("a feed counts as a subscriber, and is sent data only") {
    SimWorld world(calm(2));
    const std::string channel = world.channel_at(0);
    SimClient& feed = world.connect(1, SimClient::Kind::feed, channel);
    world.settle();
    SimClient& client = world.subscriber(1, {channel});
    CHECK(client.in(channel).count() == 2);
    SimPublisher& publisher = world.connect_publisher(0);
    publisher.publish({{channel}, "data", Priority::normal, nullptr});
    world.settle();
    CHECK(feed.numbers().size() == 1);
    feed.reset();
    world.settle();
    CHECK(client.in(channel).count() == 1);
    world.check_rest();
}

TEST_CASE("a cached event outlives its channel's subscribers, is sent once, and goes when its time is over") {
    SimWorld world(calm(2));
    const std::string channel = world.channel_at(1, 0, "cache-");
    SimPublisher& publisher = world.connect_publisher(0);
    publisher.publish({{channel}, "to nobody yet", Priority::normal, nullptr});
    world.settle();
    SimClient& first = world.subscriber(0, {channel});
    CHECK_FALSE(first.in(channel).expects_kept());  // it came
    publisher.publish({{channel}, "live", Priority::normal, nullptr});
    world.settle();
    CHECK(first.numbers() == std::vector<std::uint64_t>{2});  // the first was sent as the cached one
    SimClient& feed = world.connect(0, SimClient::Kind::feed, channel);
    world.settle();
    CHECK_FALSE(feed.in(channel).expects_kept());
    CHECK(feed.numbers().empty());
    first.reset();
    feed.reset();
    publisher.finish();
    world.settle();
    const pubsub::EventCache& cache = world.core(1).home.cache();
    CHECK(cache.size() == 1);
    world.clock.advance(std::chrono::hours{10} + seconds{1});
    world.settle();
    CHECK(cache.size() == 0);
    CHECK(cache.bytes() == 0);
    world.scene.model.kept(channel, "n=0;");
    SimClient& late = world.connect(0);
    world.settle();
    late.keeps_log = true;
    late.subscribe(channel);
    world.settle();
    CHECK(count_of(late, "pusher:cache_miss") == 1);
}

TEST_CASE("a client's event is not kept") {
    SimWorld world(calm(1));
    const std::string channel = "private-cache-room";
    SimClient& client = world.subscriber(0, {channel});
    client.client_event(channel, "said");
    world.settle();
    SimClient& late = world.connect(0);
    world.settle();
    late.keeps_log = true;
    late.subscribe(channel);
    world.settle();
    CHECK(count_of(late, "pusher:cache_miss") == 1);
    CHECK(world.core(0).home.cache().size() == 0);
}

}  // namespace spillway::test
