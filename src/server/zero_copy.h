// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Large messages without a copy (SEND_ZC): to whom that pays, and the frames that the kernel still reads. A frame is held from
// the send until the kernel's notification, which waits for the peer to acknowledge the bytes, so it may come long after the
// client is gone. A core that ends leaves the memory of frames whose notification has not come as it is.
//
// Thread: the core.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <spillway/limits.h>

#include "io/completion.h"
#include "pubsub/message.h"
#include "server/client.h"
#include "server/zero_copy_route.h"

namespace spillway::server {

class Core;

class ZeroCopy {
public:
    explicit ZeroCopy(Core& core) : core_(core) {}

    /// Messages of so many bytes are large; the simulation's are small ones.
    void take_from(std::size_t bytes) { from_ = bytes; }

    /// So many bytes of a message should go to this client without a copy.
    [[nodiscard]] bool wanted(Client& client, std::size_t bytes) {
        return bytes >= from_ && routes_[route_of(client)].may_send(core_now());
    }
    /// Sends bytes of the held message; the client is told of the end through completed().
    void send(const Client& client, std::span<const std::byte> bytes, pubsub::Held* held);
    /// The packed id of the client whose send this ends, or 0: it was a notification.
    [[nodiscard]] std::uint64_t completed(const io::Completion& done);
    /// The kernel refused to send this way: the same bytes go with a copy.
    [[nodiscard]] static bool is_refusal(int result);

    /// The packed id of the client a send under way is for, by the slot of its token.
    [[nodiscard]] std::uint64_t client_of(std::uint32_t place) const { return frames_[place].client; }
    /// Frames the kernel may still read.
    [[nodiscard]] std::size_t held() const { return frames_.size() - free_.size(); }
    /// Routes on which it does not pay.
    [[nodiscard]] std::size_t routes_off() const;

private:
    struct Frame {
        pubsub::Held* held = nullptr;
        std::uint64_t client = 0;
        std::uint8_t route = 0;
        bool sent = false;     // its result has come
        bool noticed = false;  // its notification has come, or will not
    };
    [[nodiscard]] std::size_t route_of(Client& client) const;
    [[nodiscard]] base::Instant core_now() const;

    Core& core_;
    std::size_t from_ = kZeroCopyBytes;
    std::array<ZeroCopyRoute, 2> routes_;  // by PeerKind: this host, elsewhere
    std::vector<Frame> frames_;
    std::vector<std::uint32_t> free_;
};

}  // namespace spillway::server
