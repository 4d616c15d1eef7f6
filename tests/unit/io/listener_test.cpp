// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "io/port_owner.h"

namespace spillway::io {
namespace {

Descriptor connect_to(std::uint16_t port) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    return fd;
}

/// Accepts what is queued on a listener; how many there were. On a busy machine one that is connected may be queued a moment
/// later.
std::size_t accept_all(const Descriptor& listener) {
    constexpr int kMilliseconds = 20;
    std::size_t count = 0;
    pollfd waiting = {.fd = listener.get(), .events = POLLIN, .revents = 0};
    for (; ::poll(&waiting, 1, kMilliseconds) == 1; ++count)
        Descriptor(::accept(listener.get(), nullptr, nullptr)).reset();
    return count;
}

/// Listeners on a port that the kernel gives to nobody who asks for any (it begins at 32768): nobody else comes by it when it
/// is left, and nobody has it on another address.
Listeners open_quiet(std::size_t count) {
    constexpr int kFirst = 20'000;
    constexpr int kPorts = 10'000;
    static int next = ::getpid() * 37;
    while (true) {
        auto opened = open_listeners("127.0.0.1", static_cast<std::uint16_t>(kFirst + next++ % kPorts), count);
        if (opened) return std::move(*opened);
    }
}

}  // namespace

TEST_CASE("connections spread over all listeners of one port") {
    const auto listeners = open_listeners("127.0.0.1", 0, 4);
    REQUIRE(listeners);
    REQUIRE(listeners->sockets.size() == 4);
    CHECK(listeners->address == "127.0.0.1:" + std::to_string(listeners->port));
    std::vector<Descriptor> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(connect_to(listeners->port));
    std::size_t sum = 0;
    for (const auto& socket : listeners->sockets) {
        const auto count = accept_all(socket);
        CHECK(count > 10);  // 50 on average, by a hash of the addresses
        sum += count;
    }
    CHECK(sum == 200);
}

TEST_CASE("a socket that was handed over is shared: every copy accepts from its backlog") {
    auto opened = open_listeners("127.0.0.1", 0, 1);
    REQUIRE(opened);
    const std::uint16_t port = opened->port;
    const auto shared = share_listener(std::move(opened->sockets[0]), 3);
    REQUIRE(shared);
    CHECK(shared->sockets.size() == 3);
    CHECK(shared->port == port);
    CHECK(shared->address == "127.0.0.1:" + std::to_string(port));
    for (const auto& socket : shared->sockets) {
        const auto client = connect_to(port);
        CHECK(accept_all(socket) == 1);
    }
    CHECK_FALSE(share_listener(Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), 1));
}

TEST_CASE("listeners of a predecessor are all kept, each once, and more can join them") {
    auto opened = open_listeners("127.0.0.1", 0, 3);
    REQUIRE(opened);
    const std::uint16_t port = opened->port;
    opened->sockets.emplace_back(::fcntl(opened->sockets[1].get(), F_DUPFD_CLOEXEC, 0));  // one socket twice
    std::vector<Descriptor> clients;
    for (int i = 0; i < 100; ++i) clients.push_back(connect_to(port));
    const auto inherited = inherit_listeners(std::move(opened->sockets));
    REQUIRE(inherited);
    CHECK(inherited->sockets.size() == 3);
    CHECK(inherited->address == listener_address("localhost", port));
    const auto further = further_listener(inherited->sockets[0].get());
    REQUIRE(further);
    for (int i = 0; i < 100; ++i) clients.push_back(connect_to(port));
    std::size_t sum = accept_all(*further);
    CHECK(sum > 0);
    for (const auto& socket : inherited->sockets) sum += accept_all(socket);
    CHECK(sum == 200);
    std::vector<Descriptor> wrong;
    wrong.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // does not listen
    CHECK_FALSE(inherit_listeners(std::move(wrong)));
}

TEST_CASE("of a listener that lets no other on its port, further ones are copies") {
    const auto alone = open_listeners("127.0.0.1", 0, 1);
    REQUIRE(alone);
    const int off = 0;
    REQUIRE(::setsockopt(alone->sockets[0].get(), SOL_SOCKET, SO_REUSEPORT, &off, sizeof off) == 0);
    const auto further = further_listener(alone->sockets[0].get());
    REQUIRE(further);
    const auto client = connect_to(alone->port);
    CHECK(accept_all(*further) == 1);
}

TEST_CASE("a second starter on a port fails and names the first") {
    const Listeners first = open_quiet(2);
    for (const char* host : {"127.0.0.1", "localhost", "0.0.0.0", "::", "[::]"}) {
        const auto second = open_listeners(host, first.port, 2);
        REQUIRE_FALSE(second);
        CHECK(second.error() == "port " + std::to_string(first.port) + " is in use by pid " +
                                    std::to_string(::getpid()) + " (" + find_port_owner({}, first.port)->name + ")");
    }
    const auto elsewhere = open_listeners("127.0.0.2", first.port, 2);
    CHECK(elsewhere);
}

TEST_CASE("of starters that race for a port exactly one gets it") {
    for (int round = 0; round < 20; ++round) {
        const std::uint16_t port = open_quiet(1).port;
        std::atomic<int> ready = 0;
        std::array<bool, 4> won = {};
        std::vector<Listeners> kept(won.size());
        std::vector<std::thread> starters;
        for (std::size_t i = 0; i < won.size(); ++i) {
            starters.emplace_back([&, i] {
                for (++ready; ready < static_cast<int>(won.size());) std::this_thread::yield();
                auto opened = open_listeners("127.0.0.1", port, 2);
                won[i] = opened.has_value();
                if (opened) kept[i] = std::move(*opened);
            });
        }
        for (auto& starter : starters) starter.join();
        CHECK(won[0] + won[1] + won[2] + won[3] == 1);
    }
}

TEST_CASE("a port is free for a restart though its old connections linger") {
    std::uint16_t port = 0;
    {
        const Listeners first = open_quiet(2);
        port = first.port;
        std::vector<Descriptor> clients;
        for (int i = 0; i < 8; ++i) clients.push_back(connect_to(port));
        // Closed first on the server's side: TIME_WAIT is there.
        for (const auto& socket : first.sockets) accept_all(socket);
    }
    CHECK(open_listeners("127.0.0.1", port, 2));
    CHECK(open_listeners("127.0.0.1", port, 3));
}

TEST_CASE("listens on IPv6 and on both families at once") {
    const auto loopback = open_listeners("[::1]", 0, 2);
    if (!loopback) SKIP("no IPv6 here: " + loopback.error());
    CHECK(loopback->address == "[::1]:" + std::to_string(loopback->port));
    const auto both = open_listeners("::", 0, 1);
    REQUIRE(both);
    const auto client = connect_to(both->port);
    CHECK(accept_all(both->sockets[0]) == 1);
}

TEST_CASE("what cannot be listened on is said with advice") {
    for (const char* host : {"", "example.org", "1.2.3", "[::1", "::1]", "127.0.0.1 ", "fe80::1%no-such-zone", "%lo"}) {
        const auto bad = open_listeners(host, 0, 1);
        REQUIRE_FALSE(bad);
        CHECK(bad.error() == "cannot listen on \"" + std::string(host) +
                                 "\": give an IPv4 or IPv6 address of this host, or localhost");
    }
    const auto foreign = open_listeners("192.0.2.1", 0, 1);
    REQUIRE_FALSE(foreign);
    CHECK(foreign.error() ==
          "cannot listen on 192.0.2.1:0: this host has no such address; see `ip address`, or use 0.0.0.0 or :: for all "
          "addresses");
}

TEST_CASE("finds listening sockets in the kernel's table") {
    constexpr std::string_view table =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1771 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 "
        "10 0\n"
        "   1: 0100007F:1771 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 "
        "10 -1\n"
        "   2: 0200007F:1771 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 "
        "10 0\n"
        "   3: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1 0 100 0 0 "
        "10 0\n"
        "   4: 00000000000000000000000001000000:1771 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4715 1\n"
        "   5: garbage\n"
        "   6: 0100007F:1771 00000000:0000 0A";
    constexpr AddressBytes loopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
    using Inodes = std::vector<std::uint64_t>;
    CHECK(listening_inodes(table, loopback, 6001) == Inodes{4711});
    CHECK(listening_inodes(table, {}, 6001) == Inodes{4711, 4713, 4715});
    CHECK(listening_inodes(table, loopback, 80) == Inodes{4714});
    CHECK(listening_inodes(table, loopback, 81).empty());
    CHECK(listening_inodes("", loopback, 6001).empty());
}

TEST_CASE("a descriptor is closed once, by its last owner") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    Descriptor reader(ends[0]);
    {
        Descriptor writer(ends[1]);
        Descriptor moved(std::move(writer));
        CHECK_FALSE(writer);
        CHECK(moved.get() == ends[1]);
        writer = std::move(moved);
        CHECK(writer.get() == ends[1]);
    }
    char byte = 0;
    CHECK(::read(reader.get(), &byte, 1) == 0);  // the write end is closed
    const int fd = reader.release();
    CHECK_FALSE(reader);
    CHECK(::close(fd) == 0);
}

}  // namespace spillway::io
