// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The home role of a core: gives each of its channels one order. Joins, leaves and publications come through the mesh;
// sequenced messages leave for every core that has subscribers, each encoded once per wire form in use.
//
// Admission comes before sequencing: while a subscribed core's ring is 80 % full nothing is sequenced into it; publications
// wait here, at most as many as their publishers had credit for, and the publishers slow down.
//
// What a channel's state decides is told in the same order: who comes into a presence channel is announced before the
// joiner's place, who is gone after the leaver's, so nobody sees himself come or go, and the roster in a join's answer and the
// events behind it fit together without a gap. Such events are never held back; what bounds them is that a member's join takes
// credit, which comes back only while no ring is congested, and that a leave needs a join.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/api_answer.h"
#include "pubsub/event_cache.h"
#include "pubsub/home_channels.h"
#include "server/envelope.h"
#include "server/subscription_counts.h"

namespace spillway::server {

class Core;

/// Sees what a home decides, in the order in which it decides. The simulation measures clients by it.
class HomeWitness {
public:
    /// A join took its place in the order of the channel that `from` knows as `local`.
    virtual void joined(CoreId from, LocalChannelId local, std::uint64_t client) = 0;
    /// A subscriber of that core is one no more: what follows is not for it.
    virtual void left(CoreId from, std::string_view channel) = 0;
    /// A message of the channel leaves for a core, of which so many subscribers are to get it.
    virtual void sent(std::string_view channel, const pubsub::Message& message, CoreId to, std::uint32_t expected) = 0;
    /// A publication took its place, whether or not anybody subscribes.
    virtual void sequenced(std::string_view channel, std::string_view data) = 0;
    /// A cache channel's last event is this one now; and the channel's members changed.
    virtual void kept(std::string_view channel, std::string_view data) = 0;
    virtual void member(std::string_view channel, std::string_view id, bool is_there) = 0;

protected:
    ~HomeWitness() = default;
};

class Home {
public:
    explicit Home(Core& core);

    void join(CoreId from, const Join& join);
    void leave(CoreId from, const Leave& leave);
    void publish(CoreId from, const Publish& publish);
    /// Everybody who is in a user's hidden channel by now is to be closed.
    void terminate(CoreId from, const Terminate& terminate);

    /// Sequences what had to wait, as far as there is room now.
    void resume();
    /// Tells what is due: counts of subscribers, and to publishing cores what was taken since the last time. Lets cached events
    /// go whose time is over. Once per turn.
    void tell_due();
    /// Publications wait for room in the mesh.
    [[nodiscard]] bool holds_back() const { return !waiting_.empty(); }
    /// Something is held back until there is room.
    [[nodiscard]] bool waiting() const { return !waiting_.empty() || held_credits_ != 0 || counts_.due(); }
    [[nodiscard]] std::optional<base::Instant> next_due() const { return counts_.next_due(); }

    [[nodiscard]] const pubsub::HomeChannels& channels() const { return channels_; }
    [[nodiscard]] pubsub::HomeChannels& channels() { return channels_; }
    /// Of a channel that lives here, at this moment.
    [[nodiscard]] protocol::ChannelCounts counts(const pubsub::ChannelKey& key) const;
    /// Who is in a presence channel that lives here; nullptr when nobody is, or it is none.
    [[nodiscard]] const pubsub::Roster* roster(const pubsub::ChannelKey& channel) const;
    [[nodiscard]] std::optional<pubsub::EventCache::Event> cached(const pubsub::ChannelKey& channel) const;
    [[nodiscard]] const pubsub::EventCache& cache() const { return cache_; }
    /// Members of all presence channels.
    [[nodiscard]] std::size_t members() const { return members_; }

    /// For SubscriptionCounts.
    [[nodiscard]] bool has_room(const pubsub::HomeChannel& channel);
    void tell_count(pubsub::HomeChannel& channel);

    [[nodiscard]] bool is_occupied(const pubsub::ChannelKey& key) { return channels_.find(key) != nullptr; }
    void set_witness(HomeWitness* witness) { witness_ = witness; }

private:
    struct Waiting {
        CoreId from = 0;
        Publish publish;
        std::string sender;
    };

    /// The user of a presence channel whose client's event this is, else empty. To be asked when the event comes: it may wait,
    /// and its sender's leave does not.
    [[nodiscard]] std::string sender_of(const Publish& publish);
    [[nodiscard]] bool try_sequence(CoreId from, const Publish& publish, std::string_view sender);
    [[nodiscard]] pubsub::Message* encode(pubsub::HomeChannel& channel, PublishBody& body, std::string_view sender);
    void send_out(pubsub::HomeChannel& channel, PublishBody& body, std::string_view sender);
    /// Takes over the one count of `message`.
    void broadcast(const pubsub::HomeChannel& channel, pubsub::Message* message);
    void note_client_event(const pubsub::ChannelKey& key, PublishBody& body, std::string_view sender);
    [[nodiscard]] std::unique_ptr<pubsub::ChannelState> make_state(const pubsub::ChannelKey& key) const;
    void count_changed(pubsub::HomeChannel& channel);
    void enter(pubsub::HomeChannel& channel, CoreId from, const Join& join, Joined& answer);
    void note_gone(const pubsub::HomeChannel& channel, const std::string& id);
    void send_cached(const pubsub::HomeChannel& channel, CoreId from, const Join& join);
    void keep(const pubsub::ChannelKey& key, PublishBody& body);
    /// `scratch_` as an event of the protocol to all Pusher subscribers.
    void announce(pubsub::HomeChannel& channel, Priority priority, std::uint64_t event_hash);
    [[nodiscard]] pubsub::Message* make_message(WireForm form, std::string_view payload);
    void send_credit();
    void occupied(const pubsub::HomeChannel& channel);
    void vacated(const pubsub::HomeChannel& channel);
    void note_channels();

    Core& core_;
    pubsub::HomeChannels channels_;
    std::deque<Waiting> waiting_;
    std::vector<std::uint32_t> credit_;
    std::vector<std::uint32_t> held_credit_;  // of members' joins, until no ring is congested
    std::uint32_t held_credits_ = 0;          // sum of them
    pubsub::EventCache cache_;
    SubscriptionCounts counts_;
    std::size_t members_ = 0;
    std::string scratch_;
    HomeWitness* witness_ = nullptr;  // none in the server
};

}  // namespace spillway::server
