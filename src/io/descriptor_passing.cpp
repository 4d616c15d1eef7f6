// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/descriptor_passing.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace spillway::io {
namespace {

constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
constexpr int kBacklog = 16;

struct LocalAddress {
    explicit LocalAddress(std::string_view name) {
        SPILLWAY_ASSERT(name.size() <= 100);
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path + 1, name.data(), name.size());  // behind a zero: abstract
        bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    }
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
    sockaddr_un address = {};
    socklen_t bytes = 0;
};

/// Takes over the descriptors that came with a message.
void collect(msghdr& message, std::vector<Descriptor>& descriptors) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
}

}  // namespace

base::Result<Descriptor> listen_local(std::string_view name) {
    const LocalAddress address(name);
    Descriptor fd(::socket(AF_UNIX, kType, 0));
    if (!fd || ::bind(fd.get(), address.get(), address.bytes) != 0 || ::listen(fd.get(), kBacklog) != 0)
        return base::fail(std::string(std::strerror(errno)));
    return fd;
}

void listen_as_ourselves(const Descriptor& listener) {
    // listen(2) notes the caller's credentials for SO_PEERCRED, on a socket that listens already, too.
    static_cast<void>(::listen(listener.get(), kBacklog));
}

Descriptor accept_local(const Descriptor& listener) {
    // Looked at first: the flag that accepting does not block is shared with every process that has the socket.
    if (!wait_readable(listener, base::Duration::zero())) return {};
    return Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

Descriptor connect_local(std::string_view name) {
    const LocalAddress address(name);
    Descriptor fd(::socket(AF_UNIX, kType, 0));
    if (fd && ::connect(fd.get(), address.get(), address.bytes) != 0) fd.reset();
    return fd;
}

std::optional<LocalPeer> peer_of(const Descriptor& connection) {
    ucred credentials = {};
    socklen_t bytes = sizeof credentials;
    if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) return std::nullopt;
    return LocalPeer{credentials.pid, credentials.uid};
}

bool send_record(const Descriptor& connection, std::string_view text, std::span<const int> descriptors) {
    SPILLWAY_ASSERT(text.size() <= kRecordMax && descriptors.size() <= kRecordDescriptorsMax);
    iovec part{const_cast<char*>(text.data()), text.size()};  // sendmsg(2) does not write
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    std::vector<std::byte> control(CMSG_SPACE(descriptors.size_bytes()));
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    return ::sendmsg(connection.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(text.size());
}

Receipt receive_record(const Descriptor& connection, Record& record) {
    record = {};
    record.text.resize(kRecordMax);
    std::vector<std::byte> control(CMSG_SPACE(sizeof(int) * kRecordDescriptorsMax));
    for (int reset = 0;; ++reset) {
        iovec part{record.text.data(), record.text.size()};
        msghdr message = {};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t n = ::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return Receipt::nothing_yet;
        // The other side closed without reading what we said; what it said before is still there.
        if (n < 0 && errno == ECONNRESET && reset == 0) continue;
        if (n <= 0) return Receipt::over;
        record.text.resize(static_cast<std::size_t>(n));
        collect(message, record.descriptors);
        return (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 ? Receipt::record : Receipt::malformed;
    }
}

bool wait_readable(const Descriptor& connection, base::Duration at_most) {
    pollfd look{.fd = connection.get(), .events = POLLIN, .revents = 0};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
    return ::poll(&look, 1, static_cast<int>(ms)) == 1;
}

}  // namespace spillway::io
