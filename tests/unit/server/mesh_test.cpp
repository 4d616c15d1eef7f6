// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/mesh.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using namespace spillway::server;

namespace {

/// A ring that can only be woken, and counts it.
class WakeCounter final : public io::Ring {
public:
    /// Sleeps until a wake() that came since the last sleep, or the deadline; false = the deadline.
    bool sleep(std::chrono::seconds at_most) {
        std::unique_lock lock(mutex_);
        const bool woken = woken_.wait_for(lock, at_most, [this] { return pending_; });
        pending_ = false;
        return woken;
    }
    [[nodiscard]] int wakes() const { return wakes_.load(); }

    void wake() override {
        ++wakes_;
        {
            const std::lock_guard lock(mutex_);
            pending_ = true;
        }
        woken_.notify_one();
    }

    int start() override { return 0; }
    void accept(int, io::Token) override { unexpected(); }
    void recv(int, io::Token) override { unexpected(); }
    void cancel(io::Token) override { unexpected(); }
    void send_now(int, std::span<const std::byte>, io::Token) override { unexpected(); }
    void send_now(int, const msghdr*, io::Token) override { unexpected(); }
    void send_wait(int, const msghdr*, io::Token) override { unexpected(); }
    void send_zc(int, std::span<const std::byte>, io::Token) override { unexpected(); }
    void submit() override { unexpected(); }
    void wait(base::Duration) override { unexpected(); }
    std::size_t take(std::span<io::Completion>) override { return 0; }
    [[nodiscard]] std::span<const std::byte> buffer(const io::Completion&) const override { return {}; }
    void give_back(std::uint16_t) override { unexpected(); }
    [[nodiscard]] std::uint32_t buffers_free() const override { return 0; }
    void configure(int, std::uint64_t) override { unexpected(); }
    [[nodiscard]] io::PeerAddress peer(int) const override { return {}; }
    void shutdown(int, int) override { unexpected(); }
    void close(int) override { unexpected(); }
    [[nodiscard]] io::RingFigures figures() const override { return {}; }

private:
    static void unexpected() { SPILLWAY_ASSERT(false); }

    std::atomic<int> wakes_{0};
    std::mutex mutex_;
    std::condition_variable woken_;
    bool pending_ = false;
};

/// A mesh of a few cores in one thread, each with its port and its ring.
class Fixture {
public:
    explicit Fixture(std::size_t cores, std::size_t capacity) : mesh(cores, capacity), rings(cores + 1) {
        for (std::size_t i = 0; i <= cores; ++i) {
            ports.push_back(std::make_unique<MeshPort>(mesh, static_cast<CoreId>(i)));
            mesh.set_sleeper(static_cast<CoreId>(i), &rings[i]);
        }
    }
    MeshPort& port(CoreId i) { return *ports[i]; }
    void sends(CoreId from, CoreId to, std::uint32_t number) { port(from).send(to, Credit{number}); }
    void sends_many(CoreId from, CoreId to, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) sends(from, to, 0);
    }
    /// The numbers that arrive, with whoever sent them.
    std::vector<std::pair<int, std::uint32_t>> receives(CoreId at, std::size_t most = 1'000'000) {
        std::vector<std::pair<int, std::uint32_t>> got;
        port(at).drain(most,
                       [&](CoreId from, const Envelope& e) { got.emplace_back(from, std::get<Credit>(e).count); });
        return got;
    }

    Mesh mesh;
    std::vector<WakeCounter> rings;
    std::vector<std::unique_ptr<MeshPort>> ports;
};

using Got = std::vector<std::pair<int, std::uint32_t>>;

constexpr CoreId kA = 0;
constexpr CoreId kB = 1;

}  // namespace

// ---- order

TEST_CASE("an endpoint reaches every other, itself and the control thread", "[server][mesh]") {
    Fixture f(3, 4);
    CHECK(f.mesh.endpoints() == 4);
    CHECK(f.mesh.control() == 3);
    for (CoreId from = 0; from < 4; ++from)
        for (CoreId to = 0; to < 4; ++to) f.sends(from, to, from * 10U + to);
    for (CoreId from = 0; from < 4; ++from) f.port(from).flush();
    for (CoreId at = 0; at < 4; ++at) {
        CHECK_FALSE(f.port(at).inbox_empty());
        const Got got = f.receives(at);
        CHECK(got.size() == 4);
        for (const auto& [from, number] : got) CHECK(number == static_cast<std::uint32_t>(from) * 10U + at);
        CHECK(f.port(at).inbox_empty());
    }
}

TEST_CASE("every kind of envelope arrives as it was sent", "[server][mesh]") {
    Fixture f(2, 16);
    f.port(kA).send(kB, Join{.client = 7, .local = {1, 2}, .nonce = 9, .form = WireForm::feed});
    f.port(kA).send(kB, Leave{{1, 2}, WireForm::feed});
    f.port(kA).send(kB, Joined{7, 42, {1, 2}, 9});
    f.port(kA).send(kB, Sequenced{8, 3});
    f.port(kA).send(kB, Broadcast{nullptr, {1, 2}, 1000});
    f.port(kA).send(kB, Signal{Signal::What::force});
    f.port(kA).flush();
    std::vector<Envelope> got;
    REQUIRE(f.port(kB).drain(10, [&](CoreId, const Envelope& e) { got.push_back(e); }) == 6);
    CHECK(std::get<Join>(got[0]).nonce == 9);
    CHECK(std::get<Join>(got[0]).form == WireForm::feed);
    CHECK(std::get<Leave>(got[1]).local == LocalChannelId{1, 2});
    CHECK(std::get<Joined>(got[2]).first_seq == 42);
    CHECK(std::get<Sequenced>(got[3]).place == 3);
    CHECK(std::get<Broadcast>(got[4]).expected == 1000);
    CHECK(std::get<Signal>(got[5]).what == Signal::What::force);
}

TEST_CASE("another core sees what was sent with the next flush, or when a good many wait; this one at once",
          "[server][mesh]") {
    Fixture f(2, 64);
    f.sends(kA, kA, 1);
    CHECK(f.receives(kA) == Got{{kA, 1}});
    for (std::uint32_t i = 1; i < MeshPort::kStagedMost; ++i) f.sends(kA, kB, i);
    CHECK(f.port(kB).inbox_empty());
    CHECK(f.port(kA).depth() == MeshPort::kStagedMost - 1);
    f.sends(kA, kB, 0);
    CHECK(f.receives(kB).size() == MeshPort::kStagedMost);
    f.sends(kA, kB, 7);
    CHECK(f.receives(kB).empty());
    f.port(kA).flush();
    CHECK(f.receives(kB) == Got{{kA, 7}});
}

TEST_CASE("what does not fit waits in order, and nothing sent later overtakes it", "[server][mesh]") {
    Fixture f(2, 4);
    for (std::uint32_t i = 0; i < 10; ++i) f.sends(kA, kB, i);
    CHECK(f.port(kA).outbox_size() == 6);
    CHECK(f.port(kA).depth() == 10);
    CHECK(f.receives(kB, 2) == Got{{kA, 0}, {kA, 1}});
    // There is room in the ring again, but what comes now belongs behind what waits.
    f.sends(kA, kB, 10);
    CHECK(f.port(kA).outbox_size() == 7);
    CHECK(f.receives(kB) == Got{{kA, 2}, {kA, 3}});
    CHECK(f.receives(kB).empty());
    f.port(kA).flush();
    CHECK(f.port(kA).outbox_size() == 3);
    CHECK(f.receives(kB) == Got{{kA, 4}, {kA, 5}, {kA, 6}, {kA, 7}});
    f.port(kA).flush();
    CHECK_FALSE(f.port(kA).outbox_waiting());
    f.sends(kA, kB, 11);
    f.port(kA).flush();
    CHECK(f.receives(kB) == Got{{kA, 8}, {kA, 9}, {kA, 10}, {kA, 11}});
    f.port(kA).flush();
    CHECK(f.port(kA).depth() == 0);
}

TEST_CASE("a full ring to one core holds up nobody else", "[server][mesh]") {
    Fixture f(3, 2);
    f.sends_many(kA, kB, 5);
    f.sends(kA, 2, 77);
    f.port(kA).flush();
    CHECK(f.receives(2) == Got{{kA, 77}});
    CHECK(f.port(kA).outbox_size() == 3);
}

TEST_CASE("R12 order holds per pair of cores over random sends, flushes and drains", "[server][mesh]") {
    constexpr std::size_t kCores = 3;
    std::mt19937 random(17);
    Fixture f(kCores, 8);
    std::array<std::array<std::uint32_t, kCores>, kCores> sent{};
    std::array<std::array<std::uint32_t, kCores>, kCores> received{};
    for (int step = 0; step < 50'000; ++step) {
        const auto core = static_cast<CoreId>(random() % kCores);
        switch (random() % 8) {
            case 0:
            case 1:
            case 2:
            case 3: {
                const auto to = static_cast<CoreId>(random() % kCores);
                for (auto n = random() % 6; n != 0; --n) f.sends(core, to, sent[core][to]++);
                break;
            }
            case 4: f.port(core).flush(); break;
            default:
                for (const auto& [from, number] : f.receives(core, random() % 12))
                    REQUIRE(number == received[static_cast<std::size_t>(from)][core]++);
        }
    }
    for (int round = 0; round < 20'000; ++round) {
        for (CoreId core = 0; core < kCores; ++core) {
            for (const auto& [from, number] : f.receives(core))
                REQUIRE(number == received[static_cast<std::size_t>(from)][core]++);
            f.port(core).flush();
        }
    }
    CHECK(sent == received);
    for (CoreId core = 0; core < kCores; ++core) CHECK(f.port(core).depth() == 0);
}

TEST_CASE("drain takes what it may, and no source is starved by a busy one", "[server][mesh]") {
    Fixture f(3, 64);
    const auto refill = [&] {
        while (f.port(0).depth() < 64) f.sends(0, 2, 0);
    };
    f.sends(1, 2, 1);
    f.port(1).flush();
    std::size_t until_heard = 0;
    for (bool heard = false; !heard; ++until_heard) {
        REQUIRE(until_heard < 8);
        refill();
        const Got got = f.receives(2, 16);
        CHECK(got.size() <= 16);
        for (const auto& [from, number] : got) heard |= from == 1;
        f.port(0).flush();
    }
    CHECK(until_heard <= f.mesh.endpoints());
}

// ---- room and credit

TEST_CASE("credit limits publications to half a ring until the home takes them", "[server][mesh]") {
    Fixture f(2, 16);
    CHECK(f.port(kA).may_publish(kB, 8));
    f.sends_many(kA, kB, 5);
    f.port(kA).note_published(kB, 5);
    CHECK(f.port(kA).may_publish(kB, 3));
    CHECK_FALSE(f.port(kA).may_publish(kB, 4));
    f.sends_many(kA, kB, 3);
    f.port(kA).note_published(kB, 3);
    CHECK_FALSE(f.port(kA).may_publish(kB, 1));
    (void)f.receives(kB);  // room alone does not bring credit back
    CHECK_FALSE(f.port(kA).may_publish(kB, 1));
    f.port(kA).take_credit(kB, 3);
    CHECK(f.port(kA).may_publish(kB, 3));
    CHECK_FALSE(f.port(kA).may_publish(kB, 4));
    f.port(kA).take_credit(kB, 5);
    CHECK(f.port(kA).may_publish(kB, 8));
    // Credit is per home.
    f.port(kA).note_published(kB, 8);
    CHECK_FALSE(f.port(kA).may_publish(kB, 1));
    CHECK(f.port(kA).may_publish(kA, 8));
}

TEST_CASE("a request larger than the credit is taken when nothing is before it", "[server][mesh]") {
    Fixture f(2, 16);
    SECTION("than half a ring") {
        f.sends(kA, kB, 0);
        CHECK(f.port(kA).may_publish(kB, 15));
        CHECK_FALSE(f.port(kA).may_publish(kB, 16));
        f.port(kA).note_published(kB, 1);
        CHECK_FALSE(f.port(kA).may_publish(kB, 15));
    }
    SECTION("than the ring: alone, and the rest of it waits in order") {
        CHECK(f.port(kA).may_publish(kB, 20));
        for (std::uint32_t i = 0; i < 20; ++i) f.sends(kA, kB, i);
        f.port(kA).note_published(kB, 20);
        CHECK(f.port(kA).outbox_size() == 4);
        CHECK_FALSE(f.port(kA).may_publish(kB, 1));
        Got got = f.receives(kB);
        f.port(kA).flush();
        const Got rest = f.receives(kB);
        got.insert(got.end(), rest.begin(), rest.end());
        REQUIRE(got.size() == 20);
        for (std::uint32_t i = 0; i < 20; ++i) CHECK(got[i].second == i);
        CHECK_FALSE(f.port(kA).may_publish(kB, 1));
        f.port(kA).take_credit(kB, 20);
        CHECK(f.port(kA).may_publish(kB, 20));
    }
}

TEST_CASE("a promise to publish is one of room on the ring, and of nothing waiting", "[server][mesh]") {
    Fixture f(2, 16);
    f.sends_many(kA, kB, 12);
    CHECK(f.port(kA).may_publish(kB, 4));
    CHECK_FALSE(f.port(kA).may_publish(kB, 5));
    f.port(kA).flush();
    (void)f.receives(kB, 1);
    CHECK(f.port(kA).may_publish(kB, 5));
    f.sends_many(kA, kB, 5);
    CHECK_FALSE(f.port(kA).outbox_waiting());  // it was kept
    f.sends(kA, kB, 0);
    CHECK(f.port(kA).outbox_waiting());
    (void)f.receives(kB);
    CHECK_FALSE(f.port(kA).may_publish(kB, 1));
    f.port(kA).flush();
    CHECK(f.port(kA).may_publish(kB, 1));
}

TEST_CASE("R6 to a core that is behind little is sequenced, and little is published where publications wait",
          "[server][mesh]") {
    Fixture f(2, 4096);
    const auto fill = [&](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) f.port(kA).send(kB, Credit{0});
    };
    fill(31);
    f.port(kB).say_slow(true, true);
    CHECK_FALSE(f.port(kA).congested(kB));
    fill(1);
    CHECK(f.port(kA).congested(kB));
    CHECK_FALSE(f.port(kB).congested(kA));
    f.port(kB).say_slow(false, true);
    CHECK_FALSE(f.port(kA).congested(kB));

    CHECK(f.port(kA).may_publish(kB, 1000));  // nothing is under way: as much as ever
    f.port(kA).note_published(kB, 31);
    CHECK_FALSE(f.port(kA).tight());
    CHECK(f.port(kA).may_publish(kB, 1000));
    f.port(kA).note_published(kB, 1);
    CHECK(f.port(kA).tight());
    CHECK_FALSE(f.port(kA).may_publish(kB, 1));
    f.port(kB).say_slow(false, false);
    f.port(kA).flush();
    CHECK_FALSE(f.port(kA).tight());
    CHECK(f.port(kA).may_publish(kB, 1));
}

TEST_CASE("a ring is congested from 80 % on, exactly", "[server][mesh]") {
    Fixture f(2, 64);
    CHECK_FALSE(f.port(kA).congested(kB));
    f.sends_many(kA, kB, 51);  // 79.7 %
    CHECK_FALSE(f.port(kA).congested(kB));
    f.sends(kA, kB, 0);
    CHECK(f.port(kA).congested(kB));
    CHECK_FALSE(f.port(kA).congested(kA));
    (void)f.receives(kB, 1);
    CHECK_FALSE(f.port(kA).congested(kB));
}

TEST_CASE("while something waits for a ring it is congested, however empty", "[server][mesh]") {
    Fixture f(2, 4);
    f.sends_many(kA, kB, 5);
    (void)f.receives(kB);
    CHECK(f.port(kA).congested(kB));
    f.port(kA).flush();
    CHECK_FALSE(f.port(kA).congested(kB));
}

TEST_CASE("a port is tight while a destination has too little room or credit for one more message", "[server][mesh]") {
    constexpr std::size_t kMargin = 16;  // a quarter of so small a ring
    Fixture f(2, 64);
    MeshPort& port = f.port(kA);
    CHECK_FALSE(port.tight());
    SECTION("room: at once, and no longer with the flush that finds room") {
        f.sends_many(kA, kB, 64 - kMargin - 1);
        CHECK_FALSE(port.tight());
        f.sends(kA, kB, 0);
        CHECK(port.tight());
        port.flush();
        CHECK(port.tight());
        (void)f.receives(kB, 1);
        port.flush();
        CHECK_FALSE(port.tight());
    }
    SECTION("something waits") {
        f.sends_many(kA, kB, 65);
        CHECK(port.tight());
        (void)f.receives(kB, 1);
        port.flush();
        CHECK(port.tight());
        (void)f.receives(kB);
        port.flush();
        CHECK_FALSE(port.tight());
    }
    SECTION("room that was made meanwhile is seen before a send says that there is none") {
        f.sends_many(kA, kB, 40);
        port.flush();
        (void)f.receives(kB);
        f.sends_many(kA, kB, 64 - kMargin - 1);
        CHECK_FALSE(port.tight());
    }
    SECTION("credit: at once") {
        port.note_published(kB, 32 - kMargin);
        CHECK_FALSE(port.tight());
        port.flush();
        CHECK_FALSE(port.tight());
        port.note_published(kB, 1);
        CHECK(port.tight());
        port.flush();
        CHECK(port.tight());
        port.take_credit(kB, 1);
        port.flush();
        CHECK_FALSE(port.tight());
    }
    SECTION("a publication that was refused") {
        port.note_published(kB, 1);
        CHECK_FALSE(port.may_publish(kB, 32));
        CHECK(port.tight());
        port.flush();
        CHECK_FALSE(port.tight());
    }
}

// ---- sleeping

TEST_CASE("a sleeper is woken once per sleep, whoever sends and however much", "[server][mesh]") {
    Fixture f(3, 16);
    f.sends(kA, kB, 0);
    f.port(kA).flush();
    CHECK(f.rings[kB].wakes() == 0);  // it was awake
    CHECK_FALSE(f.port(kB).may_sleep());
    (void)f.receives(kB);
    f.port(kA).flush();

    CHECK(f.port(kB).may_sleep());
    f.port(kA).flush();  // nothing new for it
    f.sends(kA, 2, 0);
    f.port(kA).flush();
    CHECK(f.rings[kB].wakes() == 0);
    f.sends_many(kA, kB, 3);
    CHECK(f.rings[kB].wakes() == 0);  // with the flush, not with each send
    f.port(kA).flush();
    CHECK(f.rings[kB].wakes() == 1);
    f.sends_many(kA, kB, 3);
    f.port(kA).flush();
    f.sends(2, kB, 0);
    f.port(2).flush();
    CHECK(f.rings[kB].wakes() == 1);

    f.port(kB).awake();
    (void)f.receives(kB);
    CHECK(f.port(kB).may_sleep());
    f.sends(2, kB, 0);
    f.port(2).flush();
    CHECK(f.rings[kB].wakes() == 2);
    CHECK(f.port(kA).wakes() + f.port(2).wakes() == 2);
}

TEST_CASE("one who woke by itself is not woken", "[server][mesh]") {
    Fixture f(2, 16);
    CHECK(f.port(kB).may_sleep());
    f.port(kB).awake();
    f.sends(kA, kB, 0);
    f.port(kA).flush();
    CHECK(f.rings[kB].wakes() == 0);
    CHECK_FALSE(f.port(kB).may_sleep());  // and this leaves it awake
    f.sends(kA, kB, 0);
    f.port(kA).flush();
    CHECK(f.rings[kB].wakes() == 0);
}

TEST_CASE("what leaves an outbox wakes as well, and what one sends to oneself wakes nobody", "[server][mesh]") {
    Fixture f(2, 4);
    f.sends_many(kA, kB, 6);
    f.port(kA).flush();
    (void)f.receives(kB);
    CHECK(f.port(kB).may_sleep());
    f.port(kA).flush();
    CHECK(f.rings[kB].wakes() == 1);
    CHECK(f.receives(kB).size() == 2);

    f.sends(kA, kA, 0);
    f.port(kA).flush();
    CHECK(f.rings[kA].wakes() == 0);
    CHECK_FALSE(f.port(kA).may_sleep());
}

namespace {

constexpr std::chrono::seconds kLost{20};  // a wake-up that has not come by then was lost

/// Drains until `done`, sleeping whenever the inbox is found empty, by the protocol of the core's loop. Counts how often it
/// said that it would. False = slept for ever.
template <class Receive, class Done>
bool drain_and_sleep(MeshPort& port, WakeCounter& ring, std::uint64_t& attempts, Receive&& receive, Done&& done) {
    while (!done()) {
        if (port.drain(16, receive) != 0) {
            port.flush();
            continue;
        }
        port.flush();
        ++attempts;
        if (!port.may_sleep()) continue;
        const bool woken = ring.sleep(kLost);
        port.awake();
        if (!woken) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("no wake-up is lost while two cores play ping-pong", "[server][mesh][threads]") {
    constexpr std::uint32_t kRounds = 100'000;
    Mesh mesh(2, 4);
    std::array<WakeCounter, 2> rings;
    mesh.set_sleeper(kA, &rings[kA]);
    mesh.set_sleeper(kB, &rings[kB]);
    std::array<std::uint64_t, 2> attempts{};
    std::array<bool, 2> awake_to_the_end{};
    std::array<bool, 2> in_order{true, true};
    const auto play = [&](CoreId self, bool begins) {
        MeshPort port(mesh, self);
        const auto other = static_cast<CoreId>(1 - self);
        std::uint32_t expected = 0;
        if (begins) port.send(other, Credit{0});
        awake_to_the_end[self] = drain_and_sleep(
            port, rings[self], attempts[self],
            [&](CoreId, const Envelope& e) {
                in_order[self] = in_order[self] && std::get<Credit>(e).count == expected;
                ++expected;
                if (!begins || expected < kRounds) port.send(other, Credit{begins ? expected : expected - 1});
            },
            [&] { return expected == kRounds && !port.outbox_waiting(); });
        port.flush();
    };
    std::thread b([&] { play(kB, false); });
    play(kA, true);
    b.join();
    CHECK(awake_to_the_end == std::array{true, true});
    CHECK(in_order == std::array{true, true});
    for (const CoreId self : {kA, kB}) {
        CHECK(rings[self].wakes() > 0);
        CHECK(static_cast<std::uint64_t>(rings[self].wakes()) <= attempts[self]);  // one per sleep at most
    }
}

TEST_CASE("no wake-up is lost while two cores overflow a third", "[server][mesh][threads]") {
    constexpr std::uint32_t kEach = 20'000;
    constexpr CoreId kSink = 2;
    Mesh mesh(3, 8);
    WakeCounter ring;
    mesh.set_sleeper(kSink, &ring);
    std::array<std::thread, 2> sources;
    for (CoreId self = 0; self < 2; ++self) {
        sources[self] = std::thread([&mesh, self] {
            MeshPort port(mesh, self);
            std::mt19937 random(self + 1U);
            for (std::uint32_t i = 0; i < kEach || port.outbox_waiting();) {
                for (auto n = random() % 12; n != 0 && i < kEach; --n) port.send(kSink, Credit{i++});
                port.flush();
                if (port.outbox_waiting()) std::this_thread::yield();
            }
        });
    }
    MeshPort port(mesh, kSink);
    std::array<std::uint32_t, 2> next{};
    bool in_order = true;
    std::uint64_t attempts = 0;
    CHECK(drain_and_sleep(
        port, ring, attempts,
        [&](CoreId from, const Envelope& e) { in_order = in_order && std::get<Credit>(e).count == next[from]++; },
        [&] { return next[0] == kEach && next[1] == kEach; }));
    for (std::thread& source : sources) source.join();
    CHECK(in_order);
    CHECK(static_cast<std::uint64_t>(ring.wakes()) <= attempts);
}
