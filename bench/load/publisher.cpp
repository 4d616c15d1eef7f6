// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 by hand, and the signature of Pusher's HTTP API.

#include "publisher.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "board.h"
#include "crypto/digest.h"

namespace spillway::load {
namespace {

constexpr std::uint32_t kChannelsPerRequest = 100;  // the API's limit

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(2);
}

std::string data_of(std::uint32_t round, std::uint32_t size) {
    char number[kSizeMin + 1];
    std::snprintf(number, sizeof number, "%010u", round);
    std::string data(number);
    data.resize(size, 'x');
    return data;
}

/// Bytes of the body that this head announces.
std::size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "content-length:";
    const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
    const auto at = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
    if (at == head.end()) return 0;
    std::string_view value = head.substr(static_cast<std::size_t>(at - head.begin()) + kName.size());
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    std::size_t length = 0;
    std::from_chars(value.data(), value.data() + value.size(), length);
    return length;
}

}  // namespace

Publisher::Publisher(const Options& options)
    : options_(options),
      fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      requests_per_broadcast_((options.channels + kChannelsPerRequest - 1) / kChannelsPerRequest) {
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(options.port);
    if (inet_pton(AF_INET, options.host.c_str(), &server.sin_addr) != 1)
        give_up("spillway-load: --host wants an IPv4 address");
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) give_up("spillway-load: connect");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Publisher::~Publisher() { close(fd_); }

std::string Publisher::broadcast(std::uint32_t round) const {
    std::string requests;
    for (std::uint32_t first = 0; first < options_.channels; first += kChannelsPerRequest) {
        std::string body = R"({"name":"e","data":")" + data_of(round, options_.size) + R"(","channels":[)";
        const std::uint32_t end = std::min(first + kChannelsPerRequest, options_.channels);
        for (std::uint32_t channel = first; channel < end; ++channel) {
            body += (channel == first ? "\"" : ",\"") + channel_name(channel) + '"';
        }
        requests += request(body += "]}");
    }
    return requests;
}

std::string Publisher::request(const std::string& body) const {
    const std::string path = "/apps/" + options_.app_id + "/events";
    const std::string query = "auth_key=" + options_.app_key + "&auth_timestamp=" + std::to_string(std::time(nullptr)) +
                              "&auth_version=1.0&body_md5=" + crypto::md5_hex(body);
    const std::string proof = crypto::hmac_sha256_hex(options_.app_secret, {"POST\n", path, "\n", query});
    return "POST " + path + '?' + query + "&auth_signature=" + proof + " HTTP/1.1\r\nHost: " + options_.host +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void Publisher::send(const std::string& requests) {
    outstanding_ += requests_per_broadcast_;
    for (std::string_view rest = requests; !rest.empty();) {
        const ssize_t n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (n < 0) give_up("spillway-load: publishing");
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
}

bool Publisher::settle(std::uint32_t most, std::int64_t until_ns) {
    for (;;) {
        char piece[16 * 1024];
        const ssize_t n = recv(fd_, piece, sizeof piece, MSG_DONTWAIT);
        if (n == 0) errno = ECONNRESET;
        if (n == 0 || (n < 0 && errno != EAGAIN)) give_up("spillway-load: the server ended the publisher's connection");
        if (n > 0) input_.append(piece, static_cast<std::size_t>(n));
        take_answers();
        if (outstanding_ <= most) return true;
        const std::int64_t left = until_ns - now_ns();
        if (left <= 0) return false;
        const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
        pollfd readable{fd_, POLLIN, 0};
        ppoll(&readable, 1, &wait, nullptr);
    }
}

void Publisher::take_answers() {
    std::string_view rest = input_;
    for (;;) {
        const std::size_t end = rest.find("\r\n\r\n");
        if (end == rest.npos) break;
        const std::string_view head = rest.substr(0, end);
        const std::size_t whole = end + 4 + content_length(head);
        if (rest.size() < whole) break;
        if (!head.starts_with("HTTP/1.1 200")) {
            ++refused_;
            refusal_ =
                std::string(head.substr(0, head.find('\r'))) + " " + std::string(rest.substr(end + 4, whole - end - 4));
        }
        --outstanding_;
        rest.remove_prefix(whole);
    }
    input_.erase(0, input_.size() - rest.size());
}

}  // namespace spillway::load
