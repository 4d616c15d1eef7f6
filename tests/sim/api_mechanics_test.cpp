// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The HTTP API between cores: many requests of one connection under way, and what waits for what.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

namespace spillway::test {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kAll = 1 << 20;

SimOptions calm(std::size_t cores, std::size_t mesh_capacity = 4096) {
    SimOptions options;
    options.cores = cores;
    options.mesh_capacity = mesh_capacity;
    options.calm = true;
    return options;
}

SimPublisher::Event event(std::vector<std::string> channels, std::string padding = {}) {
    return {std::move(channels), std::move(padding), Priority::normal, nullptr};
}

void run(SimWorld& world, std::size_t core, int turns = 1) {
    for (; turns > 0; --turns) {
        world.ring(core).progress();
        world.turn(core);
        world.check();
    }
}

}  // namespace

TEST_CASE("pipelined publications of one connection are under way together, up to a limit") {
    SimWorld world(calm(2));
    const std::string there = world.channel_at(1);
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    for (std::size_t i = 0; i < kRequestsInFlightMax + 10; ++i) publisher.publish(event({there}));
    publisher.write(kAll);
    run(world, 0, 20);  // core 1 stands still
    CHECK(world.core(0).calls.size() == kRequestsInFlightMax);
    publisher.read(kAll);
    CHECK(publisher.statuses().empty());
    world.settle();
    CHECK(publisher.statuses() == std::vector<int>(kRequestsInFlightMax + 10, 200));
    CHECK(world.core(0).calls.size() == 0);
}

TEST_CASE("an answer that is ready waits for the answers before it") {
    SimWorld world(calm(2));
    const std::string here = world.channel_at(0);
    const std::string there = world.channel_at(1);
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    publisher.publish(event({there}));
    publisher.publish(event({here}));
    publisher.write(kAll);
    run(world, 0, 20);
    publisher.read(kAll);
    CHECK(world.core(0).calls.size() == 1);
    CHECK(publisher.statuses().empty());
    world.settle();
    CHECK(publisher.statuses() == std::vector<int>{200, 200});
}

TEST_CASE("a publisher that ends its output still gets every answer") {
    SimWorld world(calm(2));
    const std::string there = world.channel_at(1);
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    for (int i = 0; i < 5; ++i) publisher.publish(event({there}));
    publisher.write(kAll);
    publisher.finish();
    run(world, 0, 20);
    CHECK(world.core(0).calls.size() == 5);
    world.settle();
    CHECK(publisher.statuses() == std::vector<int>(5, 200));
    CHECK(publisher.gone());
}

TEST_CASE("what a publisher began is brought to its end when its connection is gone") {
    SimWorld world(calm(2));
    const std::string there = world.channel_at(1);
    SimClient& client = world.subscriber(1, {there});
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    for (int i = 0; i < 5; ++i) publisher.publish(event({there}));
    publisher.write(kAll);
    run(world, 0, 20);
    publisher.reset();
    world.settle();
    CHECK(client.numbers().size() == 5);
    CHECK(world.core(0).calls.size() == 0);
    CHECK(world.core(0).http.exchanges() == 0);
}

TEST_CASE("publications that find no room wait, unread, and go on in order") {
    SimWorld world(calm(2, 8));
    const std::string there = world.channel_at(1);
    SimClient& client = world.subscriber(1, {there});
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    for (int i = 0; i < 30; ++i) publisher.publish(event({there}));
    publisher.write(kAll);
    run(world, 0, 20);
    CHECK(world.core(0).calls.size() == 4);  // the credit of a ring of eight
    world.settle();
    CHECK(publisher.statuses() == std::vector<int>(30, 200));
    CHECK(client.numbers().size() == 30);
    CHECK(std::is_sorted(client.numbers().begin(), client.numbers().end()));
}

}  // namespace spillway::test
