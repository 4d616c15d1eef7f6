// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who is pinged when, who is given up when, and who is not: whole cores, and time that passes only when told.
#include <algorithm>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

namespace spillway::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kAll = 1 << 20;

SimOptions peaceful(std::size_t cores = 1) {
    SimOptions options;
    options.cores = cores;
    options.mesh_capacity = 4096;
    options.ring.buffers = 512;
    return options;
}

std::vector<SimClient*> feeds(SimWorld& world, std::size_t n) {
    std::vector<SimClient*> clients;
    for (std::size_t i = 0; i < n; ++i)
        clients.push_back(&world.connect(i % world.cores(), SimClient::Kind::feed, "room"));
    world.settle();
    for (SimClient* client : clients) sim_check(client->open(), "takes a reader");
    return clients;
}

/// Time passes step by step, in steps that are no stalls; everybody reads, and writes unless it is dead to the world.
void pass(SimWorld& world, std::vector<SimClient*>& clients, base::Duration time,
          base::Duration step = milliseconds{500}) {
    const base::Instant end = world.clock.peek() + time;
    while (world.clock.peek() < end) {
        world.clock.advance(step);
        for (std::size_t i = 0; i < world.cores(); ++i) {
            for (int turns = 0; turns < 3; ++turns) world.turn(i);
        }
        for (SimClient* client : clients) {
            client->read(kAll);
            if (client->answers_pings) client->write(kAll);
        }
    }
}

}  // namespace

TEST_CASE("S3 R4 a half-open peer is pinged once, given up ten seconds later, and its descriptor comes back") {
    for (const std::size_t cores : {1U, 2U}) {
        SimWorld world(peaceful(cores));
        auto clients = feeds(world, 4);
        clients[2]->answers_pings = clients[3]->answers_pings = false;
        for (SimClient* client : clients) client->rude = true;
        pass(world, clients, seconds{36});
        CHECK(world.network.open_connections() == 4);
        CHECK(world.sum([](const server::Stats& s) { return s.stale_clients.value(); }) == 2);
        pass(world, clients, seconds{5});
        for (std::size_t i = 2; i < 4; ++i) {
            CHECK(clients[i]->pings() == 1);
            CHECK(clients[i]->close_code() == 4201);
        }
        CHECK(world.sum([](const server::Stats& s) { return s.stale_clients.value(); }) == 0);
        pass(world, clients, seconds{4});  // the peers say nothing to the close either
        CHECK(world.network.open_connections() == 2);
        pass(world, clients, seconds{600});
        CHECK(clients[0]->open());
        CHECK(clients[1]->open());
        CHECK(clients[0]->pings() >= 19);
        world.end();
    }
}

TEST_CASE("S3 a busy listener is pinged all the same, and any byte answers") {
    SimWorld world(peaceful());
    SimClient& listener = world.subscriber(0, {"room"});
    SimClient& chatterer = world.subscriber(0, {});
    SimPublisher& publisher = world.connect_publisher(0);
    std::vector<SimClient*> all{&listener, &chatterer};
    for (int second = 0; second < 39; ++second) {
        publisher.publish({{"room"}, "news", Priority::normal, nullptr});
        publisher.write(kAll);
        chatterer.pusher_ping();
        pass(world, all, seconds{1}, milliseconds{250});
        publisher.read(kAll);
    }
    CHECK(listener.pings() == 1);
    CHECK(listener.numbers().size() >= 38);
    CHECK(chatterer.pings() == 0);
    listener.pusher_ping();  // no pong, but a byte
    listener.write(kAll);
    pass(world, all, seconds{20});
    CHECK(listener.open());
}

TEST_CASE("ten thousand clients of one moment are pinged over seconds, never in one tick") {
    SimOptions options = peaceful(2);
    options.clients_max = 1U << 13;
    options.ring.cq_entries = 4096;
    options.ending = SimOptions::End::forced;  // one by one would take longer than the test is worth
    SimWorld world(options);
    auto clients = feeds(world, 10'000);
    std::uint64_t before = 0;
    std::uint64_t worst = 0;
    const auto pings = [&] { return world.sum([](const server::Stats& s) { return s.pings.value(); }); };
    world.clock.advance(seconds{25});
    for (int tick = 0; tick < 600; ++tick) {
        world.clock.advance(milliseconds{10});
        for (std::size_t core = 0; core < 2; ++core) world.turn(core);
        worst = std::max(worst, pings() - before);
        before = pings();
    }
    CHECK(before == 10'000);
    CHECK(worst <= 10'000 / 100);
    world.end();
}

TEST_CASE("a clock that leaps an hour ends nobody whose bytes are there") {
    for (const std::size_t cores : {1U, 2U}) {
        SimOptions options = peaceful(cores);
        options.ring.cq_entries = 4096;
        options.ending = SimOptions::End::forced;
        SimWorld world(options);
        auto clients = feeds(world, 800);  // more than one look at the ring takes
        for (SimClient* client : clients) {
            client->ping();
            client->write(kAll);
        }
        world.clock.advance(std::chrono::hours{1});
        for (std::size_t core = 0; core < cores; ++core) world.ring(core).progress();
        pass(world, clients, seconds{3}, milliseconds{100});
        CHECK(std::ranges::all_of(clients, [](const SimClient* client) { return client->open(); }));
        CHECK(world.sum([](const server::Stats& s) { return s.stalls.value(); }) >= cores);
        for (const int step : {-86'400, 86'400, -3600}) {  // the wall clock has no say in any of this
            world.clock.wall_step = step;
            pass(world, clients, seconds{100});
            CHECK(std::ranges::all_of(clients, [](const SimClient* client) { return client->open(); }));
        }
        world.end();
    }
}

TEST_CASE("S3 the sweep finds a client that lost its timer") {
    SimWorld world(peaceful());
    auto clients = feeds(world, 3);
    clients[1]->rude = true;
    clients[1]->answers_pings = false;
    world.core(0).timers.cancel(world.find(clients[1]->connection())->slot());
    pass(world, clients, seconds{60});
    CHECK(world.stats(0).swept.value() == 1);
    CHECK(clients[1]->close_code() == 4201);
    CHECK(clients[0]->open());
    world.end();
}

TEST_CASE("the handshake timeout is absolute, the idle timeout of the API is its own") {
    SimOptions options = peaceful();
    SimWorld world(options);
    SimClient& dripping = world.connect(0, SimClient::Kind::feed, "room");
    dripping.rude = true;
    SimPublisher& publisher = world.connect_publisher(0);
    publisher.publish({{"room"}, "x", Priority::normal, nullptr});
    publisher.write(kAll);
    std::vector<SimClient*> all{&dripping};
    const base::Instant start = world.clock.peek();
    for (int i = 0; i < 60; ++i) {
        dripping.write(1);
        world.clock.advance(milliseconds{100});
        for (int turns = 0; turns < 3; ++turns) world.turn(0);
        publisher.read(kAll);
        dripping.read(kAll);
        if (dripping.status() != 0) break;
    }
    CHECK(dripping.status() == 408);
    CHECK(world.clock.peek() - start >= seconds{5});
    CHECK(world.clock.peek() - start <= milliseconds{5300});
    CHECK(publisher.statuses() == std::vector<int>{200});
    dripping.reset();
    pass(world, all, seconds{66});
    CHECK(world.network.open_connections() == 1);  // 75 s are not over
    pass(world, all, seconds{14});
    CHECK(world.network.open_connections() == 0);
}

TEST_CASE("A1 a body that comes byte by byte has the read timeout in all, not from each byte") {
    SimWorld world(peaceful());
    SimPublisher& dripping = world.connect_publisher(0);
    SimPublisher& steady = world.connect_publisher(0);
    for (SimPublisher* publisher : {&dripping, &steady})
        publisher->publish({{"room"}, std::string(2000, 'x'), Priority::normal, nullptr});
    dripping.write(dripping.unsent() - 1000);  // the head, and half of the body
    const base::Instant start = world.clock.peek();
    while (dripping.statuses().empty() && world.clock.peek() - start < seconds{300}) {
        dripping.write(1);
        steady.write(steady.unsent() > 60 ? 60 : kAll);
        world.clock.advance(milliseconds{500});
        for (int turns = 0; turns < 3; ++turns) world.turn(0);
        dripping.read(kAll);
        steady.read(kAll);
    }
    CHECK(dripping.statuses() == std::vector<int>{408});
    CHECK(world.clock.peek() - start >= seconds{60});
    CHECK(world.clock.peek() - start <= seconds{61});
    CHECK(steady.statuses() == std::vector<int>{200});
    dripping.reset();
}

}  // namespace spillway::test
