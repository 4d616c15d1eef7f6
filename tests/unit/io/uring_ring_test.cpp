// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel's ring under the contract, over loopback TCP, in both ways of sending; and what is its own.
#include "io/uring_ring.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>

#include "io/capabilities.h"
#include "io/listener.h"
#include "io/ring_self_test.h"
#include "poisoned.h"
#include "ring_contract.h"

namespace spillway::io {
namespace {

class TcpEnd final : public test::RemoteEnd {
public:
    TcpEnd(std::uint16_t port, std::size_t window) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const int on = 1;
        ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const int bytes = static_cast<int>(window);
        if (window > 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        sockaddr_in to = {};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port = htons(port);
        REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    }
    void send(std::string_view bytes) override {
        REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    }
    std::string read_some(std::size_t max) override {
        std::string got(max, '\0');
        const auto n = ::recv(fd_.get(), got.data(), max, MSG_DONTWAIT);
        got.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return got;
    }
    void finish() override { ::shutdown(fd_.get(), SHUT_WR); }
    void reset() override {
        const linger at_once = {.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        fd_.reset();
    }

private:
    Descriptor fd_;
};

class KernelWorld final : public test::RingWorld {
public:
    KernelWorld(const test::RingSizes& sizes, bool completion_per_send, unsigned receive_limit = 0) {
        auto listeners = open_listeners("127.0.0.1", 0, 1);
        REQUIRE(listeners);
        port_ = listeners->port;
        listener_ = std::move(listeners->sockets[0]);
        auto ring = UringRing::create({.sq_entries = sizes.sq_entries,
                                       .cq_entries = sizes.cq_entries,
                                       .buffers = sizes.buffers,
                                       .buffer_bytes = sizes.buffer_bytes,
                                       .completion_per_send = completion_per_send,
                                       .receive_limit = receive_limit});
        REQUIRE(ring);
        ring_ = std::move(*ring);
        REQUIRE(ring_->start() == 0);
    }
    Ring& ring() override { return *ring_; }
    int listener() override { return listener_.get(); }
    std::unique_ptr<test::RemoteEnd> connect(std::size_t window) override {
        return std::make_unique<TcpEnd>(port_, window);
    }

private:
    Descriptor listener_;
    std::uint16_t port_ = 0;
    std::unique_ptr<UringRing> ring_;
};

}  // namespace

TEST_CASE("the kernel's ring keeps the contract") {
    for (const auto& clause : test::ring_contract()) {
        DYNAMIC_SECTION(clause.name) {
            KernelWorld world(clause.sizes, false);
            clause.check(world);
        }
    }
}

TEST_CASE("the kernel's ring keeps the contract with a completion per send") {
    for (const auto& clause : test::ring_contract()) {
        DYNAMIC_SECTION(clause.name) {
            KernelWorld world(clause.sizes, true);
            clause.check(world);
        }
    }
}

TEST_CASE("the kernel's ring keeps the contract when its receives end by themselves") {
    const unsigned limit = ask_host(1, {}).receive_limit;
    if (limit == 0) SKIP("this kernel knows no limit of a receive (Linux 6.17)");
    for (const auto& clause : test::ring_contract()) {
        DYNAMIC_SECTION(clause.name) {
            KernelWorld world(clause.sizes, false, limit);
            clause.check(world);
        }
    }
}

TEST_CASE("A31 a receive ends when it has brought its share, and goes on where it ended when it is armed again") {
    if (ask_host(1, {}).receive_limit == 0) SKIP("this kernel knows no limit of a receive (Linux 6.17)");
    for (const unsigned limit : {3 * kRecvBufferBytes - 1, 3 * kRecvBufferBytes, kReceiveLimit}) {
        CAPTURE(limit);
        KernelWorld world({.buffer_bytes = kRecvBufferBytes}, false, limit);
        CHECK(ends_receives(world.ring(), limit, kRecvBufferBytes));
        CHECK(test::contract::quiet(world.ring()));
    }
    KernelWorld unlimited({.buffer_bytes = kRecvBufferBytes}, false);
    CHECK_FALSE(ends_receives(unlimited.ring(), kReceiveLimit, kRecvBufferBytes));
}

TEST_CASE("the self-test passes on this kernel, in both ways of sending") {
    for (const bool completion_per_send : {false, true}) {
        KernelWorld world({}, completion_per_send);
        CHECK(self_test(world.ring()) == "");
        CHECK(test::contract::quiet(world.ring()));
    }
}

TEST_CASE("a ring made on one thread is used by the thread that starts it") {
    auto ring = UringRing::create({.sq_entries = 8, .cq_entries = 16, .buffers = 2, .buffer_bytes = 64});
    REQUIRE(ring);
    int result = -1;
    bool woken = false;
    std::thread reactor([&] {
        result = (*ring)->start();
        (*ring)->wait(std::chrono::seconds(20));
        Completion none;
        woken = (*ring)->take({&none, 1}) == 0 && (*ring)->figures().wakes == 1;
    });
    (*ring)->wake();
    reactor.join();
    CHECK(result == 0);
    CHECK(woken);
}

TEST_CASE("whoever reads a receive buffer that was given back is caught", "[io][hardening]") {
    if (!test::kFreedIsFilled) SKIP("release builds do not fill freed memory");
    KernelWorld world({}, false);
    Ring& ring = world.ring();
    ring.accept(world.listener(), test::contract::token(Op::accept));
    const auto remote = world.connect(0);
    const auto accepted = test::contract::next(ring);
    REQUIRE(accepted.result >= 0);
    ring.recv(accepted.result, test::contract::token(Op::recv));
    remote->send("hello");
    const auto got = test::contract::next(ring);
    REQUIRE(got.has_buffer);
    const std::byte* bytes = ring.buffer(got).data();
    CHECK_FALSE(test::read_is_caught(bytes, 0));
    ring.give_back(got.buffer);
    CHECK(test::read_is_caught(bytes, 0));
    CHECK(test::read_is_caught(bytes, 4));
    ring.close(accepted.result);
}

TEST_CASE("a turn without work enters the kernel not at all") {
    KernelWorld world({}, false);
    world.ring().wait(base::Duration::zero());
    const auto before = world.ring().figures().enters;
    world.ring().wait(base::Duration::zero());
    Completion none;
    CHECK(world.ring().take({&none, 1}) == 0);
    world.ring().submit();
    CHECK(world.ring().figures().enters == before);
}

TEST_CASE("locked memory of a ring is what the reference figures say") {
    CHECK(ring_locked_bytes({.sq_entries = 1024, .cq_entries = 8192, .buffers = 256, .buffer_bytes = 64}) ==
          (196 + 4) * 1024);
}

TEST_CASE("a token survives its packing") {
    const Token token = {.op = Op::wake, .generation = 0xFFFFFF, .slot = 0xFFFFFFFF};
    CHECK(Token::unpack(token.packed()) == token);
    CHECK(Token{}.packed() == 0);
    CHECK(Token::unpack(Token{.op = Op::recv, .generation = 0x1000001, .slot = 1}.packed()).generation == 1);
}

}  // namespace spillway::io
