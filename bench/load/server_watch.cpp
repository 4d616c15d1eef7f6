// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// /proc and /metrics.

#include "server_watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "board.h"

namespace spillway::load {
namespace {

void look_at_process(int pid, ServerState& state) {
    const std::string folder = "/proc/" + std::to_string(pid);
    std::ifstream status(folder + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) state.resident_bytes = std::atoll(line.c_str() + 6) * 1024;
    }
    std::error_code error;
    std::int64_t descriptors = 0;
    for (std::filesystem::directory_iterator entry(folder + "/fd", error), end; !error && entry != end;
         entry.increment(error))
        ++descriptors;
    if (!error) state.descriptors = descriptors;
    std::ifstream stat(folder + "/stat");
    std::string text;
    std::getline(stat, text);
    const std::size_t name_end = text.rfind(')');
    if (name_end == text.npos) return;
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;  // up to utime, field 14 of proc(5)
    double user = 0;
    double system = 0;
    fields >> user >> system;
    state.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::string metrics_page(const Options& options) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(options.metrics_port);
    inet_pton(AF_INET, options.host.c_str(), &server.sin_addr);
    const timeval patience{5, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::string page;
    constexpr std::string_view kRequest = "GET /metrics HTTP/1.1\r\nHost: load\r\nConnection: close\r\n\r\n";
    if (connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0 &&
        send(fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(kRequest.size())) {
        char piece[16 * 1024];
        for (ssize_t n; (n = recv(fd, piece, sizeof piece, 0)) > 0;) page.append(piece, static_cast<std::size_t>(n));
    }
    close(fd);
    return page;
}

/// Sum of the samples whose line begins like this; -1 when there are none.
std::int64_t sum_of(const std::string& page, std::string_view start) {
    std::istringstream lines(page);
    std::int64_t sum = -1;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(start)) continue;
        sum = (sum < 0 ? 0 : sum) + static_cast<std::int64_t>(std::strtod(line.c_str() + line.rfind(' '), nullptr));
    }
    return sum;
}

}  // namespace

ServerState look_at_server(const Options& options) {
    ServerState state;
    // First: the server may not have put away our own connection yet when its page is here.
    if (options.pid != 0) look_at_process(options.pid, state);
    if (options.metrics_port != 0) {
        const std::string page = metrics_page(options);
        state.clients =
            sum_of(page, "spillway_clients{kind=\"pusher\"}") + sum_of(page, "spillway_clients{kind=\"feed\"}");
        state.dropped = sum_of(page, "spillway_dropped_total{");
    }
    return state;
}

bool wait_back_at(const Options& options, const ServerState& before, int seconds) {
    const std::int64_t until = now_ns() + seconds * std::int64_t{1'000'000'000};
    for (;;) {
        const ServerState now = look_at_server(options);
        if (now.descriptors <= before.descriptors && now.clients <= before.clients) return true;
        if (now_ns() > until) return false;
        poll(nullptr, 0, 100);  // in which a busy machine comes to it
    }
}

}  // namespace spillway::load
