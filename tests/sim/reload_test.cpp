// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A reload while cores work: each takes the new settings over between two of its turns, nobody who may stay notices, and
// limits hold exactly from the moment on when all have switched.
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

namespace spillway::test {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kAll = 1 << 20;

SimOptions two_cores() {
    SimOptions options;
    options.cores = 2;
    options.mesh_capacity = 4096;
    options.calm = true;
    return options;
}

/// The settings of the world with something changed.
template <class F>
void reload(SimWorld& world, F&& change) {
    Config wanted = SimWorld::with_app(world.settings().config);
    change(wanted);
    world.reload(std::move(wanted));
}

void run(SimWorld& world, std::size_t core) {
    world.ring(core).progress();
    world.turn(core);
    world.check();
}

AppConfig other_app() {
    AppConfig app;
    app.id = app.key = "other";
    app.secret = "s";
    return app;
}

}  // namespace

TEST_CASE("a reload drops nobody and loses nothing, while one core has switched and the other has not") {
    SimWorld world(two_cores());
    std::vector<SimClient*> clients;
    for (std::size_t i = 0; i < 6; ++i) clients.push_back(&world.subscriber(i % 2, {"room", "private-room"}));
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    reload(world, [](Config& wanted) {
        wanted.apps.insert(wanted.apps.begin(), other_app());
        wanted.max_clients = 3;  // fewer than there are: they stay
        wanted.max_headers = 50;
    });
    run(world, 0);
    CHECK(world.core(0).apps.size() == 2);
    CHECK(world.core(1).apps.size() == 1);
    CHECK_FALSE(world.reloaded());
    publisher.publish({{"room"}, {}, Priority::normal, nullptr});
    clients[1]->client_event("private-room", "");
    publisher.write(kAll);
    clients[1]->write(kAll);
    run(world, 0);
    world.settle();
    CHECK(world.reloaded());
    CHECK(world.core(1).apps.size() == 2);
    CHECK(*world.core(1).apps.by_key(kSimAppKey) == 0);  // as before, whatever its place in the file
    for (const SimClient* client : clients) {
        CHECK(client->open());
        CHECK(client->numbers().size() == (client == clients[1] ? 1 : 2));
    }
    world.check_rest();
}

TEST_CASE("the settings before are there until the last core has left them") {
    SimWorld world(two_cores());
    world.settle();
    for (int i = 0; i < 3; ++i)
        reload(world, [&](Config& wanted) { wanted.max_headers = 50 + static_cast<unsigned>(i); });
    for (int i = 0; i < 3; ++i) run(world, 1);
    CHECK_FALSE(world.reloaded());
    for (int i = 0; i < 3; ++i) run(world, 0);
    world.settle();
    CHECK(world.reloaded());
    CHECK(world.core(0).config.max_headers == 52);
    CHECK(world.core(1).config.max_headers == 52);
}

TEST_CASE("clients of an app that is gone or disabled are closed with 4003, feeds and publishers too") {
    for (const bool disabled : {true, false}) {
        SimWorld world(two_cores());
        std::vector<SimClient*> clients;
        for (std::size_t i = 0; i < 600; ++i) clients.push_back(&world.connect(i % 2));
        clients.push_back(&world.connect(0, SimClient::Kind::feed, "room"));
        SimClient& echo = world.connect(1, SimClient::Kind::echo);
        SimPublisher& publisher = world.connect_publisher(1, SimPublisher::Mode::stream);
        publisher.rude = true;
        world.settle();
        for (SimClient* client : clients) {
            REQUIRE(client->open());
            client->rude = true;
        }
        reload(world, [&](Config& wanted) {
            if (disabled) wanted.apps.front().enabled = false;
            else wanted.apps.front() = other_app();
        });
        world.settle();
        CHECK(world.reloaded());
        for (const SimClient* client : clients) {
            CHECK(client->close_code() == 4003);
        }
        CHECK(publisher.gone());
        CHECK(echo.open());  // it is of no app
        CHECK(world.sum([](const server::Stats& s) { return static_cast<std::uint64_t>(s.subscriptions.value()); }) ==
              0);

        SimClient& late = world.connect(0);
        late.rude = true;
        world.settle();
        CHECK(late.close_code() == (disabled ? 4003 : 4001));

        reload(world, [](Config&) {});  // it comes back
        world.settle();
        CHECK(world.subscriber(1, {"room"}).open());
        world.check_rest();
    }
}

TEST_CASE("C6 R8 a limit that a reload lowers or raises admits exactly as many from then on") {
    SimWorld world(two_cores());
    const auto with_limit = [&](std::uint64_t limit) {
        reload(world, [&](Config& wanted) { wanted.apps.front().max_clients = limit; });
        world.settle();
        REQUIRE(world.reloaded());
    };
    std::vector<SimClient*> clients;
    for (std::size_t i = 0; i < 5; ++i) clients.push_back(&world.subscriber(i % 2, {"room"}));
    const auto admitted = [&](std::size_t asking) {
        std::size_t open = 0;
        std::vector<SimClient*> asked;
        for (std::size_t i = 0; i < asking; ++i) {
            asked.push_back(&world.connect(i % 2));
            asked.back()->rude = true;
        }
        world.settle();
        for (SimClient* client : asked) {
            CHECK((client->open() || client->close_code() == 4004));
            if (!client->open()) continue;
            ++open;
            clients.push_back(client);
        }
        return open;
    };
    with_limit(3);
    for (const SimClient* client : clients) CHECK(client->open());
    CHECK(admitted(4) == 0);
    for (int i = 0; i < 3; ++i) clients[static_cast<std::size_t>(i)]->reset();
    world.settle();
    CHECK(admitted(4) == 1);
    with_limit(7);
    CHECK(admitted(9) == 4);
    with_limit(0);
    CHECK(admitted(9) == 9);
    world.check_rest();
}

TEST_CASE("timeouts that a reload shortens hold for those who are here") {
    SimOptions options = two_cores();
    options.config.ping_interval = std::chrono::hours{1};
    options.config.read_timeout = std::chrono::hours{3};
    SimWorld world(options);
    SimClient& client = world.connect(0);
    world.settle();
    REQUIRE(client.open());
    client.rude = true;
    client.reads_at_once = 0;  // and answers no ping
    reload(world, [](Config& wanted) {
        wanted.ping_interval = milliseconds{200};
        wanted.pong_timeout = milliseconds{200};
        wanted.read_timeout = milliseconds{500};
    });
    for (int i = 0; i < 20; ++i) {
        world.clock.advance(milliseconds{100});
        run(world, 0);
        run(world, 1);
    }
    world.settle();
    CHECK(client.close_code() == 4201);
}

}  // namespace spillway::test
