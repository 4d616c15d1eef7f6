// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The home role of a core: gives each of its channels one order. Joins, leaves and publications come through the mesh;
// sequenced messages leave for every core that has subscribers, each encoded once per wire form in use.
//
// Admission comes before sequencing: while a subscribed core's ring is 80 % full nothing is sequenced into it; publications
// wait here, at most as many as their publishers had credit for, and the publishers slow down.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "pubsub/home_channels.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;

/// Sees what a home decides, in the order in which it decides. The simulation measures clients by it.
class HomeWitness {
public:
    /// A join took its place in the order of the channel that `from` knows as `local`.
    virtual void joined(CoreId from, LocalChannelId local, std::uint64_t client) = 0;
    /// A publication took its place, whether or not anybody subscribes.
    virtual void sequenced(std::string_view channel, std::string_view data) = 0;

protected:
    ~HomeWitness() = default;
};

class Home {
public:
    explicit Home(Core& core);

    void join(CoreId from, const Join& join);
    void leave(CoreId from, const Leave& leave);
    void publish(CoreId from, const Publish& publish);

    /// Sequences what had to wait, as far as there is room now.
    void resume();
    /// Tells publishing cores what was taken since the last time.
    void send_credit();
    [[nodiscard]] bool waiting() const { return !waiting_.empty(); }
    [[nodiscard]] const pubsub::HomeChannels& channels() const { return channels_; }
    void set_witness(HomeWitness* witness) { witness_ = witness; }

private:
    struct Waiting {
        CoreId from = 0;
        Publish publish;
    };

    [[nodiscard]] bool has_room(const pubsub::HomeChannel& channel);
    [[nodiscard]] bool try_sequence(CoreId from, const Publish& publish);
    [[nodiscard]] pubsub::Message* encode(pubsub::HomeChannel& channel, PublishBody& body);
    void send_out(pubsub::HomeChannel& channel, PublishBody& body);
    void note_client_event(const pubsub::ChannelKey& key, PublishBody& body);

    Core& core_;
    pubsub::HomeChannels channels_;
    std::deque<Waiting> waiting_;
    std::vector<std::uint32_t> credit_;
    std::string scratch_;
    HomeWitness* witness_ = nullptr;  // none in the server
};

}  // namespace spillway::server
