// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/stream.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/format.h"

namespace spillway::client {
namespace {

using base::concat;
using base::fail;

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

struct FreeAddresses {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

}  // namespace

StopSignal::StopSignal() {
    const sigset_t set = stop_signals();
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

StopSignal::~StopSignal() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) > 0) {  // so that they do not strike when they are let in again
    }
    const sigset_t set = stop_signals();
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

bool StopSignal::raised() const {
    pollfd ask{.fd = fd(), .events = POLLIN, .revents = 0};
    return poll(&ask, 1, 0) > 0;
}

int milliseconds_until(base::Instant deadline, base::Instant now) {
    if (deadline <= now) return 0;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
    return static_cast<int>(std::min<std::int64_t>(left, 1'000'000'000));
}

Stream::Stream(io::Descriptor socket) : socket_(std::move(socket)), buffer_(new char[kReceiveBytes]) {}

base::Result<Stream> Stream::connect(const Endpoint& endpoint, const base::Clock& clock, const StopSignal& stop) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string port = concat(endpoint.port);
    if (const int error = getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found); error != 0)
        return fail(concat(endpoint.host, ": ", gai_strerror(error)));
    const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
    const base::Instant deadline = clock.now() + kConnectTimeout;
    std::string reason;
    for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
        Stream stream(io::Descriptor(socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
        int error = stream.fd() < 0 || ::connect(stream.fd(), at->ai_addr, at->ai_addrlen) != 0 ? errno : 0;
        if (error == EINPROGRESS) {
            const Wait waited = stream.wait(POLLOUT, deadline, clock, stop);
            if (waited == Wait::stopped) return fail("stopped");
            error = ETIMEDOUT;
            socklen_t size = sizeof error;
            if (waited == Wait::ready) getsockopt(stream.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
        }
        if (error == 0) {
            const int on = 1;  // lines are gathered before they are sent
            setsockopt(stream.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return stream;
        }
        reason = concat(authority(endpoint), ": ", strerror(error));
    }
    return fail(std::move(reason));
}

bool Stream::send(const std::string& out, std::size_t& begin) {
    while (begin < out.size()) {
        const ssize_t sent = ::send(fd(), out.data() + begin, out.size() - begin, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN || errno == EINTR;
        begin += static_cast<std::size_t>(sent);
    }
    return true;
}

Stream::Received Stream::receive(std::string& in) {
    const ssize_t got = ::recv(fd(), buffer_.get(), kReceiveBytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Received::nothing;
    if (got <= 0) return Received::ended;
    in.append(buffer_.get(), static_cast<std::size_t>(got));
    return Received::some;
}

Stream::Wait Stream::wait(short events, base::Instant deadline, const base::Clock& clock,
                          const StopSignal& stop) const {
    while (true) {
        pollfd asked[] = {{.fd = fd(), .events = events, .revents = 0},
                          {.fd = stop.fd(), .events = POLLIN, .revents = 0}};
        const int timeout = milliseconds_until(deadline, clock.now());
        const int count = poll(asked, 2, timeout);
        if (asked[1].revents != 0) return Wait::stopped;
        if (asked[0].revents != 0) return Wait::ready;
        if (count == 0 && timeout == 0) return Wait::late;
    }
}

}  // namespace spillway::client
