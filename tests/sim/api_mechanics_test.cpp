// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The HTTP API between cores: many requests of one connection under way, and what waits for what.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"
#include "wire.h"

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

TEST_CASE("the channels of all cores are told in one answer, in pieces, while others are served") {
    SimWorld world(calm(3));
    std::vector<std::string> channels;
    for (int i = 0; i < 3000; ++i) channels.push_back("room-" + std::to_string(i));
    for (std::size_t core = 0; core < 3; ++core)
        static_cast<void>(world.subscriber(core, {channels.begin() + static_cast<std::ptrdiff_t>(core) * 1000,
                                                  channels.begin() + static_cast<std::ptrdiff_t>(core + 1) * 1000}));
    static_cast<void>(world.subscriber(0, {"other"}));
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    publisher.ask_channels("room-");
    publisher.publish(event({"other"}));  // behind the list, because answers keep their order
    publisher.write(kAll);
    world.settle();
    CHECK(publisher.statuses() == std::vector<int>{200, 200});
    publisher.ask_channels("room-");
    world.settle();
    const JsonObject told = read_json_object(field(read_json_object(publisher.body()), "channels"));
    CHECK(told.size() == 3000);
    for (const auto& channel : channels) REQUIRE(field(told, channel) == "{\"subscription_count\":1}");
}

TEST_CASE("a question that another core does not answer in time is 503, and its late answer nobody's") {
    SimWorld world(calm(2));
    const std::string there = world.channel_at(1);
    SimPublisher& publisher = world.connect_publisher(0);
    SimPublisher& gone = world.connect_publisher(0);
    world.settle();
    publisher.ask_channel(there);
    publisher.write(kAll);
    gone.ask_channels({});
    gone.write(kAll);
    run(world, 0, 5);
    gone.reset();
    world.clock.advance(milliseconds{5001});
    world.scene.calm = false;
    run(world, 0, 5);
    publisher.read(kAll);
    CHECK(publisher.statuses() == std::vector<int>{503});
    world.settle();
    CHECK(publisher.statuses().size() == 1);
    CHECK(world.core(0).calls.size() == 0);
    world.scene.unix_seconds = world.clock.unix_seconds();
    publisher.ask_channel(there);
    world.settle();
    CHECK(publisher.statuses() == std::vector<int>{503, 200});
    CHECK(publisher.body() == R"({"occupied":false,"subscription_count":0})");
}

TEST_CASE("one key from two connections at the same moment, on two cores, is published once and answered twice") {
    SimWorld world(calm(3));
    const std::string channel = world.channel_at(2);
    SimClient& client = world.subscriber(0, {channel});
    SimPublisher& one = world.connect_publisher(0);
    SimPublisher& two = world.connect_publisher(1);
    world.settle();
    one.publish_keyed(event({channel}));
    two.repeat(one);
    one.write(kAll);
    two.write(kAll);
    world.settle();
    CHECK(one.statuses() == std::vector<int>{200});
    CHECK(two.statuses() == std::vector<int>{200});
    two.repeat(one);
    world.settle();
    CHECK(two.statuses() == std::vector<int>{200, 200});
    CHECK(client.numbers().size() == 1);
}

TEST_CASE("a key whose publisher is gone before it was allowed to publish is free for the next") {
    SimWorld world(calm(2));
    const std::string channel = world.channel_at(1);
    SimClient& client = world.subscriber(1, {channel});
    for (int round = 0; round < 6; ++round) {  // its owner is either core
        SimPublisher& one = world.connect_publisher(0);
        SimPublisher& two = world.connect_publisher(0);
        world.settle();
        one.publish_keyed(event({channel}));
        one.write(kAll);
        run(world, 0);
        two.repeat(one);
        two.write(kAll);
        run(world, 0);
        one.reset();
        run(world, 0, 3);
        world.settle();
        CHECK(two.statuses() == std::vector<int>{200});
        CHECK(client.numbers().size() == static_cast<std::size_t>(round) + 1);
    }
    CHECK(world.core(0).calls.size() == 0);
    CHECK(world.core(0).key_office.keys().pending() + world.core(1).key_office.keys().pending() == 0);
}

TEST_CASE("pipelined publications with and without keys keep their order") {
    SimWorld world(calm(2));
    const std::string channel = world.channel_at(1);
    SimClient& client = world.subscriber(0, {channel});
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    for (int i = 0; i < 10; ++i) {
        publisher.publish(event({channel}));
        publisher.publish_keyed(event({channel}));
    }
    world.settle();
    CHECK(publisher.statuses() == std::vector<int>(20, 200));
    CHECK(client.numbers().size() == 20);
    CHECK(std::is_sorted(client.numbers().begin(), client.numbers().end()));
}

TEST_CASE("a publisher WebSocket's keys are those of the HTTP API") {
    SimWorld world(calm(2));
    const std::string channel = world.channel_at(1);
    SimClient& client = world.subscriber(0, {channel});
    SimPublisher& stream = world.connect_publisher(0, SimPublisher::Mode::stream);
    SimPublisher& requests = world.connect_publisher(1);
    world.settle();
    for (int i = 0; i < 3; ++i) {
        stream.publish_keyed(event({channel}));
        requests.repeat(stream);
        stream.repeat(stream);
    }
    world.settle();
    CHECK(stream.acknowledged() == 6);
    CHECK(requests.statuses() == std::vector<int>(3, 200));
    CHECK(client.numbers().size() == 3);
}

}  // namespace spillway::test
