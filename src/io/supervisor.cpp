// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/supervisor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/format.h"

namespace spillway::io {
namespace {

using std::chrono::microseconds;

constexpr std::uint64_t kSocketsMax = 64;

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);  // the main thread's, before there are others
    return value == nullptr ? std::string_view{} : std::string_view(value);
}

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_ours(std::string_view pid) { return number_of(pid) == static_cast<std::uint64_t>(::getpid()); }

}  // namespace

Supervisor::Supervisor(std::string address, base::Duration watchdog)
    : address_(std::move(address)), watchdog_(watchdog) {
    if (address_.empty() || address_.size() >= sizeof(sockaddr_un::sun_path)) return;
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

Supervisor Supervisor::from_environment() {
    const std::string_view pid = variable("WATCHDOG_PID");
    const auto watchdog = pid.empty() || is_ours(pid) ? number_of(variable("WATCHDOG_USEC")) : std::nullopt;
    return {std::string(variable("NOTIFY_SOCKET")), microseconds(watchdog.value_or(0))};
}

void Supervisor::tell(std::string_view message) {
    if (!socket_) return;
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, address_.data(), address_.size());
    if (address_.front() == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    // If it does not hear us, there is nothing better to do than to go on.
    static_cast<void>(::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                               reinterpret_cast<const sockaddr*>(&address), bytes));
}

void Supervisor::ready(std::string_view status) { tell(base::concat("READY=1\nSTATUS=", status)); }

void Supervisor::reloading(base::Instant now) {
    const auto since_boot = std::chrono::duration_cast<microseconds>(now.time_since_epoch()).count();
    tell(base::concat("RELOADING=1\nMONOTONIC_USEC=", since_boot, "\nSTATUS=reloading"));
}

void Supervisor::stopping(std::string_view status) { tell(base::concat("STOPPING=1\nSTATUS=", status)); }
void Supervisor::succeeded_by(std::uint64_t pid) { tell(base::concat("MAINPID=", pid)); }
void Supervisor::alive() { tell("WATCHDOG=1"); }
void Supervisor::status(std::string_view text) { tell(base::concat("STATUS=", text)); }

std::optional<base::Duration> Supervisor::alive_every() const {
    if (!socket_ || watchdog_ == base::Duration::zero()) return std::nullopt;
    return watchdog_ / 2;
}

base::Result<std::vector<GivenSocket>> given_sockets(std::string_view fds, std::string_view pid, std::string_view names,
                                                     int first) {
    std::vector<GivenSocket> given;
    if (fds.empty() || !is_ours(pid)) return given;
    const auto count = number_of(fds);
    if (!count || *count > kSocketsMax) return base::fail(base::concat("LISTEN_FDS is no number up to ", kSocketsMax));
    for (int i = 0; i < static_cast<int>(*count); ++i) {
        Descriptor fd(first + i);
        int listens = 0;
        socklen_t bytes = sizeof listens;
        if (::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) != 0 || listens == 0) {
            static_cast<void>(fd.release());  // not ours to close
            return base::fail(base::concat("descriptor ", first + i, " of LISTEN_FDS is no listening socket"));
        }
        static_cast<void>(::fcntl(fd.get(), F_SETFD, FD_CLOEXEC));
        const std::size_t colon = std::min(names.find(':'), names.size());
        given.push_back({std::move(fd), std::string(names.substr(0, colon))});
        names.remove_prefix(std::min(colon + 1, names.size()));
    }
    return given;
}

}  // namespace spillway::io
