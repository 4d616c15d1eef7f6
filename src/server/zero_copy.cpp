// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/zero_copy.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "server/core.h"

namespace spillway::server {

base::Instant ZeroCopy::core_now() const { return core_.now; }

std::size_t ZeroCopy::route_of(Client& client) const {
    if (client.peer == PeerKind::unknown) {
        const Address address = core_.ring.peer(client.fd).address;
        // A Unix socket's peer has none.
        client.peer = address.is_none() || address.is_loopback() ? PeerKind::this_host : PeerKind::elsewhere;
    }
    return client.peer == PeerKind::this_host ? 0 : 1;
}

void ZeroCopy::send(const Client& client, std::span<const std::byte> bytes, pubsub::Held* held) {
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(frames_.size()));
        frames_.emplace_back();
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    const std::uint8_t route = client.peer == PeerKind::this_host ? 0 : 1;
    pubsub::Holds::retain(held);
    frames_[place] = {held, client.id, route};
    routes_[route].sent();
    core_.ring.send_zc(client.fd, bytes, {io::Op::send_zc, 0, place});
}

std::uint64_t ZeroCopy::completed(const io::Completion& done) {
    Frame& frame = frames_[done.token.slot];
    SPILLWAY_ASSERT(frame.held != nullptr);
    ZeroCopyRoute& route = routes_[frame.route];
    std::uint64_t client = 0;
    if (done.notification) {
        route.reported(done.copied, core_.now);
        frame.noticed = true;
    } else {
        client = frame.client;
        frame.sent = true;
        if (!done.more) {
            frame.noticed = true;
            route.unreported();
        }
        if (is_refusal(done.result)) route.refused(core_.now);
    }
    if (frame.sent && frame.noticed) {
        core_.holds.release(frame.held);
        frame = {};
        free_.push_back(done.token.slot);
    }
    return client;
}

bool ZeroCopy::is_refusal(int result) {
    // EINVAL: no usage reports before Linux 6.2. EOPNOTSUPP: not on this kind of socket. ENOMEM: the pages cannot be locked.
    return result == -EINVAL || result == -EOPNOTSUPP || result == -ENOMEM || result == -ENOBUFS;
}

std::size_t ZeroCopy::routes_off() const {
    return static_cast<std::size_t>(std::ranges::count_if(routes_, &ZeroCopyRoute::off));
}

}  // namespace spillway::server
