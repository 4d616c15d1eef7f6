// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The books of the simulation, kept apart from the server's, channel by channel: what is due to whom when a message is
// sequenced, by a count of its own of who is in the channel; what becomes of it; and what the kernel was given, read off the
// wire. Between any two steps, of every channel:
//
//   due = delivered + dropped + excluded + with the kernel or before it (queued) + owed by a pass + in the mesh
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <spillway/ids.h>

#include "fake_network.h"
#include "pubsub/message.h"
#include "wire.h"

namespace spillway::test {

class SimLedger {
public:
    explicit SimLedger(std::size_t cores) : cores_(cores) {}

    // What happens.

    void joined(std::string_view channel, CoreId core) { ++account(channel).subscribers[core]; }
    void left(std::string_view channel, CoreId core);
    /// `expected`: what the home says is due at that core.
    void sent(std::string_view channel, const pubsub::Message& message, CoreId to, std::uint64_t expected);
    /// The message sent last is this publication; if it went to anybody.
    void sequenced(std::string_view channel, std::uint64_t publication);
    void dropped(const pubsub::Message& message, std::uint64_t n) { of(message).dropped += n; }
    void excluded(const pubsub::Message& message) { ++of(message).excluded; }
    /// A frame of the channel is whole on the wire.
    void delivered(std::string_view channel) { ++account(channel).delivered; }

    // What is left, found by whoever looks; then everything must be there.

    void still(const pubsub::Message& message, std::uint64_t n = 1) { of(message).still += n; }
    void settle();

    /// The channel of a message that is somewhere, and its publication; 0 = the server's own.
    [[nodiscard]] const std::string& channel_of(const pubsub::Message& message) { return of(message).name; }
    [[nodiscard]] std::uint64_t publication_of(const pubsub::Message& message) const {
        return messages_.at(&message).publication;
    }

private:
    struct Account {
        std::string name;
        std::vector<std::uint64_t> subscribers;  // by core
        std::uint64_t due = 0;
        std::uint64_t delivered = 0;
        std::uint64_t dropped = 0;
        std::uint64_t excluded = 0;
        std::uint64_t still = 0;
    };
    struct Sent {
        Account* account = nullptr;
        std::uint64_t publication = 0;
    };
    [[nodiscard]] Account& account(std::string_view channel);
    [[nodiscard]] Account& of(const pubsub::Message& message);

    std::size_t cores_;
    std::map<std::string, Account, std::less<>> accounts_;
    std::unordered_map<const pubsub::Message*, Sent>
        messages_;  // also of those that are gone, until their memory is another's
    const pubsub::Message* last_ = nullptr;
};

/// Reads off the wire of one connection, as the kernel takes it, what is delivered to it.
class DeliveryTap final : public WireTap {
public:
    /// Who the server has at the other end.
    struct Peer {
        enum class Kind : std::uint8_t { pusher, feed, other };
        Kind kind = Kind::other;
        std::string channel;  // of a feed
    };
    DeliveryTap(SimLedger& ledger, std::function<Peer()> who) : ledger_(ledger), who_(std::move(who)) {}

    void took(std::string_view bytes) override;
    /// A join of it took its place when the channel's last event was kept, or none was.
    void joined(std::string_view channel, bool found_kept) {
        joined_ = channel;
        found_kept_ = found_kept;
    }

private:
    void understand(std::string_view text);

    SimLedger& ledger_;
    std::function<Peer()> who_;
    std::optional<Peer> peer_;  // once it is upgraded
    HttpReader http_;
    FrameReader frames_;
    std::set<std::string, std::less<>> expects_kept_;  // channels whose last event comes next, for it alone
    std::string joined_;                               // the channel of its last join
    bool found_kept_ = false;
};

}  // namespace spillway::test
