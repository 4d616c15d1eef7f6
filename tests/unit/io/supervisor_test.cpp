// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/supervisor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "io/listener.h"

namespace spillway::io {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

/// The other end of NOTIFY_SOCKET.
class Manager {
public:
    Manager() : name_("@spillway-test-" + std::to_string(::getpid())) {
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
        const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
        fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0);
    }
    [[nodiscard]] const std::string& name() const { return name_; }
    std::string hear() {
        char text[256];
        const auto n = ::recv(fd_.get(), text, sizeof text, MSG_DONTWAIT);
        return n < 0 ? "" : std::string(text, static_cast<std::size_t>(n));
    }

private:
    std::string name_;
    Descriptor fd_;
};

}  // namespace

TEST_CASE("a service manager hears of every change") {
    Manager manager;
    Supervisor supervisor(manager.name(), seconds{10});
    supervisor.ready("two cores");
    CHECK(manager.hear() == "READY=1\nSTATUS=two cores");
    supervisor.reloading(base::Instant(microseconds{1234567}));
    CHECK(manager.hear() == "RELOADING=1\nMONOTONIC_USEC=1234567\nSTATUS=reloading");
    supervisor.alive();
    CHECK(manager.hear() == "WATCHDOG=1");
    supervisor.stopping("draining");
    CHECK(manager.hear() == "STOPPING=1\nSTATUS=draining");
    CHECK(supervisor.alive_every() == base::Duration(seconds{5}));
    CHECK_FALSE(Supervisor(manager.name(), {}).alive_every());
}

TEST_CASE("without a service manager, or with one that is gone, nothing happens") {
    Supervisor none({}, seconds{10});
    none.ready("x");
    CHECK_FALSE(none.alive_every());
    Supervisor gone("/no/such/socket", {});
    gone.ready("x");
    Supervisor odd(std::string(200, 'a'), seconds{1});
    odd.ready("x");
    CHECK_FALSE(odd.alive_every());
}

TEST_CASE("sockets that were opened for this process are taken, in order and with their names") {
    auto opened = open_listeners("127.0.0.1", 0, 2);
    REQUIRE(opened);
    constexpr int kFirst = 200;
    REQUIRE(::dup2(opened->sockets[0].get(), kFirst) == kFirst);
    REQUIRE(::dup2(opened->sockets[1].get(), kFirst + 1) == kFirst + 1);
    const std::string self = std::to_string(::getpid());
    CHECK(given_sockets("2", "1", "", kFirst)->empty());
    CHECK(given_sockets("", self, "", kFirst)->empty());
    const auto given = given_sockets("2", self, "main:metrics", kFirst);
    REQUIRE(given);
    REQUIRE(given->size() == 2);
    CHECK((*given)[0].fd.get() == kFirst);
    CHECK((*given)[0].name == "main");
    CHECK((*given)[1].name == "metrics");
    CHECK((::fcntl(kFirst, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("what is no listening socket, or no number, is refused with a word") {
    const std::string self = std::to_string(::getpid());
    CHECK_FALSE(given_sockets("many", self, ""));
    CHECK_FALSE(given_sockets("1000000", self, ""));
    const auto refused = given_sockets("1", self, "", 250);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == "descriptor 250 of LISTEN_FDS is no listening socket");
}

}  // namespace spillway::io
