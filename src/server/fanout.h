// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Broadcasts to this core's subscribers: the hot path. A job is a pass over the channel's subscribers (LocalChannels); what
// comes meanwhile gathers, gets on where the pass is, and rides one lap joined with what rides already: the busier the
// core, the more each send carries. Jobs run in slices, urgent first, round robin, so that one channel of a
// million does not hold up a channel of ten. A lone message leaves at once.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <vector>

#include <spillway/ids.h>
#include <spillway/limits.h>

#include "base/clock.h"
#include "base/fifo.h"
#include "pubsub/local_channels.h"
#include "server/client.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;

class Fanout {
public:
    explicit Fanout(Core& core) : core_(core) {}

    /// A sequenced message for a local channel: gathers it and queues a job.
    void gather(const Broadcast& broadcast);

    /// Runs jobs until none is left or the slice is over.
    void run();

    /// A channel has gathered more than its next few laps will take, or all of them too much memory: nothing more is taken out
    /// of the mesh. The rings fill, the homes hold back, and publishers are slowed before what they say gets old here.
    [[nodiscard]] bool saturated() const { return behind_ != 0 || gathered_bytes_ > kGatheredMax; }
    [[nodiscard]] bool busy() const { return !urgent_.empty() || !normal_.empty(); }
    [[nodiscard]] std::size_t jobs() const { return urgent_.size() + normal_.size(); }

private:
    using Channel = pubsub::LocalChannel;
    static constexpr std::uint64_t kGatheredMax = 4 * kMiB;
    static constexpr std::uint64_t kPassesBehind = 4;

    void look_behind(Channel& channel);
    void queue(Channel& channel, bool urgent);
    [[nodiscard]] Channel* next_job();
    [[nodiscard]] static bool excludes(const Channel& channel, const Client& client);
    void board(Channel& channel);
    void walk(Channel& channel);
    /// False: it took the way through the client's queue.
    bool serve(Channel& channel, const pubsub::Subscriber& subscriber);
    void offer_each(Channel& channel, const pubsub::Subscriber& subscriber, Client& client);
    void settle_batch();
    void turn(Channel& channel);
    void let_go(pubsub::Held* held, base::Instant now);

    Core& core_;
    base::Fifo<LocalChannelId> urgent_;
    base::Fifo<LocalChannelId> normal_;
    std::uint64_t gathered_bytes_ = 0;  // with what is in passes
    std::size_t behind_ = 0;            // channels
    std::vector<Channel*> turning_;     // at the boundary of their pass, their last sends not settled yet
};

}  // namespace spillway::server
