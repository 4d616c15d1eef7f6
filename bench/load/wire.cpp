// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0

#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "board.h"
#include "websocket.h"

namespace spillway::load {
namespace {

constexpr std::int64_t kUpgradePatience = 10'000'000'000;

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(2);
}

}  // namespace

Wire::Wire(const Options& options) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(options.port);
    if (inet_pton(AF_INET, options.host.c_str(), &server.sin_addr) != 1)
        give_up("spillway-load: --host wants an IPv4 address");
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) give_up("spillway-load: connect");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Wire::Wire(Wire&& other) noexcept : fd_(std::exchange(other.fd_, -1)), input_(std::move(other.input_)) {}

Wire::~Wire() {
    if (fd_ >= 0) close(fd_);
}

void Wire::upgrade(const Options& options, const std::string& path) {
    send(upgrade_request(options, path));
    const std::int64_t until = now_ns() + kUpgradePatience;
    for (;;) {
        receive();
        std::string_view rest = input_;
        if (const auto status = take_upgrade_answer(rest)) {
            if (*status != 101) {
                std::fprintf(stderr, "spillway-load: %s is answered with %d\n", path.c_str(), *status);
                std::exit(2);
            }
            input_.erase(0, input_.size() - rest.size());
            return;
        }
        if (!wait(until)) give_up("spillway-load: no answer to an upgrade");
    }
}

void Wire::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) give_up("spillway-load: publishing");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void Wire::receive() {
    char piece[16 * 1024];
    for (;;) {
        const ssize_t n = recv(fd_, piece, sizeof piece, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n == 0) errno = ECONNRESET;
        if (n <= 0) give_up("spillway-load: the server ended a connection of the publisher");
        input_.append(piece, static_cast<std::size_t>(n));
        if (static_cast<std::size_t>(n) < sizeof piece) return;
    }
}

bool Wire::wait(std::int64_t until_ns) {
    const std::int64_t left = until_ns - now_ns();
    if (left <= 0) return false;
    const timespec time{left / 1'000'000'000, left % 1'000'000'000};
    pollfd readable{fd_, POLLIN, 0};
    return ppoll(&readable, 1, &time, nullptr) > 0;
}

}  // namespace spillway::load
