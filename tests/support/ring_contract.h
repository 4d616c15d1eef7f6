// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What every Ring promises, written once: the kernel's ring and the simulation's run the same clauses, so the
// simulation cannot drift from the machine. A test makes a world around its ring and runs all clauses:
//
//     for (const auto& clause : ring_contract())
//         DYNAMIC_SECTION(clause.name) { MyWorld world(clause.sizes); clause.check(world); }
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "io/ring.h"

namespace spillway::test {

/// The other end of a connection, as a test plays it.
class RemoteEnd {
public:
    virtual ~RemoteEnd() = default;
    virtual void send(std::string_view bytes) = 0;
    /// What has arrived, up to `max` bytes; empty when nothing waits just now.
    virtual std::string read_some(std::size_t max) = 0;
    /// No more input from here (FIN); what the ring sends is still read.
    virtual void finish() = 0;
    /// Gone at once (RST).
    virtual void reset() = 0;
};

struct RingSizes {
    unsigned sq_entries = 64;
    unsigned cq_entries = 256;
    unsigned buffers = 64;
    unsigned buffer_bytes = 256;
};

/// A started ring and the network around it.
class RingWorld {
public:
    virtual ~RingWorld() = default;
    virtual io::Ring& ring() = 0;
    /// A listening descriptor that the ring can accept on; always the same.
    virtual int listener() = 0;
    /// Connects to listener(), without waiting for the accept. `window` bounds what it takes in unread; 0 = ample.
    virtual std::unique_ptr<RemoteEnd> connect(std::size_t window) = 0;
    std::unique_ptr<RemoteEnd> connect() { return connect(0); }
};

struct RingClause {
    std::string name;
    RingSizes sizes;
    void (*check)(RingWorld&);
};

namespace contract {

using io::Completion;
using io::Op;
using io::Ring;
using io::Token;

inline constexpr base::Duration kStep = std::chrono::milliseconds(100);
inline constexpr int kStepsMax = 50;
inline constexpr int kNoDescriptor = 900'000;  // a number nobody has
inline constexpr std::uint32_t kGeneration = 0xABCDEF;

inline Token token(Op op, std::uint32_t slot = 0) { return {.op = op, .generation = kGeneration, .slot = slot}; }

inline std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string text(Ring& ring, const Completion& c) {
    const auto got = ring.buffer(c);
    return {reinterpret_cast<const char*>(got.data()), got.size()};
}

/// The next completion, waiting for it.
inline Completion next(Ring& ring) {
    Completion one;
    for (int step = 0; step < kStepsMax; ++step) {
        if (ring.take({&one, 1}) == 1) return one;
        ring.wait(kStep);
    }
    FAIL("no completion came");
    return one;
}

/// Everything that is there after the queued work was handed over, without waiting for more.
inline std::vector<Completion> take_all(Ring& ring) {
    std::vector<Completion> all;
    Completion chunk[4];
    while (const std::size_t n = ring.take(chunk)) all.insert(all.end(), chunk, chunk + n);
    return all;
}

/// True when neither the queue nor deferred work holds a completion.
inline bool quiet(Ring& ring) {
    for (int i = 0; i < 3; ++i) {
        ring.wait(base::Duration::zero());
        if (!take_all(ring).empty()) return false;
    }
    return true;
}

/// A connection, accepted by the ring with the accept request ended.
struct Connected {
    int fd = -1;
    std::unique_ptr<RemoteEnd> remote;
};

inline std::vector<Connected> connect(RingWorld& world, std::size_t count, std::size_t window = 0) {
    Ring& ring = world.ring();
    std::vector<Connected> all(count);
    ring.accept(world.listener(), token(Op::accept, 1000));
    for (auto& one : all) {
        one.remote = world.connect(window);
        const auto c = next(ring);
        REQUIRE(c.token == token(Op::accept, 1000));
        REQUIRE(c.result >= 0);
        one.fd = c.result;
        if (!c.more) ring.accept(world.listener(), token(Op::accept, 1000));
    }
    ring.cancel(token(Op::accept, 1000));
    REQUIRE_FALSE(next(ring).more);
    REQUIRE(quiet(ring));
    return all;
}
inline Connected connect_one(RingWorld& world, std::size_t window = 0) {
    return std::move(connect(world, 1, window)[0]);
}

/// Reads `count` bytes at the remote end while the ring goes on; fewer if they do not come.
inline std::string read(Ring& ring, RemoteEnd& remote, std::size_t count) {
    std::string got;
    for (int idle = 0; idle < 1000 && got.size() < count;) {
        const auto part = remote.read_some(count - got.size());
        got += part;
        idle = part.empty() ? idle + 1 : 0;
        if (part.empty()) ring.wait(std::chrono::milliseconds(1));
    }
    return got;
}

/// Sends until the socket takes nothing more; returns how many bytes it took.
inline std::size_t fill(Ring& ring, int fd, std::string_view block) {
    std::size_t taken = 0;
    for (int i = 0; i < 10'000; ++i) {
        ring.send_now(fd, bytes(block), token(Op::send_now));
        ring.submit();
        const auto exceptions = take_all(ring);
        REQUIRE(exceptions.size() <= 1);
        if (exceptions.empty()) taken += block.size();
        else if (exceptions[0].result == -EAGAIN) return taken;
        else taken += static_cast<std::size_t>(exceptions[0].result);
    }
    FAIL("a socket that never fills");
    return taken;
}

inline void accepts(RingWorld& world) {
    Ring& ring = world.ring();
    ring.accept(world.listener(), token(Op::accept, 5));
    std::vector<std::unique_ptr<RemoteEnd>> remotes;
    std::set<int> fds;
    for (int i = 0; i < 3; ++i) {
        remotes.push_back(world.connect());
        const auto c = next(ring);
        CHECK(c.token == token(Op::accept, 5));
        CHECK(c.more);
        REQUIRE(c.result >= 0);
        fds.insert(c.result);
        const auto peer = ring.peer(c.result);
        CHECK(peer.address.bytes[10] == 0xFF);  // IPv4, v4-mapped
        CHECK(peer.address.bytes[12] == 127);
        CHECK(peer.port != 0);
    }
    CHECK(fds.size() == 3);
    ring.cancel(token(Op::accept, 5));
    const auto end = next(ring);
    CHECK(end.result == -ECANCELED);
    CHECK_FALSE(end.more);
    for (const int fd : fds) ring.close(fd);
}

inline void receives(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world);
    const auto free_before = ring.buffers_free();
    ring.recv(c.fd, token(Op::recv, 9));
    for (const std::string_view said : {"one", "two", "three"}) {
        c.remote->send(said);
        const auto got = next(ring);
        CHECK(got.token == token(Op::recv, 9));
        CHECK(got.more);
        REQUIRE(got.has_buffer);
        CHECK(ring.buffers_free() == free_before - 1);
        CHECK(text(ring, got) == said);
        ring.give_back(got.buffer);
        CHECK(ring.buffers_free() == free_before);
    }
    c.remote->finish();
    const auto end = next(ring);
    CHECK(end.result == 0);
    CHECK_FALSE(end.more);
    CHECK_FALSE(end.has_buffer);
    CHECK(quiet(ring));
    ring.close(c.fd);
}

inline void receives_much(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world);
    std::string said;
    for (int i = 0; said.size() < 6000; ++i) said += std::to_string(i) + ",";
    ring.recv(c.fd, token(Op::recv));
    c.remote->send(said);
    c.remote->finish();
    std::string heard;
    for (bool open = true; open;) {
        const auto got = next(ring);
        if (got.has_buffer) {
            heard += text(ring, got);
            ring.give_back(got.buffer);
        }
        open = got.more || got.result != 0;
        if (!got.more && open) ring.recv(c.fd, token(Op::recv));
    }
    CHECK(heard == said);
    ring.close(c.fd);
}

inline void receives_what_came_before(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world);
    c.remote->send("last words");
    c.remote->finish();
    for (const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
         std::chrono::steady_clock::now() < end;)
        ring.wait(std::chrono::milliseconds(5));  // both are there
    ring.recv(c.fd, token(Op::recv));
    const auto got = next(ring);
    REQUIRE(got.has_buffer);
    CHECK(text(ring, got) == "last words");
    ring.give_back(got.buffer);
    const auto last = next(ring);
    CHECK(last.result == 0);
    CHECK_FALSE(last.more);
    ring.close(c.fd);
}

inline void sees_reset(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world);
    ring.recv(c.fd, token(Op::recv));
    ring.submit();
    c.remote->reset();
    const auto end = next(ring);
    CHECK(end.result == -ECONNRESET);
    CHECK_FALSE(end.more);
    CHECK_FALSE(end.has_buffer);
    ring.send_now(c.fd, bytes("late"), token(Op::send_now, 4));
    ring.submit();
    const auto refused = take_all(ring);
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].token == token(Op::send_now, 4));
    CHECK((refused[0].result == -EPIPE || refused[0].result == -ECONNRESET));
    ring.close(c.fd);
}

/// Sizes: two buffers.
inline void runs_out_of_buffers(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world);
    REQUIRE(ring.buffers_free() == 2);
    ring.recv(c.fd, token(Op::recv));
    std::vector<std::uint16_t> held;
    std::string heard;
    for (const std::string_view said : {"a", "b"}) {
        c.remote->send(said);
        const auto got = next(ring);
        REQUIRE(got.has_buffer);
        heard += text(ring, got);
        held.push_back(got.buffer);
    }
    CHECK(ring.buffers_free() == 0);
    c.remote->send("c");
    const auto starved = next(ring);
    CHECK(starved.result == -ENOBUFS);
    CHECK_FALSE(starved.more);
    CHECK_FALSE(starved.has_buffer);
    CHECK(ring.figures().no_buffers == 1);
    for (const auto buffer : held) ring.give_back(buffer);
    CHECK(ring.buffers_free() == 2);
    ring.recv(c.fd, token(Op::recv));
    const auto kept = next(ring);
    REQUIRE(kept.has_buffer);
    heard += text(ring, kept);
    ring.give_back(kept.buffer);
    CHECK(heard == "abc");  // nothing was lost
    CHECK(kept.more);
    ring.shutdown(c.fd, SHUT_RDWR);
    CHECK_FALSE(next(ring).more);
    ring.close(c.fd);
}

inline void sends_whole(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world);
    ring.send_now(c.fd, bytes("whole"), token(Op::send_now));
    ring.submit();
    CHECK(quiet(ring));
    CHECK(read(ring, *c.remote, 5) == "whole");
    std::string parts[] = {"from ", "several ", "buffers"};
    iovec vectors[3];
    for (int i = 0; i < 3; ++i) vectors[i] = {parts[i].data(), parts[i].size()};
    msghdr message = {};
    message.msg_iov = vectors;
    message.msg_iovlen = 3;
    ring.send_now(c.fd, &message, token(Op::send_now));
    ring.submit();
    CHECK(quiet(ring));
    CHECK(read(ring, *c.remote, 20) == "from several buffers");
    ring.close(c.fd);
}

/// The memory of an inline send is the caller's when submit() returns, also where the socket was full.
inline void sends_in_part(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world, 4096);
    ring.configure(c.fd, 4096);
    std::string large(1'000'000, 'x');
    ring.send_now(c.fd, bytes(large), token(Op::send_now, 77));
    ring.submit();
    auto cut = take_all(ring);
    REQUIRE(cut.size() == 1);
    CHECK(cut[0].token == token(Op::send_now, 77));
    REQUIRE(cut[0].result > 0);
    REQUIRE(cut[0].result < 1'000'000);
    large.assign(large.size(), '!');
    const std::string more(5000, 'y');
    const auto taken = static_cast<std::size_t>(cut[0].result);
    const auto filled = fill(ring, c.fd, more);
    CHECK(ring.figures().send_again == 1);
    CHECK(ring.figures().send_short >= 1);
    const auto heard = read(ring, *c.remote, taken + filled);
    CHECK(heard.size() == taken + filled);
    CHECK(heard == std::string(taken, 'x') + std::string(filled, 'y'));
    CHECK(quiet(ring));
    ring.close(c.fd);
}

inline void sends_gathered_in_part(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world, 4096);
    ring.configure(c.fd, 4096);
    std::string first(10, 'a'), second(1'000'000, 'b');
    iovec vectors[] = {{first.data(), first.size()}, {second.data(), second.size()}};
    msghdr message = {};
    message.msg_iov = vectors;
    message.msg_iovlen = 2;
    ring.send_now(c.fd, &message, token(Op::send_now));
    ring.submit();
    const auto cut = take_all(ring);
    REQUIRE(cut.size() == 1);
    CHECK(cut[0].result > 10);
    CHECK(cut[0].result < 1'000'010);
    const auto taken = static_cast<std::size_t>(cut[0].result);
    CHECK(read(ring, *c.remote, taken) == first + std::string(taken - 10, 'b'));
    ring.close(c.fd);
}

inline void waits_for_room(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world, 4096);
    ring.configure(c.fd, 4096);
    const auto before = fill(ring, c.fd, std::string(3000, 'z'));
    std::string part(30'000, 'w');
    iovec vectors[] = {{part.data(), part.size()}, {part.data(), part.size()}};
    msghdr message = {};
    message.msg_iov = vectors;
    message.msg_iovlen = 2;
    ring.send_wait(c.fd, &message, token(Op::send_wait, 3));
    ring.submit();
    CHECK(quiet(ring));  // the peer has not read: it waits
    CHECK(read(ring, *c.remote, before + 60'000) == std::string(before, 'z') + std::string(60'000, 'w'));
    const auto done = next(ring);
    CHECK(done.token == token(Op::send_wait, 3));
    CHECK(done.result == 60'000);
    CHECK(quiet(ring));
    ring.close(c.fd);
}

/// Its result and, behind it, its notification.
inline void expect_zc(Ring& ring, std::uint32_t slot, std::int32_t result) {
    const auto done = next(ring);
    CHECK(done.token == token(Op::send_zc, slot));
    CHECK(done.result == result);
    CHECK_FALSE(done.notification);
    REQUIRE(done.more);
    const auto notice = next(ring);
    CHECK(notice.token == token(Op::send_zc, slot));
    CHECK(notice.notification);
    CHECK_FALSE(notice.more);
}

inline void sends_without_copy(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world);
    const std::string large(20'000, 'z');
    ring.send_zc(c.fd, std::as_bytes(std::span(large)), token(Op::send_zc, 5));
    ring.submit();
    CHECK(read(ring, *c.remote, large.size()) == large);
    expect_zc(ring, 5, 20'000);
    CHECK(quiet(ring));
    CHECK(ring.figures().zc_sends == 1);
    CHECK(ring.figures().zc_notifications == 1);
    ring.close(c.fd);
}

inline void waits_for_room_without_copy(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world, 4096);
    ring.configure(c.fd, 4096);
    const auto before = fill(ring, c.fd, std::string(3000, 'z'));
    const std::string large(60'000, 'w');
    ring.send_zc(c.fd, std::as_bytes(std::span(large)), token(Op::send_zc, 3));
    ring.submit();
    CHECK(quiet(ring));
    CHECK(read(ring, *c.remote, before + 60'000) == std::string(before, 'z') + large);
    expect_zc(ring, 3, 60'000);
    ring.close(c.fd);
}

inline void shutdown_ends_a_send_without_copy(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world, 4096);
    ring.configure(c.fd, 4096);
    fill(ring, c.fd, std::string(3000, 'z'));
    const std::string large(100'000, 'w');
    ring.send_zc(c.fd, std::as_bytes(std::span(large)), token(Op::send_zc));
    ring.submit();
    REQUIRE(quiet(ring));
    ring.shutdown(c.fd, SHUT_RDWR);
    const auto end = next(ring);
    CHECK(end.token.op == Op::send_zc);
    CHECK(end.result < 100'000);
    c.remote.reset();  // and whatever was taken is acknowledged or given up
    if (end.more) CHECK(next(ring).notification);
    CHECK(quiet(ring));
    ring.close(c.fd);
}

inline void shutdown_ends_everything(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world, 4096);
    ring.configure(c.fd, 4096);
    fill(ring, c.fd, std::string(3000, 'z'));
    ring.recv(c.fd, token(Op::recv));
    std::string part(100'000, 'w');
    iovec vector = {part.data(), part.size()};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    ring.send_wait(c.fd, &message, token(Op::send_wait));
    ring.submit();
    REQUIRE(quiet(ring));
    ring.shutdown(c.fd, SHUT_RDWR);
    std::set<Op> ended;
    for (int i = 0; i < 2; ++i) {
        const auto end = next(ring);
        CHECK_FALSE(end.more);
        CHECK(end.result < 100'000);
        ended.insert(end.token.op);
    }
    CHECK(ended == std::set<Op>{Op::recv, Op::send_wait});
    CHECK(quiet(ring));
    ring.close(c.fd);
}

inline void half_close_keeps_receiving(RingWorld& world) {
    Ring& ring = world.ring();
    auto c = connect_one(world);
    ring.recv(c.fd, token(Op::recv));
    ring.shutdown(c.fd, SHUT_WR);
    c.remote->send("still here");
    const auto got = next(ring);
    REQUIRE(got.has_buffer);
    CHECK(text(ring, got) == "still here");
    ring.give_back(got.buffer);
    c.remote->finish();
    CHECK(next(ring).result == 0);
    ring.close(c.fd);
}

inline void cancels(RingWorld& world) {
    Ring& ring = world.ring();
    auto all = connect(world, 2);
    ring.recv(all[0].fd, token(Op::recv, 0));
    ring.recv(all[1].fd, token(Op::recv, 1));
    ring.submit();
    ring.cancel(token(Op::recv, 0));
    const auto end = next(ring);
    CHECK(end.token == token(Op::recv, 0));
    CHECK(end.result == -ECANCELED);
    CHECK_FALSE(end.more);
    ring.cancel(token(Op::recv, 0));  // nothing there any more: silence
    CHECK(quiet(ring));
    all[1].remote->send("other");
    const auto other = next(ring);
    CHECK(other.token == token(Op::recv, 1));
    CHECK(other.more);
    REQUIRE(other.has_buffer);
    ring.give_back(other.buffer);
    // Input that comes while nobody receives is there for the next request.
    all[0].remote->send("kept");
    ring.recv(all[0].fd, token(Op::recv, 0));
    const auto kept = next(ring);
    REQUIRE(kept.has_buffer);
    CHECK(text(ring, kept) == "kept");
    ring.give_back(kept.buffer);
    for (auto& one : all) {
        ring.shutdown(one.fd, SHUT_RDWR);
        CHECK_FALSE(next(ring).more);
        ring.close(one.fd);
    }
}

inline void wakes(RingWorld& world) {
    Ring& ring = world.ring();
    const auto wakes_before = ring.figures().wakes;
    const base::SystemClock clock;
    const auto begin = clock.now();
    std::thread other([&ring] { ring.wake(); });
    ring.wait(std::chrono::seconds(20));
    other.join();
    CHECK(clock.now() - begin < std::chrono::seconds(10));
    CHECK(take_all(ring).empty());
    for (int i = 0; i < 3; ++i) {  // again and again, also when woken before it waits, also twice
        ring.wake();
        ring.wake();
        ring.wait(std::chrono::seconds(20));
        CHECK(take_all(ring).empty());
    }
    CHECK(clock.now() - begin < std::chrono::seconds(15));
    CHECK(ring.figures().wakes >= wakes_before + 4);
}

/// Sizes: a completion queue that overflows. Emptying it meets the wake-up's completion outside a wait.
inline void wakes_through_overflow(RingWorld& world) {
    Ring& ring = world.ring();
    const base::SystemClock clock;
    const auto begin = clock.now();
    ring.wait(std::chrono::milliseconds(1));
    ring.wake();
    for (std::uint32_t i = 0; i < 100; ++i) ring.send_now(kNoDescriptor, bytes("nowhere"), token(Op::send_now, i));
    ring.submit();
    CHECK(take_all(ring).size() == 100);
    ring.wait(std::chrono::seconds(20));
    CHECK(clock.now() - begin < std::chrono::seconds(10));
}

/// Two threads in lock step: the ring sleeps before each word of the other.
inline void loses_no_wake(RingWorld& world) {
    Ring& ring = world.ring();
    constexpr int rounds = 500;
    std::atomic<int> asked = 0, answered = 0;
    const base::SystemClock clock;
    const auto begin = clock.now();
    std::thread other([&] {
        for (int i = 1; i <= rounds; ++i) {
            asked = i;
            ring.wake();
            while (answered < i) std::this_thread::yield();
        }
    });
    for (int i = 1; i <= rounds; ++i) {
        while (asked < i) {
            ring.wait(std::chrono::seconds(20));
            CHECK(take_all(ring).empty());
        }
        answered = i;
    }
    other.join();
    CHECK(clock.now() - begin < std::chrono::seconds(15));
}

inline void waits_no_longer_than_told(RingWorld& world) {
    Ring& ring = world.ring();
    const base::SystemClock clock;
    const auto begin = clock.now();
    ring.wait(base::Duration::zero());
    ring.wait(std::chrono::milliseconds(5));
    CHECK(clock.now() - begin >= std::chrono::milliseconds(5));
    CHECK(clock.now() - begin < std::chrono::seconds(5));
    CHECK(take_all(ring).empty());
}

/// Sizes: fewer submission entries than sends.
inline void one_bad_send_spoils_no_other(RingWorld& world) {
    Ring& ring = world.ring();
    auto all = connect(world, 20);
    for (std::uint32_t i = 0; i < all.size(); ++i) {
        if (i == 7) ring.send_now(kNoDescriptor, bytes("nowhere"), token(Op::send_now, 99));
        ring.send_now(all[i].fd, bytes("hello"), token(Op::send_now, i));
    }
    ring.submit();
    const auto exceptions = take_all(ring);
    REQUIRE(exceptions.size() == 1);
    CHECK(exceptions[0].token == token(Op::send_now, 99));
    CHECK(exceptions[0].result == -EBADF);
    for (auto& one : all) {
        CHECK(read(ring, *one.remote, 5) == "hello");
        ring.close(one.fd);
    }
}

/// Sizes: a completion queue much smaller than the batch. Without a wait in between.
inline void exceptions_survive_overflow(RingWorld& world) {
    Ring& ring = world.ring();
    std::set<std::uint32_t> expected, seen;
    for (std::uint32_t i = 0; i < 100; ++i) {
        ring.send_now(kNoDescriptor, bytes("nowhere"), token(Op::send_now, i));
        expected.insert(i);
    }
    ring.submit();
    for (const auto& c : take_all(ring)) {
        CHECK(c.result == -EBADF);
        CHECK(seen.insert(c.token.slot).second);
    }
    CHECK(seen == expected);
    CHECK(ring.figures().overflows > 0);
}

/// Sizes: a completion queue smaller than the number of receivers. Ended requests are armed again and nothing is lost.
inline void receives_survive_overflow(RingWorld& world) {
    Ring& ring = world.ring();
    auto all = connect(world, 30);
    for (std::uint32_t i = 0; i < all.size(); ++i) ring.recv(all[i].fd, token(Op::recv, i));
    ring.wait(base::Duration::zero());
    for (int round = 0; round < 4; ++round)
        for (auto& one : all) one.remote->send("0123456789");
    std::vector<std::size_t> heard(all.size());
    std::size_t open = 30 * 40;
    while (open > 0) {
        const auto c = next(ring);
        if (c.has_buffer) {
            heard[c.token.slot] += static_cast<std::size_t>(c.result);
            open -= static_cast<std::size_t>(c.result);
            ring.give_back(c.buffer);
        }
        if (!c.more) ring.recv(all[c.token.slot].fd, token(Op::recv, c.token.slot));
    }
    CHECK(heard == std::vector<std::size_t>(all.size(), 40));
    for (auto& one : all) ring.shutdown(one.fd, SHUT_RDWR);
    for (std::size_t ended = 0; ended < all.size();) ended += next(ring).more ? 0 : 1;
    for (auto& one : all) ring.close(one.fd);
}

}  // namespace contract

/// All clauses.
inline std::vector<RingClause> ring_contract() {
    using namespace contract;
    return {
        {"one accept request takes each connection and tells its peer", {}, accepts},
        {"one receive request delivers piece by piece until the end of input", {}, receives},
        {"bytes arrive in order and complete, over many buffers", {.buffers = 4}, receives_much},
        {"an end that came before the receive was armed is told behind what came with it",
         {},
         receives_what_came_before},
        {"a reset ends the receive and fails the next send", {}, sees_reset},
        {"without buffers a receive ends, and goes on without loss once they are back",
         {.buffers = 2},
         runs_out_of_buffers},
        {"an inline send that fits makes no completion", {}, sends_whole},
        {"an inline send that fits in part tells how much, then EAGAIN", {}, sends_in_part},
        {"a gathered inline send that fits in part tells how much", {}, sends_gathered_in_part},
        {"a waiting send completes once, when the peer has made room", {}, waits_for_room},
        {"a send without a copy tells its result, then when the memory is free", {}, sends_without_copy},
        {"a send without a copy waits for room", {}, waits_for_room_without_copy},
        {"shutdown ends a send without a copy that waits", {}, shutdown_ends_a_send_without_copy},
        {"shutdown ends the receive and the waiting send by themselves", {}, shutdown_ends_everything},
        {"after closing the write side input still arrives", {}, half_close_keeps_receiving},
        {"cancel ends one operation and leaves the others", {}, cancels},
        {"a wake-up from another thread ends the wait and shows nowhere", {}, wakes},
        {"a wake-up is not lost to an overflow", {.sq_entries = 8, .cq_entries = 8}, wakes_through_overflow},
        {"no wake-up of many is lost", {}, loses_no_wake},
        {"a wait ends in time", {}, waits_no_longer_than_told},
        {"a bad descriptor in a batch fails alone", {.sq_entries = 8}, one_bad_send_spoils_no_other},
        {"exceptions of a batch larger than the completion queue all arrive",
         {.sq_entries = 8, .cq_entries = 8},
         exceptions_survive_overflow},
        {"receives survive an overflow", {.sq_entries = 8, .cq_entries = 8}, receives_survive_overflow},
    };
}

}  // namespace spillway::test
