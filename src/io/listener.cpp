// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <optional>
#include <thread>

#include "base/assert.h"
#include "io/port_owner.h"

namespace spillway::io {
namespace {

/// Where to listen, as the kernel wants it.
struct Endpoint {
    sockaddr_storage storage = {};
    socklen_t bytes = 0;

    [[nodiscard]] sockaddr* address() { return reinterpret_cast<sockaddr*>(&storage); }
    [[nodiscard]] sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(storage); }
    [[nodiscard]] sockaddr_in6& v6() { return reinterpret_cast<sockaddr_in6&>(storage); }
    [[nodiscard]] bool is_v6() const { return storage.ss_family == AF_INET6; }

    [[nodiscard]] std::uint16_t port() { return ntohs(is_v6() ? v6().sin6_port : v4().sin_port); }
    void set_port(std::uint16_t port) { (is_v6() ? v6().sin6_port : v4().sin_port) = htons(port); }

    [[nodiscard]] AddressBytes bytes16() {
        AddressBytes out = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
        if (is_v6()) std::memcpy(out.data(), &v6().sin6_addr, 16);
        else std::memcpy(out.data() + 12, &v4().sin_addr, 4);
        return out;
    }

    [[nodiscard]] std::string text() {
        char host[INET6_ADDRSTRLEN] = {};
        if (is_v6()) inet_ntop(AF_INET6, &v6().sin6_addr, host, sizeof host);
        else inet_ntop(AF_INET, &v4().sin_addr, host, sizeof host);
        std::string shown = is_v6() ? "[" : "";
        shown += host;
        shown += is_v6() ? "]:" : ":";
        return shown + std::to_string(port());
    }
};

std::optional<Endpoint> parse_endpoint(std::string_view host, std::uint16_t port) {
    if (host == "localhost") host = "127.0.0.1";
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    const std::string literal(host.substr(0, host.find('%')));
    Endpoint endpoint;
    if (inet_pton(AF_INET, std::string(host).c_str(), &endpoint.v4().sin_addr) == 1) {
        endpoint.storage.ss_family = AF_INET;
        endpoint.bytes = sizeof(sockaddr_in);
    } else if (inet_pton(AF_INET6, literal.c_str(), &endpoint.v6().sin6_addr) == 1) {
        endpoint.storage.ss_family = AF_INET6;
        endpoint.bytes = sizeof(sockaddr_in6);
        if (literal.size() != host.size()) {
            endpoint.v6().sin6_scope_id = if_nametoindex(std::string(host.substr(literal.size() + 1)).c_str());
            if (endpoint.v6().sin6_scope_id == 0) return std::nullopt;
        }
    } else {
        return std::nullopt;
    }
    endpoint.set_port(port);
    return endpoint;
}

std::string explain_listen(int error, Endpoint& endpoint) {
    const std::string port = std::to_string(endpoint.port());
    const std::string where = "cannot listen on " + endpoint.text() + ": ";
    switch (error) {
        case EADDRINUSE:
            if (const auto owner = find_port_owner(endpoint.bytes16(), endpoint.port()))
                return "port " + port + " is in use by pid " + std::to_string(owner->pid) + " (" + owner->name + ")";
            return "port " + port +
                   " is in use by a process that cannot be seen from here; as root: ss -ltnp 'sport = :" + port + "'";
        case EACCES:
        case EPERM:
            return where + "ports below net.ipv4.ip_unprivileged_port_start (1024) need the capability " +
                   "CAP_NET_BIND_SERVICE (setcap cap_net_bind_service=+ep spillway, or AmbientCapabilities in "
                   "systemd); " +
                   "or use a port from 1024 on";
        case EADDRNOTAVAIL:
            return where + "this host has no such address; see `ip address`, or use 0.0.0.0 or :: for all addresses";
        case EAFNOSUPPORT:
            return where + "this kernel has " +
                   (endpoint.is_v6() ? "IPv6 switched off; use an IPv4 address" : "no IPv4");
        case EMFILE:
        case ENFILE: return where + "no descriptors left; raise the limit (ulimit -n, LimitNOFILE in systemd)";
        default: return where + std::strerror(error);
    }
}

void set_option(int fd, int level, int option, int value) {
    // These cannot fail on an open TCP socket; if they did, bind or listen would say what is the matter.
    static_cast<void>(::setsockopt(fd, level, option, &value, sizeof value));
}

Descriptor open_socket(const Endpoint& endpoint) {
    Descriptor fd(::socket(endpoint.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd && endpoint.is_v6()) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
    return fd;
}

// listen(2) cuts the backlog to net.core.somaxconn, which is what the operator set for this purpose.
int listen_deep(int fd) { return ::listen(fd, INT_MAX); }

/// The first socket takes the port for itself. What keeps a second starter out is listen(): it refuses a port on which
/// another socket listens, unless both have SO_REUSEPORT, and this one gets that only afterwards. (bind alone would
/// not do: with SO_REUSEADDR, which a restart needs because of connections in TIME_WAIT, two starters may both be bound
/// as long as neither listens. So two that race are told apart by listen, and the loser gets EADDRINUSE.)
int take_port(int fd, Endpoint& endpoint) {
    const bool any_port = endpoint.port() == 0;
    // A port chosen by the kernel must be one that nobody else is bound to: that is without SO_REUSEADDR.
    if (!any_port) set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (::bind(fd, endpoint.address(), endpoint.bytes) != 0) return errno;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (listen_deep(fd) != 0) return errno;
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (::getsockname(fd, endpoint.address(), &endpoint.bytes) != 0) return errno;
    return 0;
}

int join_port(int fd, Endpoint& endpoint) {
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (::bind(fd, endpoint.address(), endpoint.bytes) != 0 || listen_deep(fd) != 0) return errno;
    return 0;
}

}  // namespace

namespace {

/// The first socket of a port. The kernel takes a moment to put away the rings of a process that was killed, and with them its
/// sockets: a port that is taken by no process to be seen is tried for a while.
int open_first(Descriptor& fd, Endpoint& endpoint) {
    constexpr int kTries = 50;
    constexpr std::chrono::milliseconds kWait{20};
    for (int i = 1;; ++i) {
        fd = open_socket(endpoint);
        const int error = fd ? take_port(fd.get(), endpoint) : errno;
        if (error != EADDRINUSE || i == kTries || find_port_owner(endpoint.bytes16(), endpoint.port())) return error;
        std::this_thread::sleep_for(kWait);
    }
}

int open_next(Descriptor& fd, Endpoint& endpoint) {
    fd = open_socket(endpoint);
    return fd ? join_port(fd.get(), endpoint) : errno;
}

int option_of(int fd, int option) {
    int value = 0;
    socklen_t bytes = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
}

/// A backlog that others accept from as well: who looks, sees a connection and finds it taken, must not wait for the next.
void set_soon(int fd) {
    constexpr timeval kSoon = {0, 1000};
    static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kSoon, sizeof kSoon));
}

/// Where a TCP socket is bound; nothing for any other.
std::optional<Endpoint> endpoint_of(int socket) {
    Endpoint endpoint;
    endpoint.bytes = sizeof endpoint.storage;
    if (::getsockname(socket, endpoint.address(), &endpoint.bytes) != 0 ||
        (endpoint.storage.ss_family != AF_INET && endpoint.storage.ss_family != AF_INET6))
        return std::nullopt;
    return endpoint;
}

/// Of several descriptors of one socket, the first (SO_COOKIE, socket(7)).
void keep_distinct(std::vector<Descriptor>& sockets) {
    std::vector<std::uint64_t> seen;
    std::erase_if(sockets, [&seen](const Descriptor& socket) {
        std::uint64_t cookie = 0;
        socklen_t bytes = sizeof cookie;
        if (::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &bytes) != 0) return false;
        if (std::ranges::find(seen, cookie) != seen.end()) return true;
        seen.push_back(cookie);
        return false;
    });
}

}  // namespace

base::Result<Listeners> share_listener(Descriptor socket, std::size_t count) {
    SPILLWAY_ASSERT(count >= 1);
    auto endpoint = endpoint_of(socket.get());
    if (!endpoint) return base::fail("a socket that was handed to us is no TCP socket");
    set_soon(socket.get());
    Listeners listeners;
    listeners.port = endpoint->port();
    listeners.address = endpoint->text();
    for (std::size_t i = 1; i < count; ++i) {
        Descriptor copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
        if (!copy) return base::fail(std::string("no descriptors left for listeners: ") + std::strerror(errno));
        listeners.sockets.push_back(std::move(copy));
    }
    listeners.sockets.push_back(std::move(socket));
    return listeners;
}

std::optional<std::string> listener_address(std::string_view host, std::uint16_t port) {
    auto endpoint = parse_endpoint(host, port);
    return endpoint ? std::optional(endpoint->text()) : std::nullopt;
}

base::Result<Listeners> inherit_listeners(std::vector<Descriptor> sockets) {
    keep_distinct(sockets);
    Listeners listeners;
    for (const Descriptor& socket : sockets) {
        auto endpoint = endpoint_of(socket.get());
        if (!endpoint || option_of(socket.get(), SO_ACCEPTCONN) != 1)
            return base::fail("the predecessor has handed over something that is no listening TCP socket");
        set_soon(socket.get());
        listeners.port = endpoint->port();
        listeners.address = endpoint->text();
    }
    listeners.sockets = std::move(sockets);
    return listeners;
}

base::Result<Descriptor> further_listener(int listener) {
    auto endpoint = endpoint_of(listener);
    if (!endpoint) return base::fail("it is no TCP socket");
    Descriptor fd;
    if (option_of(listener, SO_REUSEPORT) == 1 && open_next(fd, *endpoint) == 0) return fd;
    set_soon(listener);
    fd.reset(::fcntl(listener, F_DUPFD_CLOEXEC, 0));
    if (!fd) return base::fail(std::string("no descriptors left for listeners: ") + std::strerror(errno));
    return fd;
}

base::Result<Listeners> open_listeners(std::string_view host, std::uint16_t port, std::size_t count) {
    SPILLWAY_ASSERT(count >= 1);
    auto endpoint = parse_endpoint(host, port);
    if (!endpoint)
        return base::fail("cannot listen on \"" + std::string(host) +
                          "\": give an IPv4 or IPv6 address of this host, or localhost");
    Listeners listeners;
    for (std::size_t i = 0; i < count; ++i) {
        Descriptor fd;
        const int error = i == 0 ? open_first(fd, *endpoint) : open_next(fd, *endpoint);
        if (error != 0) return base::fail(explain_listen(error, *endpoint));
        listeners.sockets.push_back(std::move(fd));
    }
    listeners.port = endpoint->port();
    listeners.address = endpoint->text();
    return listeners;
}

}  // namespace spillway::io
