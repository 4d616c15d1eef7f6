// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/fanout.h"

#include <algorithm>

#include "base/assert.h"
#include "server/core.h"

namespace spillway::server {
namespace {

/// A slice ends when this much time has gone into it, looked at once per batch of sends, so that pings, closes and
/// other cores wait about 2 ms at most.
constexpr std::chrono::microseconds kSlice{1000};

/// Messages queued for subscribers, and subscribers passed over, before the clock is looked at: some tens of microseconds.
constexpr std::size_t kLooks = 512;

bool is_not_for(const pubsub::Message& message, const Client& client) {
    return message.excludes(client.id, client.nonce) || !message.is_for(wire_form(client.kind));
}

/// For a subscriber whose entry changes its place.
auto moved(Core& core) {
    return [&core](std::uint32_t slot, std::uint32_t back, std::uint32_t index) {
        core.clients[slot].subscriptions[back].index = index;
    };
}

}  // namespace

void Fanout::gather(const Broadcast& broadcast) {
    core_.stats.broadcast_taken.add(broadcast.expected);
    pubsub::Message* message = broadcast.message;
    Channel* channel = core_.channels.get(broadcast.local);
    const std::uint32_t here = channel == nullptr ? 0 : channel->live;
    // Who left since the home counted. The home runs behind this core, never ahead of it.
    SPILLWAY_ASSERT(broadcast.expected >= here);
    core_.stats.count_drops(DropReason::unsubscribed, *message, broadcast.expected - here);
    if (here == 0) {
        core_.blocks.release(message);
        return;
    }
    gathered_bytes_ += message->bytes;
    pubsub::LocalChannels::gather(*channel, core_.holds.take(message));
    look_behind(*channel);
    queue(*channel, message->priority == Priority::urgent);
}

void Fanout::look_behind(Channel& channel) {
    const bool behind = channel.gathered_bytes > kPassesBehind * pubsub::LocalChannels::join_bytes(channel.live) &&
                        channel.gathered.size() > 1;
    if (behind == channel.behind) return;
    channel.behind = behind;
    behind ? ++behind_ : --behind_;
}

void Fanout::queue(Channel& channel, bool urgent) {
    using Queued = Channel::Queued;
    if (channel.queued == Queued::urgent || (channel.queued == Queued::normal && !urgent)) return;
    channel.queued = urgent ? Queued::urgent : Queued::normal;
    (urgent ? urgent_ : normal_).push_back(pubsub::LocalChannels::id_of(channel));
}

Fanout::Channel* Fanout::next_job() {
    while (busy()) {
        const bool urgent = !urgent_.empty();
        auto& jobs = urgent ? urgent_ : normal_;
        Channel* channel = core_.channels.get(jobs.front());
        jobs.pop_front();
        if (channel == nullptr) continue;
        // A job that became urgent meanwhile is in both queues; it counts in the urgent one.
        if (channel->queued != (urgent ? Channel::Queued::urgent : Channel::Queued::normal)) continue;
        // Left over from such a change, and the channel is queued anew: its pass is being settled already.
        if (channel->pass.turning) continue;
        return channel;
    }
    return nullptr;
}

void Fanout::run() {
    if (!busy()) return;
    core_.stats.slices.add();
    const bool watched = core_.stats.slices.value() % kSlicesWatched == 0;
    const base::Duration cpu_before = watched ? core_.clock.thread_cpu() : base::Duration{};
    const base::Instant begin = core_.clock.now();
    const base::Instant end = begin + kSlice;
    do {
        Channel* channel = next_job();
        if (channel == nullptr) {
            settle_batch();  // passes that turn may be jobs again
            continue;
        }
        board(*channel);
        walk(*channel);
        if (core_.sender.batch_full()) settle_batch();
    } while ((busy() || !turning_.empty()) && core_.clock.now() < end);
    settle_batch();
    const base::Duration took = core_.clock.now() - begin;
    core_.stats.slice.record(took);
    if (!watched) return;
    const base::Duration cpu = std::min(core_.clock.thread_cpu() - cpu_before, took);
    core_.stats.slice_cpu.record(cpu);
    core_.stats.slice_lost_ns.add(static_cast<std::uint64_t>((took - cpu).count()));
}

/// What rides is sent from one buffer, which must stay as it is while a send of it is in the batch.
void Fanout::board(Channel& channel) {
    if (!pubsub::LocalChannels::boards(channel)) return;
    if (channel.pass.active() && channel.pass.batch == core_.sender.batch()) return;
    const base::Instant now = core_.clock.now();
    core_.channels.board(channel, pubsub::LocalChannels::join_bytes(channel.live),
                         [this, now](pubsub::Held* held) { let_go(held, now); });
    look_behind(channel);
}

void Fanout::walk(Channel& channel) {
    for (std::size_t looks = 0; looks < kLooks && !core_.sender.batch_full();) {
        const pubsub::Subscriber* next = core_.channels.next(channel, moved(core_));
        if (next == nullptr) {
            channel.pass.turning = true;
            turning_.push_back(&channel);
            return;
        }
        const pubsub::Subscriber subscriber = *next;
        looks += serve(channel, subscriber) ? 1 : channel.pass.messages.size();
    }
    const bool urgent = channel.queued == Channel::Queued::urgent;
    (urgent ? urgent_ : normal_).push_back(pubsub::LocalChannels::id_of(channel));
}

bool Fanout::serve(Channel& channel, const pubsub::Subscriber& subscriber) {
    Client& client = core_.clients[subscriber.slot];
    const pubsub::PassState& pass = channel.pass;
    const bool whole =
        subscriber.first_seq <= pass.messages.front()->message->seq && !(pass.excludes && excludes(channel, client));
    // With other channels hot in this turn, what they have for the same client goes out as one send at its end.
    const bool shared = busy() && client.subscriptions.size() > 1;
    if (whole && !shared && !client.gaps && core_.sender.ready(client)) {
        const auto bytes = core_.channels.pass_bytes(channel, wire_form(client.kind));
        // Joined messages have been copied once already, and single ones are too small to tell how the kernel sends large ones.
        if (pass.messages.size() > 1 || !core_.sender.avoids_copy(client, bytes.size())) {
            channel.pass.batch = core_.sender.batch();
            core_.sender.add_direct(client, channel, bytes);
            return true;
        }
    }
    offer_each(channel, subscriber, client);
    return false;
}

bool Fanout::excludes(const Channel& channel, const Client& client) {
    return std::ranges::any_of(channel.pass.messages,
                               [&client](const pubsub::Held* held) { return is_not_for(*held->message, client); });
}

void Fanout::offer_each(Channel& channel, const pubsub::Subscriber& subscriber, Client& client) {
    const LocalChannelId id = pubsub::LocalChannels::id_of(channel);
    for (pubsub::Held* held : channel.pass.messages) {
        const pubsub::Message& message = *held->message;
        if (message.seq < subscriber.first_seq) continue;
        if (is_not_for(message, client)) {
            core_.stats.count_excluded(message);
            if (client.gaps) core_.gaps.excluded(client, id, message.seq);
        } else if (client.state == ClientState::open) {
            core_.sender.offer(client, id, held);
        } else {
            core_.stats.count_drop(DropReason::client_closed, message, client);
        }
    }
}

void Fanout::settle_batch() {
    core_.sender.finish();
    for (Channel* channel : turning_) turn(*channel);
    turning_.clear();
}

void Fanout::turn(Channel& channel) {
    const base::Instant now = core_.clock.now();
    channel.pass.turning = false;
    core_.channels.turn(channel, [this, now](pubsub::Held* held) { let_go(held, now); }, moved(core_));
    channel.queued = Channel::Queued::no;
    if (!channel.pass.active() && channel.gathered.empty()) {
        core_.channels.close_if_unused(channel);
        return;
    }
    const auto urgent = [](const pubsub::Held* held) { return held->message->priority == Priority::urgent; };
    queue(channel, std::ranges::any_of(channel.pass.messages, urgent) || std::ranges::any_of(channel.gathered, urgent));
}

void Fanout::let_go(pubsub::Held* held, base::Instant now) {
    core_.stats.broadcast.record(now - held->message->sequenced_at);
    gathered_bytes_ -= held->message->bytes;
    core_.holds.release(held);
}

}  // namespace spillway::server
