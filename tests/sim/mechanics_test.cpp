// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The mechanics that must be exactly so, one by one: who joins, who leaves, what overtakes what, what waits for what. Each
// plays its few steps on whole cores; the world checks its books and its people after every one.
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

constexpr std::size_t kAll = 1 << 20;

SimOptions calm(std::size_t cores = 1, std::size_t mesh_capacity = 4096) {
    SimOptions options;
    options.cores = cores;
    options.mesh_capacity = mesh_capacity;
    options.calm = true;
    return options;
}

/// Slices end after each send, so that a pass takes as many turns as it has subscribers.
SimOptions one_send_per_turn(std::size_t cores = 1) {
    SimOptions options = calm(cores);
    options.send_batch = 1;
    options.per_reading = milliseconds{1};
    return options;
}

/// What arrived is taken up and worked on: one turn, and what is needed for it.
void run(SimWorld& world, std::size_t core, int turns = 1) {
    for (; turns > 0; --turns) {
        world.ring(core).progress();
        world.turn(core);
        world.check();
    }
}

pubsub::LocalChannel* channel_on(SimWorld& world, std::size_t core, std::string_view name) {
    auto& channels = world.core(core).channels;
    return channels.get(channels.find(pubsub::channel_key(0, name)));
}

SimPublisher::Event event(std::vector<std::string> channels, std::string padding = {}) {
    return {std::move(channels), std::move(padding), Priority::normal, nullptr};
}

void publish(SimPublisher& publisher, const SimPublisher::Event& what) {
    publisher.publish(what);
    publisher.write(kAll);
}

}  // namespace

// ---- the failing client

TEST_CASE("H5 H1 a client that fails costs its own twenty entries, once, among a thousand clients in each channel") {
    constexpr std::size_t kClients = 1000;
    constexpr std::size_t kChannels = 20;
    SimOptions options = calm();
    options.calm = false;  // somebody is cut
    SimWorld world(options);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kChannels; ++i) names.push_back(world.channel_at(0, i));
    std::vector<SimClient*> people;
    for (std::size_t i = 0; i < kClients; ++i) people.push_back(&world.connect(0));
    world.settle();
    for (SimClient* person : people)
        for (const auto& name : names) person->subscribe(name);
    world.settle();

    std::vector<std::vector<pubsub::Subscriber>> before;
    for (const auto& name : names) before.push_back(channel_on(world, 0, name)->subscribers);
    server::Stats& stats = world.stats(0);
    const auto closes = [&] {
        std::uint64_t n = 0;
        for (const auto& of_code : stats.closes)
            for (const auto& counter : of_code) n += counter.value();
        return n;
    };
    REQUIRE(closes() == 0);
    REQUIRE(stats.subscriptions.value() == static_cast<std::int64_t>(kClients * kChannels));

    people[kClients / 3]->reset();
    run(world, 0, 3);
    CHECK(closes() == 1);
    CHECK(stats.subscriptions.value() == static_cast<std::int64_t>((kClients - 1) * kChannels));
    std::size_t written = 0;
    for (std::size_t c = 0; c < kChannels; ++c) {
        const auto& now = channel_on(world, 0, names[c])->subscribers;
        REQUIRE(now.size() == kClients - 1);
        for (std::size_t i = 0; i < now.size(); ++i) written += now[i].slot != before[c][i].slot ? 1 : 0;
    }
    CHECK(written == kChannels);  // the last of each list is in the place of the one that went
    world.settle();
    CHECK(closes() == 1);
    CHECK(world.core(0).clients.size() == kClients - 1);
}

// ---- input

TEST_CASE("A15 short input does not wait behind a flood") {
    constexpr std::size_t kFloodBytes = 30'000;
    SimOptions options = one_send_per_turn();
    options.short_bytes = 700;
    options.ring.buffer_bytes = 1024;
    SimWorld world(options);
    SimClient& listener = world.subscriber(0, {"room"});
    SimPublisher& publisher = world.connect_publisher(0);
    std::vector<SimPublisher*> floods;
    for (int i = 0; i < 8; ++i) floods.push_back(&world.connect_publisher(0));
    world.settle();
    for (SimPublisher* flood : floods) {
        for (std::size_t bytes = 0; bytes < kFloodBytes; bytes += 1000)
            flood->publish(event({"elsewhere"}, std::string(1000, 'x')));
        flood->write(kAll);
    }
    run(world, 0, 3);
    REQUIRE(world.core(0).intake.waiting());
    publish(publisher, event({"room"}));
    run(world, 0, 3);
    listener.read(kAll);
    CHECK(listener.numbers().size() == 1);
    CHECK(world.core(0).intake.waiting());
    world.settle();
    for (const SimPublisher* flood : floods) CHECK(flood->idle());
    world.end();
}

TEST_CASE("A31 who says more than its share is received from again when that has been looked at") {
    SimOptions options = one_send_per_turn();
    options.short_bytes = 200;
    options.ring.buffers = 1024;
    SimWorld world(options);
    SimPublisher& flood = world.connect_publisher(0);
    world.settle();
    const std::uint32_t buffers = world.ring(0).buffers_free();
    for (int i = 0; i < 300; ++i) flood.publish(event({"room"}, std::string(1000, 'x')));
    flood.write(kAll);
    std::uint32_t most = 0;
    for (int i = 0; i < 100; ++i) {
        run(world, 0);
        most = std::max(most, buffers - world.ring(0).buffers_free());
    }
    CHECK(most >= server::Intake::kPiecesMax);
    CHECK(most <= server::Intake::kPiecesMax + 16);  // and what came before the cancel took effect
    world.settle();
    CHECK(world.ring(0).buffers_free() == buffers);
    world.end();
}

TEST_CASE("A14 receives are armed while there are buffers for them: when all come and speak at once none finds none") {
    SimOptions options = calm();
    options.ring.sq_entries = 256;
    options.ring.cq_entries = 1024;
    SimWorld world(options);
    std::vector<SimPublisher*> people;
    for (int i = 0; i < 60; ++i) {
        people.push_back(&world.connect_publisher(0));
        people.back()->publish(event({"room"}, std::string(1500, 'x')));
        people.back()->write(kAll);
    }
    world.settle();
    for (const SimPublisher* person : people) CHECK(person->idle());
    CHECK(world.ring(0).figures().no_buffers == 0);
    world.end();
}

TEST_CASE("A31 of receives that ended since much came a few are armed per turn, and each has its turn") {
    constexpr std::size_t kArmsOfMany = 16;
    SimOptions options = calm();
    options.ring.buffers = 1024;
    options.ring.sq_entries = 256;
    options.ring.cq_entries = 4096;
    SimWorld world(options);
    std::vector<SimPublisher*> floods;
    for (int i = 0; i < 60; ++i) floods.push_back(&world.connect_publisher(0));
    world.settle();
    world.ring(0).faults.recv_ends = 1000;  // as if each piece reached the limit
    const auto received = [&] { return world.stats(0).bytes_received.value(); };
    for (SimPublisher* flood : floods) {
        for (int i = 0; i < 5; ++i) flood->publish(event({"room"}, std::string(1000, 'x')));
        flood->write(kAll);
    }
    run(world, 0, 2);  // those that were armed before
    for (int i = 0; i < 20; ++i) {
        const std::uint64_t before = received();
        run(world, 0);
        CHECK(received() - before <= 2 * kArmsOfMany * options.ring.buffer_bytes);
    }
    world.settle();
    for (const SimPublisher* flood : floods) CHECK(flood->idle());
    world.end();
}

// ---- joining and leaving

TEST_CASE("a join answered after a leave, under a stale nonce, inserts nothing") {
    SimWorld world(calm(2));
    const std::string channel = world.channel_at(1);
    SimClient& client = world.subscriber(0, {});
    client.subscribe(channel);
    client.write(kAll);
    run(world, 0);
    run(world, 1);  // the answer is on its way
    client.unsubscribe(channel);
    client.in(channel).state = State::out;
    client.subscribe(channel);
    client.write(kAll);
    run(world, 0);
    REQUIRE(channel_on(world, 0, channel) != nullptr);
    CHECK(channel_on(world, 0, channel)->live == 0);
    CHECK(channel_on(world, 0, channel)->joins_pending == 1);
    world.settle();
    CHECK(channel_on(world, 0, channel)->live == 1);
    CHECK(client.in(channel).confirmations() == 1);
    publish(world.connect_publisher(1), event({channel}));
    world.settle();
    CHECK(client.numbers().size() == 1);
    world.check_rest();
}

TEST_CASE("a leave while a pass walks leaves a tombstone and skips nobody") {
    SimWorld world(one_send_per_turn());
    std::vector<SimClient*> clients;
    for (int i = 0; i < 6; ++i) clients.push_back(&world.subscriber(0, {"room"}));
    publish(world.connect_publisher(0), event({"room"}));
    pubsub::LocalChannel& channel = *channel_on(world, 0, "room");
    for (int i = 0; i < 20 && !channel.pass.active(); ++i) run(world, 0);
    REQUIRE(channel.pass.active());
    REQUIRE(channel.pass.cursor >= 1);
    REQUIRE(channel.pass.cursor < 4);
    clients[0]->unsubscribe("room");  // served already
    clients[5]->unsubscribe("room");  // not yet
    clients[0]->write(kAll);
    clients[5]->write(kAll);
    run(world, 0);
    REQUIRE(channel.pass.active());
    CHECK(channel.live == 4);
    CHECK(channel.subscribers.size() == 6);
    CHECK(std::ranges::count_if(channel.subscribers, &pubsub::Subscriber::is_gone) == 2);
    world.settle();
    CHECK(channel.subscribers.size() == 4);
    for (int i = 0; i < 5; ++i) CHECK(clients[static_cast<std::size_t>(i)]->numbers().size() == 1);
    CHECK(clients[5]->numbers().empty());
    CHECK(world.dropped(DropReason::unsubscribed) == 1);
    world.check_rest();
}

TEST_CASE("a join during a pass gets nothing that was gathered before") {
    SimWorld world(one_send_per_turn());
    std::vector<SimClient*> clients;
    for (int i = 0; i < 6; ++i) clients.push_back(&world.subscriber(0, {"room"}));
    SimClient& late = world.subscriber(0, {});
    SimPublisher& publisher = world.connect_publisher(0);
    publish(publisher, event({"room"}, "first"));
    pubsub::LocalChannel& channel = *channel_on(world, 0, "room");
    for (int i = 0; i < 20 && !channel.pass.active(); ++i) run(world, 0);
    REQUIRE(channel.pass.active());
    publish(publisher, event({"room"}, "gathered meanwhile"));
    for (int i = 0; i < 3 && channel.gathered.empty(); ++i) run(world, 0);
    REQUIRE(channel.pass.active());
    REQUIRE(channel.gathered.size() == 1);
    late.subscribe("room");
    late.write(kAll);
    run(world, 0);
    REQUIRE(channel.live == 7);
    world.settle();
    publish(publisher, event({"room"}, "after"));
    world.settle();
    for (const SimClient* client : clients) CHECK(client->numbers() == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(late.numbers() == std::vector<std::uint64_t>{3});
    world.check_rest();
}

TEST_CASE("a channel that ended and begins anew does not send the joiner what its former life gathered") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {  // in some of them the last leave comes before the join
        SimOptions options = one_send_per_turn();
        options.seed = seed;
        SimWorld world(options);
        std::vector<SimClient*> clients;
        for (int i = 0; i < 4; ++i) clients.push_back(&world.subscriber(0, {"room"}));
        SimClient& late = world.subscriber(0, {});
        SimPublisher& publisher = world.connect_publisher(0);
        publish(publisher, event({"room"}, "first"));
        pubsub::LocalChannel& channel = *channel_on(world, 0, "room");
        for (int i = 0; i < 20 && !channel.pass.active(); ++i) run(world, 0);
        publish(publisher, event({"room"}, "gathered meanwhile"));
        for (int i = 0; i < 3 && channel.gathered.empty(); ++i) run(world, 0);
        REQUIRE(channel.pass.active());
        REQUIRE(channel.gathered.size() == 1);
        // At the home nobody is left, while here the pass still walks.
        for (SimClient* client : clients) {
            client->unsubscribe("room");
            client->write(kAll);
        }
        late.subscribe("room");
        late.write(kAll);
        run(world, 0);
        world.settle();
        publish(publisher, event({"room"}, "after"));
        world.settle();
        CHECK(late.numbers() == std::vector<std::uint64_t>{3});
        world.check_rest();
    }
}

TEST_CASE("unsubscribing purges what is queued, the message on its way excepted") {
    SimOptions options = calm();
    options.config.socket_send_buffer = 10;
    SimWorld world(options);
    SimClient& client = world.subscriber(0, {"room", "other"}, 100);
    SimPublisher& publisher = world.connect_publisher(0);
    publish(publisher, event({"room"}, std::string(200, 'x')));
    world.settle_but(client);
    for (int i = 0; i < 4; ++i) publisher.publish(event({"room"}, std::string(200, 'x')));
    publisher.publish(event({"other"}));
    publisher.write(kAll);
    world.settle_but(client);
    client.unsubscribe("room");
    world.settle_but(client);
    CHECK(world.dropped(DropReason::unsubscribed) == 4);
    world.settle();
    CHECK(client.numbers() == std::vector<std::uint64_t>{1, 6});
}

// ---- order

TEST_CASE("a publication to several channels is all or nothing when a ring is full") {
    SimWorld world(calm(2, 8));
    const std::string here = world.channel_at(0);
    const std::string there = world.channel_at(1);
    SimClient& client = world.subscriber(0, {here});
    std::vector<SimPublisher*> publishers;
    for (int i = 0; i < 6; ++i) publishers.push_back(&world.connect_publisher(0));
    world.settle();
    // Core 1 stands still: the credit for it is used up.
    for (int i = 0; i < 4; ++i) publish(*publishers[static_cast<std::size_t>(i)], event({there}));
    run(world, 0, 3);
    publish(*publishers[4], event({here, there}));
    run(world, 0, 3);
    publishers[4]->read(kAll);
    CHECK(publishers[4]->statuses().empty());  // it waits for room, but not for ever
    world.clock.advance(milliseconds{1001});
    run(world, 0, 3);
    publishers[4]->read(kAll);
    CHECK(publishers[4]->statuses() == std::vector<int>{503});
    publish(*publishers[5], event({here}));
    world.settle();
    CHECK(client.numbers() == std::vector<std::uint64_t>{6});
    publish(*publishers[4], event({here, there}));
    world.settle();
    CHECK(publishers[4]->statuses() == std::vector<int>{503, 200});
    CHECK(client.numbers() == std::vector<std::uint64_t>{6, 7});
}

TEST_CASE("a home core does not sequence into a ring that is 80 % full, and goes on when it is drained") {
    constexpr std::size_t kCapacity = 32;
    SimWorld world(calm(2, kCapacity));
    const std::string channel = world.channel_at(0);
    const std::string elsewhere = world.channel_at(0, 1);
    SimClient& client = world.subscriber(1, {channel});
    std::vector<SimPublisher*> publishers;
    for (std::size_t i = 0; i < 48; ++i) publishers.push_back(&world.connect_publisher(0));
    world.settle();
    for (SimPublisher* publisher : publishers) {
        publish(*publisher, event({channel}));
        run(world, 0, 2);
    }
    run(world, 0, 10);
    const std::uint64_t under_way = world.stats(0).broadcast_sent.value() - world.stats(1).broadcast_taken.value();
    CHECK(under_way >= kCapacity * 8 / 10 - 1);
    CHECK(under_way <= kCapacity * 8 / 10 + 1);
    CHECK(world.core(0).home.waiting());
    CHECK(world.core(0).port.outbox_size() == 0);
    world.settle();
    CHECK_FALSE(world.core(0).home.waiting());
    std::size_t taken = 0;
    for (SimPublisher* publisher : publishers) taken += publisher->statuses() == std::vector<int>{200} ? 1 : 0;
    CHECK(client.numbers().size() == taken);
    publish(*publishers[0], event({channel, elsewhere}));
    world.settle();
    CHECK(client.numbers().size() == taken + 1);
    world.check_rest();
}

TEST_CASE("control and data never overtake, also through an outbox") {
    SimWorld world(calm(2, 8));
    const std::string channel = world.channel_at(0);
    SimClient& first = world.subscriber(1, {channel});
    SimPublisher& publisher = world.connect_publisher(0);
    std::vector<SimClient*> joiners;
    for (int i = 0; i < 30; ++i) joiners.push_back(&world.connect(1, SimClient::Kind::feed, channel));
    for (SimClient* joiner : joiners) joiner->write(kAll);
    std::size_t outbox_most = 0;
    for (int round = 0; round < 12; ++round) {
        publish(publisher, event({channel}));
        run(world, 0, 2);
        if (round % 3 == 0) run(world, 1);
        outbox_most = std::max({outbox_most, world.core(0).port.outbox_size(), world.core(1).port.outbox_size()});
        publisher.read(kAll);
    }
    CHECK(outbox_most > 0);
    world.settle();
    publish(publisher, event({channel}));
    world.settle();
    CHECK(first.numbers().size() == world.scene.model.order(channel).size());
    for (const SimClient* joiner : joiners) CHECK_FALSE(joiner->numbers().empty());
    world.check_rest();  // and that each got all from its join on
}

// ---- sends

TEST_CASE(
    "H4 a reader that stands still has eight of ten places for normal messages, exactly, and all ten for urgent ones") {
    SimOptions options = calm();
    options.config.socket_send_buffer = 10;
    options.config.queue_messages = 10;
    options.config.overflow = OverflowPolicy::drop_newest;
    SimWorld world(options);
    SimClient& client = world.subscriber(0, {"room"}, 100);
    SimPublisher& publisher = world.connect_publisher(0);
    publish(publisher, event({"room"}, std::string(200, 'x')));  // goes in part, and waits
    world.settle_but(client);
    const auto places = [&] { return world.find(client.connection())->out->queue.size(); };
    CHECK(places() == 1);
    for (int i = 0; i < 20; ++i) publish(publisher, event({"room"}));
    world.settle_but(client);
    CHECK(places() == 8);
    CHECK(world.dropped(DropReason::queue_threshold) == 13);
    for (int i = 0; i < 2; ++i) {
        publish(publisher, {{"room"}, {}, Priority::urgent, nullptr});
        world.settle_but(client);
    }
    CHECK(places() == 10);
    world.settle();
    CHECK(client.numbers() == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 22, 23});
}

TEST_CASE("what several channels have for one client in one turn is one send") {
    SimWorld world(calm());
    SimClient& client = world.subscriber(0, {"a", "b", "c"});
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    const std::uint64_t before = client.connection().sends;
    publish(publisher, event({"a", "b", "c"}));
    world.settle();
    CHECK(client.numbers().size() == 3);
    CHECK(client.connection().sends == before + 1);
}

TEST_CASE("a short inline send goes on where it stopped, with control frames between frames only") {
    SimOptions options = calm();
    options.config.socket_send_buffer = 10;
    SimWorld world(options);
    SimClient& client = world.subscriber(0, {"room"}, 60);
    SimPublisher& publisher = world.connect_publisher(0);
    publish(publisher, event({"room"}, std::string(300, 'x')));
    world.settle_but(client);
    CHECK(client.connection().outbound.size() == 70);  // cut inside the frame
    client.ping();
    publish(publisher, event({"room"}, "second"));
    world.settle_but(client);
    world.settle();
    CHECK(client.numbers() == std::vector<std::uint64_t>{1, 2});
    CHECK(client.pongs() == 1);
}

TEST_CASE("A15 who reads none of the answers to a flood is closed with 4100, and reads that") {
    SimOptions options = calm();
    options.calm = false;  // it is told of its fault
    options.config.socket_send_buffer = 10;
    SimWorld world(options);
    SimClient& client = world.subscriber(0, {"room"}, 60);
    for (int i = 0; i < 200; ++i) client.pusher_ping();
    client.write(kAll);
    world.settle_but(client);
    world.settle();
    CHECK(client.close_code() == 4100);
    world.check_rest();
}

TEST_CASE("nothing follows the close frame, whatever was under way when the close began") {
    SimOptions options = calm();
    options.calm = false;
    options.config.socket_send_buffer = 10;
    SimWorld world(options);
    SimClient& client = world.subscriber(0, {"room"}, 60);
    client.rude = true;
    SimPublisher& publisher = world.connect_publisher(0);
    for (int i = 0; i < 6; ++i) publisher.publish(event({"room"}, std::string(100, 'x')));
    world.settle_but(client);
    client.read(200);  // the first is through; several wait with the kernel
    run(world, 0, 2);
    client.close_with_frame(1000);
    client.write(kAll);
    run(world, 0, 2);
    client.read(50);
    world.ring(0).faults.shortage = 1000;  // and the kernel gives up on them
    run(world, 0, 2);
    world.ring(0).faults = {};
    client.connection().window = kAll;
    world.settle();  // the reader refuses frames behind the close frame
    CHECK(client.close_code() == 1000);
    CHECK(client.gone());
}

// ---- endings

namespace {

enum class Stage { connected, half_a_request, open, behind, joining, closing };
enum class Way { close_frame, end_of_input, reset, time };

/// Brings a client to a stage and ends it in a way; then nothing may be left of it, and its descriptor was closed once.
void end_at(Stage stage, Way way) {
    SimOptions options;
    options.cores = 2;
    options.config.socket_send_buffer = 10;
    SimWorld world(options);
    const std::string channel = world.channel_at(1);
    SimPublisher& publisher = world.connect_publisher(1);
    SimClient* client = nullptr;
    if (stage == Stage::connected || stage == Stage::half_a_request) {
        client = &world.connect(0);
        if (stage == Stage::half_a_request) client->write(20);
        run(world, 0, 2);
    } else if (stage == Stage::joining) {
        client = &world.connect(0, SimClient::Kind::feed, channel);
        client->write(kAll);
        run(world, 0, 2);  // core 1 does not answer yet
    } else {
        client = &world.subscriber(0, {channel}, 80);
        if (stage == Stage::behind) {
            for (int i = 0; i < 5; ++i) publisher.publish(event({channel}, std::string(100, 'x')));
            world.settle_but(*client);
        }
        if (stage == Stage::closing) {
            client->say(std::string(40'000, 'x'));  // too big: it will be closed
            client->write(kAll);
            run(world, 0);
        }
    }
    switch (way) {
        case Way::close_frame: client->upgraded() ? client->close_with_frame(1000) : client->finish(); break;
        case Way::end_of_input: client->finish(); break;
        case Way::reset: client->reset(); break;
        case Way::time: client->reads_at_once = 0; break;
    }
    if (way != Way::time) client->write(kAll);
    for (int i = 0; i < 40; ++i) {
        run(world, 0);
        if (i > 3) run(world, 1);
        if (way != Way::time && stage != Stage::behind) client->read(kAll);
        world.clock.advance(milliseconds{way == Way::time ? 4000 : 300});
    }
    CHECK(world.find(client->connection()) == nullptr);
    CHECK(world.core(0).clients.size() == 0);
    if (!client->gone()) client->reset();
    world.settle();
    world.end();
}

}  // namespace

TEST_CASE("a client is closed exactly once, from every stage and in every way") {
    for (const Stage stage :
         {Stage::connected, Stage::half_a_request, Stage::open, Stage::behind, Stage::joining, Stage::closing}) {
        for (const Way way : {Way::close_frame, Way::end_of_input, Way::reset, Way::time}) {
            INFO("stage " << static_cast<int>(stage) << ", way " << static_cast<int>(way));
            end_at(stage, way);
        }
    }
}

TEST_CASE("a slot is not used again while the kernel holds an operation of it") {
    SimOptions options;
    options.config.socket_send_buffer = 10;
    SimWorld world(options);
    SimClient& client = world.subscriber(0, {"room"}, 80);
    SimPublisher& publisher = world.connect_publisher(0);
    for (int i = 0; i < 3; ++i) publisher.publish(event({"room"}, std::string(100, 'x')));
    world.settle_but(client);
    const server::Client* served = world.find(client.connection());
    REQUIRE(served != nullptr);
    REQUIRE(served->sending);
    const std::uint64_t id = served->id;
    world.ring(0).faults.delay = 1000;
    client.reset();
    for (int i = 0; i < 50 && world.core(0).find(id)->state != server::ClientState::dead; ++i) run(world, 0);
    REQUIRE(world.core(0).find(id)->state == server::ClientState::dead);
    SimClient& next = world.connect(0);
    int turns = 0;
    for (; turns < 200 && world.core(0).find(id) != nullptr; ++turns) {
        run(world, 0);
        if (const server::Client* fresh = world.find(next.connection()))
            CHECK(static_cast<std::uint32_t>(fresh->id) != static_cast<std::uint32_t>(id));
    }
    CHECK(turns > 0);
    CHECK(world.core(0).find(id) == nullptr);
    world.ring(0).faults = {};
    world.settle();
    world.end();
}

TEST_CASE("slots are used again first in, first out") {
    SimWorld world(calm());
    std::vector<SimClient*> clients;
    std::vector<std::uint32_t> slots;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(&world.subscriber(0, {}));
        slots.push_back(world.find(clients.back()->connection())->slot());
    }
    for (const std::size_t i : {2U, 0U, 3U}) {
        clients[i]->reset();
        world.settle();
    }
    for (const std::size_t i : {2U, 0U, 3U})
        CHECK(world.find(world.subscriber(0, {}).connection())->slot() == slots[i]);
}

// ---- no core waits for another

TEST_CASE("clients pause while the mesh is tight, and nothing of theirs is lost") {
    SimWorld world(calm(2, 16));
    const std::string channel = world.channel_at(1, 0, "private-");
    SimClient& sender = world.subscriber(0, {channel});
    SimClient& other = world.subscriber(0, {channel});
    SimClient& receiver = world.subscriber(1, {channel});
    for (int i = 0; i < 100; ++i) {
        sender.client_event(channel, "");
        other.client_event(channel, "");
    }
    sender.write(kAll);
    other.write(kAll);
    run(world, 0, 5);  // core 1 stands still
    CHECK(world.core(0).life.paused() == 2);
    CHECK(world.scene.model.order(channel).empty());
    world.settle();
    CHECK(world.core(0).life.paused() == 0);
    CHECK(receiver.numbers().size() == 200);
    CHECK(sender.numbers().size() == 100);
    CHECK(sender.errors() == 0);
    world.check_rest();
}

TEST_CASE("a stream's message that finds no room comes again, and those behind it do not overtake it") {
    SimOptions options = calm(2, 8);
    options.ring.buffer_bytes = 4096;  // all of it in one piece
    SimWorld world(options);
    const std::string a = world.channel_at(1, 0);
    const std::string b = world.channel_at(1, 1);
    SimClient& client = world.subscriber(1, {a, b});
    SimPublisher& stream = world.connect_publisher(0, SimPublisher::Mode::stream);
    std::vector<SimPublisher*> others;
    for (int i = 0; i < 3; ++i) others.push_back(&world.connect_publisher(0));
    world.settle();
    for (SimPublisher* other : others) publish(*other, event({b}));
    run(world, 0, 3);               // core 1 stands still
    stream.publish(event({a, b}));  // room for one is left, not for two
    stream.publish(event({a}));
    stream.write(kAll);
    run(world, 0, 3);
    world.settle();
    CHECK(world.scene.model.order(a) == std::vector<std::uint64_t>{4, 5});
    CHECK(client.numbers().size() == 6);
    world.check_rest();
}

TEST_CASE("client events of many clients in one turn are not refused, they wait") {
    SimWorld world(calm(1, 16));
    std::vector<SimClient*> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(&world.subscriber(0, {"private-room"}));
    for (SimClient* client : clients) {
        client->client_event("private-room", "");
        client->client_event("private-room", "");
        client->write(kAll);
    }
    world.settle();
    for (const SimClient* client : clients) CHECK(client->numbers().size() == 22);
    world.check_rest();
}

TEST_CASE("a Feed client that waits for its channel is not pinged before its upgrade is answered") {
    SimOptions options = calm(2);
    SimWorld world(options);
    const std::string channel = world.channel_at(1);
    SimClient& client = world.connect(0, SimClient::Kind::feed, channel);
    client.write(kAll);
    run(world, 0, 3);
    for (int i = 0; i < 35; ++i) {  // core 1 stands still
        world.clock.advance(std::chrono::seconds{1});
        run(world, 0);
    }
    world.settle();
    CHECK(client.upgraded());  // the reader refuses anything before the 101
    world.check_rest();
}

TEST_CASE("messages that wait for the kernel's memory are given up with their channel") {
    SimOptions options = calm();
    options.calm = false;
    options.config.socket_send_buffer = 10;
    SimWorld world(options);
    SimClient& client = world.subscriber(0, {"room"}, 80);
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    publish(publisher, event({"room"}));
    for (int i = 0; i < 3 && !world.core(0).fanout.busy() && client.connection().outbound.empty(); ++i) {
        world.ring(0).faults.shortage = 1000;
        run(world, 0);
    }
    client.unsubscribe("room");
    client.write(kAll);
    run(world, 0, 3);
    world.ring(0).faults = {};
    world.settle();
    CHECK(client.numbers().empty());
    CHECK(world.core(0).sender.outflows() == 0);
    world.check_rest();
}

// ---- large messages

namespace {

/// Every message counts as a large one.
SimOptions all_large() {
    SimOptions options = calm();
    options.zero_copy_from = 1;
    return options;
}

std::uint64_t sends_without_copy(SimWorld& world) { return world.ring(0).figures().zc_sends; }

}  // namespace

TEST_CASE("DESIGN 8 a frame is held until the kernel's notification, though its client is gone") {
    SimOptions options = all_large();
    options.calm = false;
    SimWorld world(options);
    SimClient& client = world.subscriber(0, {"room"});
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    REQUIRE(world.core(0).sender.zero_copy().held() == 0);
    // Until a notification comes late enough for the end of a client to fit in between.
    bool seen = false;
    for (int attempt = 0; attempt < 20 && !seen; ++attempt) {
        const std::uint64_t before = sends_without_copy(world);
        publish(publisher, event({"room"}));
        for (int i = 0; i < 10 && sends_without_copy(world) == before; ++i) run(world, 0);
        REQUIRE(sends_without_copy(world) == before + 1);
        client.read(kAll);
        run(world, 0, 6);
        seen = world.core(0).sender.zero_copy().held() == 1 && world.core(0).sender.outflows() == 0;
        if (seen) client.reset();
        if (!seen) world.settle();
    }
    REQUIRE(seen);
    run(world, 0, 2);
    CHECK(world.core(0).holds.in_use() == world.core(0).sender.zero_copy().held());
    world.settle();
    CHECK(world.core(0).sender.zero_copy().held() == 0);
    CHECK(world.core(0).holds.in_use() == 0);
    world.end();
}

TEST_CASE("DESIGN 2 where the kernel copies after all, large messages are soon copied by us") {
    for (const bool copies : {true, false}) {
        SimWorld world(all_large());
        world.ring(0).faults.copied = copies ? 1000 : 0;
        SimClient& client = world.subscriber(0, {"room"});
        SimPublisher& publisher = world.connect_publisher(0);
        for (int i = 0; i < 50; ++i) {
            publish(publisher, event({"room"}));
            world.settle();
        }
        CHECK(client.numbers().size() == 50);
        if (copies) CHECK(sends_without_copy(world) == server::ZeroCopyRoute::kWindow);
        if (!copies) CHECK(sends_without_copy(world) >= 50);
        CHECK(world.core(0).sender.zero_copy().routes_off() == (copies ? 1 : 0));
        world.end();
    }
}

TEST_CASE("joined messages of 16 KiB and more together go to all at once, not through the clients' queues") {
    constexpr std::size_t kTogether = 40;
    SimWorld world(one_send_per_turn());
    std::vector<SimClient*> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(&world.subscriber(0, {"room"}));
    SimPublisher& publisher = world.connect_publisher(0);
    world.settle();
    const std::uint64_t queues = world.core(0).sender.outflow_bytes();
    for (std::size_t i = 0; i < kTogether; ++i) publisher.publish(event({"room"}, std::string(1024, 'x')));
    publisher.write(kAll);
    bool joined = false;
    for (int i = 0; i < 400 && (i < 50 || world.core(0).fanout.busy()); ++i) {
        run(world, 0);
        for (SimClient* client : clients) client->read(kAll);
        const auto& pass = channel_on(world, 0, "room")->pass;
        joined |= pass.bytes >= kZeroCopyBytes && pass.messages.size() > 1;
    }
    CHECK(joined);
    CHECK(world.core(0).sender.outflow_bytes() == queues);
    CHECK(sends_without_copy(world) == 0);
    world.settle();
    for (const SimClient* client : clients) CHECK(client->numbers().size() == kTogether);
    world.end();
}

TEST_CASE("a send without a copy that is refused is made with one, and nothing is lost") {
    SimWorld world(all_large());
    world.ring(0).faults.zc_refused = 1000;
    SimClient& client = world.subscriber(0, {"room"});
    SimPublisher& publisher = world.connect_publisher(0);
    for (int i = 0; i < 5; ++i) publish(publisher, event({"room"}));
    world.settle();
    CHECK(client.numbers().size() == 5);
    CHECK(sends_without_copy(world) >= 1);
    CHECK(world.core(0).sender.zero_copy().routes_off() == 1);
    world.end();
}

}  // namespace spillway::test
