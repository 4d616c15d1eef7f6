// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What clients that asked for it (?gaps=1) have missed. A channel's messages are numbered without holes, so what lies between
// two that go to the same client one behind the other, less those that exclude it, was lost: whatever the policy dropped, and
// exactly there. Before the second of the two goes a notice with the count.
//
// Such clients always take the way through their queue, where each message passes by here. For all others nothing is kept and
// nothing is done.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <spillway/ids.h>

#include "pubsub/send_queue.h"
#include "server/client.h"

namespace spillway::server {

class Core;

class Gaps {
public:
    explicit Gaps(Core& core) : core_(core) {}

    // All of these are for clients with `gaps` set.

    void joined(const Client& client, LocalChannelId channel, std::uint64_t first_seq);
    void left(const Client& client, LocalChannelId channel);
    /// The client ends.
    void forget(Client& client);

    /// A message entered the client's queue, or was not for it.
    void queued(const Client& client, LocalChannelId channel, std::uint64_t seq);
    void excluded(const Client& client, LocalChannelId channel, std::uint64_t seq);
    /// It was queued, and went for a reason that is no loss to the client.
    void withdrawn(const Client& client, LocalChannelId channel, std::uint64_t seq);
    /// An entry of the queue is whole on the wire.
    void passed(const Client& client, const pubsub::QueueEntry& entry);
    /// Puts notices before those of the messages due next that have a gap before them. Nothing may be in flight.
    void put_notices(Client& client);

    [[nodiscard]] std::size_t size() const { return clients_.size(); }

private:
    struct Track {
        LocalChannelId channel;
        std::uint64_t passed = 0;       // everything up to this number has gone, was told of, or came before the join
        std::uint64_t seen = 0;         // the same, if what is in the queue up to here goes as well
        std::uint64_t last_queued = 0;  // of this stay; 0 = none
        struct Skipped {
            std::uint64_t seq = 0;
            std::uint64_t count = 0;
        };
        /// Messages not for this client. Those between two queued ones are one entry, so there are no more of these than the
        /// queue has messages, and one.
        std::vector<Skipped> skipped;
    };
    [[nodiscard]] Track* find(const Client& client, LocalChannelId channel);
    [[nodiscard]] static std::uint64_t missing_before(const Track& track, std::uint64_t seq);
    [[nodiscard]] pubsub::Held* make_notice(const Client& client, LocalChannelId channel, std::uint64_t upto,
                                            std::uint64_t count);

    Core& core_;
    std::unordered_map<std::uint64_t, std::vector<Track>> clients_;  // by packed id
    std::string json_;
};

}  // namespace spillway::server
