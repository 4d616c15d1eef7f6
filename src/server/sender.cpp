// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/sender.h"

#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/poison.h"
#include "server/core.h"

namespace spillway::server {
namespace {

/// Kept at most, after a turn in which very many clients gained something: some 8 MiB.
constexpr std::size_t kSpareOutflowsMax = 8192;
/// Waiting for memory of the kernel, not for the peer: look again a little later.
constexpr std::chrono::milliseconds kRetryAfter{50};
/// Flushing gives way to the rest of the loop after this long.
constexpr std::chrono::microseconds kSlice{1000};

/// What the kernel reads of an outflow is nobody's while it is spare.
void poison(Outflow& out) {
    base::poison(&out.message, 0, sizeof out.message);
    base::poison(out.parts.data(), 0, sizeof out.parts);
}
void unpoison(Outflow& out) {
    base::unpoison(&out.message, sizeof out.message);
    base::unpoison(out.parts.data(), sizeof out.parts);
}

bool is_shortage(int error) { return error == ENOMEM || error == ENOBUFS; }

}  // namespace

Sender::Sender(Core& core) : core_(core), zero_copy_(core), batch_size_(core.send_batch) {
    SPILLWAY_ASSERT(batch_size_ >= 1 && batch_size_ <= kSendBatch);
    parts_.reserve(kSendBatch * kGatherMax);
}
Sender::~Sender() = default;

io::Token Sender::token(std::uint32_t slot, io::Op op) const {
    return {op, op == io::Op::send_now ? batch_ : core_.clients.generation(slot), slot};
}

// ---- the batch

void Sender::add_direct(Client& client, pubsub::LocalChannel& channel, std::span<const std::byte> bytes) {
    SPILLWAY_DEBUG_ASSERT(ready(client) && !settling_);
    client.batch = batch_;
    const auto index = static_cast<std::uint32_t>(count_);
    items_[count_++] = {ItemKind::direct, client.slot(), static_cast<std::uint32_t>(bytes.size()), 0, false, &channel};
    batch_bytes_ += bytes.size();
    core_.ring.send_now(client.fd, bytes, {io::Op::send_now, batch_, index});
}

void Sender::add_flush(Client& client) {
    SPILLWAY_DEBUG_ASSERT(client.out != nullptr && !client.sending && client.batch != batch_ && !settling_);
    if (client.gaps) core_.gaps.put_notices(client);
    if (const std::size_t bytes = client.out->next_message_bytes(wire_form(client.kind));
        bytes != 0 && avoids_copy(client, bytes)) {
        client.batch = batch_;
        items_[count_++] = {ItemKind::under_way, client.slot(), static_cast<std::uint32_t>(bytes), 0, false, nullptr};
        batch_bytes_ += bytes;
        start_waiting(client);
        return;
    }
    const std::size_t first = parts_.size();
    parts_.resize(first + kGatherMax);
    std::size_t bytes = 0;
    const std::size_t n = client.out->compose(wire_form(client.kind), &parts_[first], kGatherMax, bytes);
    parts_.resize(first + n);
    client.batch = batch_;
    const auto index = static_cast<std::uint32_t>(count_);
    msghdr& message = messages_[count_];
    message = {};
    message.msg_iov = &parts_[first];
    message.msg_iovlen = n;
    items_[count_++] = {ItemKind::flush, client.slot(), static_cast<std::uint32_t>(bytes), 0, false, nullptr};
    batch_bytes_ += bytes;
    core_.ring.send_now(client.fd, &message, {io::Op::send_now, batch_, index});
}

void Sender::finish() {
    if (count_ == 0) return;
    SPILLWAY_ASSERT(!settling_);
    settling_ = true;
    core_.ring.submit();
    reap();
    const std::size_t count = count_;
    for (std::size_t i = 0; i < count; ++i) {
        Item& item = items_[i];
        switch (item.kind) {
            case ItemKind::direct: settle_direct(item); break;
            case ItemKind::flush: settle_flush(item); break;
            case ItemKind::under_way: break;  // completes by itself
        }
    }
    count_ = batch_bytes_ = 0;
    parts_.clear();
    batch_ = (batch_ + 1) & ClientId::kGenerationMask;
    if (batch_ == 0) batch_ = 1;
    settling_ = false;
    // One at a time: what follows may come back here.
    while (!zero_copied_.empty()) {
        const io::Completion done = zero_copied_.front();
        zero_copied_.pop_front();
        send_zc_done(done);
    }
}

void Sender::reap() {
    std::array<io::Completion, 64> completions;
    while (const std::size_t n = core_.ring.take(completions)) {
        for (std::size_t i = 0; i < n; ++i) {
            const io::Completion& done = completions[i];
            if (done.token.op == io::Op::send_now && done.token.generation == batch_ && done.token.slot < count_) {
                items_[done.token.slot].exception = true;
                items_[done.token.slot].result = done.result;
            } else if (done.token.op == io::Op::send_zc) {
                zero_copied_.push_back(done);
            } else {
                core_.intake.add(done);
            }
        }
    }
}

void Sender::settle_direct(Item& item) {
    Client& client = core_.clients[item.slot];
    const std::size_t messages = item.channel->pass.messages.size();
    if (!item.exception) {
        core_.stats.deliveries.add(messages);
        core_.stats.bytes_sent.add(item.bytes);
        return;
    }
    if (item.result >= 0 || item.result == -EAGAIN || is_shortage(-item.result)) {
        const auto taken = static_cast<std::size_t>(std::max(item.result, 0));
        core_.stats.bytes_sent.add(taken);
        keep_rest_of_pass(client, *item.channel, taken);
        if (client.state == ClientState::open || client.state == ClientState::closing) start_waiting(client);
        return;
    }
    lose_pass(client, *item.channel);
    core_.life.abort(client,
                     item.result == -EBADF || item.result == -EINVAL ? CloseReason::internal : CloseReason::peer_reset);
}

void Sender::keep_rest_of_pass(Client& client, pubsub::LocalChannel& channel, std::size_t taken) {
    const WireForm form = wire_form(client.kind);
    const LocalChannelId id = pubsub::LocalChannels::id_of(channel);
    for (pubsub::Held* held : channel.pass.messages) {
        const std::size_t size = held->message->frame(form).size();
        if (taken >= size) {
            taken -= size;
            core_.stats.deliveries.add();
        } else if (taken != 0) {
            pubsub::Holds::retain(held);
            outflow_of(client).queue.push_partial({held, id}, form, taken);
            account(*client.out);
            ++queued_messages_;
            queued_bytes_ += size;
            taken = 0;
        } else if (client.state == ClientState::open) {
            offer(client, id, held, true);
        } else {
            core_.stats.count_drop(DropReason::client_closed, *held->message, client);
        }
    }
}

void Sender::lose_pass(Client& client, pubsub::LocalChannel& channel) {
    for (const pubsub::Held* held : channel.pass.messages)
        core_.stats.count_drop(DropReason::client_closed, *held->message, client);
}

void Sender::settle_flush(Item& item) {
    Client& client = core_.clients[item.slot];
    if (!item.exception) {
        settle_outflow(client, item.bytes);
        if (client.out->empty()) {
            flushed(client);
        } else if (client.state != ClientState::dead) {
            mark_dirty(client);
        }
        return;
    }
    if (item.result >= 0 || item.result == -EAGAIN || is_shortage(-item.result)) {
        settle_outflow(client, static_cast<std::size_t>(std::max(item.result, 0)));
        if (client.state != ClientState::dead) start_waiting(client);
        return;
    }
    settle_outflow(client, 0);
    core_.life.abort(client,
                     item.result == -EBADF || item.result == -EINVAL ? CloseReason::internal : CloseReason::peer_reset);
}

void Sender::settle_outflow(Client& client, std::size_t taken) {
    core_.stats.bytes_sent.add(taken);
    std::uint64_t delivered = 0;
    client.out->settle(taken, wire_form(client.kind), [&](const pubsub::QueueEntry& entry) {
        if (entry.is_delivery()) ++delivered;
        if (client.gaps && !entry.channel.is_none()) core_.gaps.passed(client, entry);
        --queued_messages_;
        queued_bytes_ -= entry.held->message->frame(wire_form(client.kind)).size();
        core_.holds.release(entry.held);
    });
    core_.stats.deliveries.add(delivered);
    account(*client.out);
    // What was under way when the close began and did not get through would come behind the close frame.
    if (client.state == ClientState::closing) drop_unsent(client);
}

// ---- what waits for a client

Outflow& Sender::outflow_of(Client& client) {
    if (client.out == nullptr) {
        if (spare_.empty()) spare_.push_back(std::make_unique<Outflow>());
        client.out = spare_.back().release();
        unpoison(*client.out);
        spare_.pop_back();
        unneeded_.left(spare_.size());
        ++outflows_;
    }
    return *client.out;
}

void Sender::give_back(Client& client) {
    std::unique_ptr<Outflow> out(client.out);
    client.out = nullptr;
    --outflows_;
    out->reset();
    poison(*out);
    if (spare_.size() < kSpareOutflowsMax) {
        account(*out);
        spare_.push_back(std::move(out));
    } else {
        outflow_bytes_ -= out->accounted;
    }
}

void Sender::account(Outflow& out) {
    const std::uint64_t bytes = out.memory_bytes();
    outflow_bytes_ += bytes - out.accounted;
    out.accounted = bytes;
}

void Sender::trim_spare() {
    if (core_.now < trim_due_) return;
    trim_due_ = core_.now + kTrimEvery;
    const std::size_t keep = spare_.size() - unneeded_.take(spare_.size());
    for (; keep < spare_.size(); spare_.pop_back()) outflow_bytes_ -= spare_.back()->accounted;
}

void Sender::let_go(const Client& client, const pubsub::QueueEntry& entry, DropReason reason) {
    queued_bytes_ -= entry.held->message->frame(wire_form(client.kind)).size();
    if (entry.is_delivery()) core_.stats.count_drop(reason, *entry.held->message, client);
    // What a channel tells of itself is told anew with the next change, and is no message missed.
    if (client.gaps && entry.held->message->pusher_only)
        core_.gaps.withdrawn(client, entry.channel, entry.held->message->seq);
    --queued_messages_;
    core_.holds.release(entry.held);
}

void Sender::offer(Client& client, LocalChannelId channel, pubsub::Held* held, bool behind) {
    const AppConfig& app = core_.apps[client.app];
    const OverflowPolicy policy = app.has_overflow ? app.overflow : core_.config.overflow;
    const pubsub::QueueLimits limits{core_.config.queue_messages, core_.config.queue_bytes};
    const Priority priority = held->message->priority;
    // A client that takes what it is given does not lose messages because many of its channels were busy in one turn.
    if (!behind && client.out != nullptr && (!client.sending || client.batch == batch_) &&
        client.out->queue.over_threshold(priority, client.high_priority, limits)) {
        flush_now(client);
        if (client.state != ClientState::open) {
            if (!channel.is_none()) core_.stats.count_drop(DropReason::client_closed, *held->message, client);
            return;
        }
    }
    if ((behind || client.sending) && !channel.is_none() &&
        over_backlog_budget(priority, client.high_priority, queued_bytes_, core_.config.backlog_bytes / core_.cores)) {
        drop_for_budget(client, channel, *held->message);
        return;
    }
    const pubsub::SendQueue::Offer offered{
        {held, channel}, wire_form(client.kind), policy, client.high_priority, behind || client.sending};
    const auto admission = outflow_of(client).queue.push(
        offered, limits, [&](const pubsub::QueueEntry& entry, DropReason reason) { let_go(client, entry, reason); });
    account(*client.out);
    switch (admission) {
        case pubsub::Admission::queued:
            pubsub::Holds::retain(held);
            ++queued_messages_;
            queued_bytes_ += held->message->frame(wire_form(client.kind)).size();
            if (client.gaps && !channel.is_none()) core_.gaps.queued(client, channel, held->message->seq);
            if (!behind) mark_dirty(client);
            break;
        case pubsub::Admission::dropped:
            core_.stats.count_drop(DropReason::queue_threshold, *held->message, client);
            if (client.gaps && held->message->pusher_only) core_.gaps.excluded(client, channel, held->message->seq);
            break;
        case pubsub::Admission::close:
            if (!channel.is_none()) core_.stats.count_drop(DropReason::queue_full, *held->message, client);
            core_.life.close(client, {4100, CloseReason::queue_full, "Client too slow: its queue is full"});
            break;
    }
}

void Sender::insert(Client& client, std::size_t index, const pubsub::QueueEntry& entry) {
    const WireForm form = wire_form(client.kind);
    client.out->queue.insert(index, entry, form);
    ++queued_messages_;
    queued_bytes_ += entry.held->message->frame(form).size();
    account(*client.out);
}

void Sender::take_out(Client& client, std::size_t index) {
    const pubsub::QueueEntry entry = client.out->queue.take_out(index, wire_form(client.kind));
    SPILLWAY_ASSERT(!entry.is_delivery());
    let_go(client, entry, DropReason::unsubscribed);
}

/// As if the client's own queue was over its threshold, but for the reason.
void Sender::drop_for_budget(Client& client, LocalChannelId channel, const pubsub::Message& message) {
    core_.stats.count_drop(DropReason::memory, message, client);
    if (message.priority == Priority::urgent) {
        core_.life.close(client, {4100, CloseReason::memory, "Client too slow: all backlogs together are full"});
    } else if (client.gaps && message.pusher_only) {
        core_.gaps.excluded(client, channel, message.seq);
    }
}

void Sender::answer(Client& client, std::string_view frame) {
    if (client.state != ClientState::open) return;
    auto* message = core_.blocks.make<pubsub::Message>(frame.size());
    std::memcpy(message->storage(), frame.data(), frame.size());
    const auto form = static_cast<std::size_t>(wire_form(client.kind));
    message->frame_bytes[form] = static_cast<std::uint32_t>(frame.size());
    message->priority = Priority::urgent;
    answer(client, message);
}

void Sender::answer(Client& client, pubsub::Message* message) {
    pubsub::Held* held = core_.holds.take(message);
    if (client.state == ClientState::open) offer(client, {}, held);
    core_.holds.release(held);
}

void Sender::control(Client& client, std::string frame) {
    if (client.state == ClientState::dead || client.state == ClientState::lingering) return;
    if (!make_room(client)) return;
    static_cast<void>(outflow_of(client).push_control(std::move(frame)));
    account(*client.out);
    mark_dirty(client);
}

bool Sender::make_room(Client& client) {
    if (client.out == nullptr || !client.out->control_full()) return true;
    // So many in one turn are no fault of a client that takes them.
    if (!client.sending && !settling_) flush_now(client);
    if (client.state == ClientState::dead || client.state == ClientState::lingering) return false;
    if (client.out == nullptr || !client.out->control_full()) return true;
    // Nothing is sent instead of an answer: whoever leaves so many unread is told so, if he still reads, and goes.
    if (client.state == ClientState::open && is_websocket(client.kind)) {
        core_.life.close(client, {4100, CloseReason::queue_full, "Client too slow: its queue is full"});
    } else {
        core_.life.abort(client, CloseReason::queue_full);
    }
    return false;
}

void Sender::pong(Client& client, std::string frame) {
    if (client.state != ClientState::open) return;
    if (!make_room(client)) return;
    static_cast<void>(outflow_of(client).push_pong(std::move(frame)));
    account(*client.out);
    mark_dirty(client);
}

void Sender::stream(Client& client, std::string_view bytes) {
    if (client.state != ClientState::open) return;
    outflow_of(client).append_stream(bytes);
    account(*client.out);
    mark_dirty(client);
}

void Sender::mark_dirty(Client& client) {
    if (client.dirty || client.sending) return;
    client.dirty = true;
    if (client.high_priority) {
        dirty_.push_front(client.id);
    } else {
        dirty_.push_back(client.id);
    }
}

void Sender::flush_now(Client& client) {
    finish();
    if (client.state == ClientState::dead || client.out == nullptr || client.sending || client.out->empty()) return;
    add_flush(client);
    finish();
}

void Sender::flush_dirty() {
    finish();
    if (dirty_.empty()) return;
    const base::Instant end = core_.clock.now() + kSlice;
    for (;;) {
        if (dirty_.empty()) {
            finish();  // what it leaves to be sent is dirty again
            if (dirty_.empty() || core_.clock.now() >= end) return;
        }
        Client* client = core_.find(dirty_.front());
        if (client != nullptr && client->batch == batch_) finish();  // it is in this batch already, and has gained more
        dirty_.pop_front();
        if (client == nullptr) continue;
        client->dirty = false;
        if (client->out == nullptr || client->sending || client->state == ClientState::dead) continue;
        if (client->out->empty()) {
            flushed(*client);
            continue;
        }
        add_flush(*client);
        if (!batch_full()) continue;
        finish();
        if (core_.clock.now() >= end) return;
    }
}

// ---- the send that waits for room

void Sender::start_waiting(Client& client) {
    if (client.sending || client.out == nullptr || client.out->empty()) return;
    if (client.gaps) core_.gaps.put_notices(client);
    Outflow& out = *client.out;
    std::size_t bytes = 0;
    const WireForm form = wire_form(client.kind);
    const std::size_t next = out.next_message_bytes(form);
    out.waiting_since = core_.now;
    out.unsent_seen = core_.ring.unsent_bytes(client.fd);
    client.sending = true;
    ++waiting_;
    if (next != 0 && avoids_copy(client, next)) {
        static_cast<void>(out.compose(form, out.parts.data(), 1, bytes));
        const iovec& part = out.parts[0];
        zero_copy_.send(client, {static_cast<const std::byte*>(part.iov_base), part.iov_len}, out.queue.at(0).held);
    } else {
        out.message = {};
        out.message.msg_iovlen = out.compose(form, out.parts.data(), out.parts.size(), bytes);
        out.message.msg_iov = out.parts.data();
        core_.ring.send_wait(client.fd, &out.message, token(client.slot(), io::Op::send_wait));
    }
    core_.life.watch_writes(client);
}

void Sender::note_progress(Client& client) {
    const std::uint64_t unsent = core_.ring.unsent_bytes(client.fd);
    if (unsent < client.out->unsent_seen) client.out->waiting_since = core_.now;
    client.out->unsent_seen = unsent;
}

void Sender::send_wait_done(const io::Completion& done) {
    Client* client = core_.clients.find(done.token.slot, done.token.generation);
    SPILLWAY_ASSERT(client != nullptr);  // a slot is not freed while a send is under way
    send_ended(*client, done.result, false);
}

void Sender::send_zc_done(const io::Completion& done) {
    const std::uint64_t id = zero_copy_.completed(done);
    if (id == 0) return;
    Client* client = core_.find(id);
    SPILLWAY_ASSERT(client != nullptr);
    // What was refused is begun anew, and copied then. What was taken leaves room, as far as we know.
    const bool refused = ZeroCopy::is_refusal(done.result);
    send_ended(*client, refused ? 0 : done.result, !refused);
}

void Sender::send_ended(Client& client, std::int32_t result, bool room) {
    SPILLWAY_ASSERT(client.sending);
    client.sending = false;
    --waiting_;
    settle_outflow(client, static_cast<std::size_t>(std::max(result, 0)));
    if (client.state == ClientState::dead) {
        core_.life.doom(client);
        return;
    }
    if (result < 0 && is_shortage(-result)) {
        core_.life.retry_later(client, kRetryAfter);
    } else if (result < 0) {
        core_.life.abort(client, CloseReason::peer_reset);
    } else if (client.out->empty()) {
        flushed(client);
    } else if (room) {
        mark_dirty(client);
    } else {
        start_waiting(client);
    }
}

void Sender::flushed(Client& client) {
    give_back(client);
    core_.life.flushed(client);
}

// ---- endings

void Sender::purge(Client& client, LocalChannelId channel) {
    if (client.out == nullptr) return;
    client.out->queue.purge(channel, wire_form(client.kind),
                            [&](const pubsub::QueueEntry& entry) { let_go(client, entry, DropReason::unsubscribed); });
    if (client.out->empty()) mark_dirty(client);  // it waited for memory of the kernel, and now for nothing
}

void Sender::drop_unsent(Client& client) {
    if (client.out == nullptr) return;
    client.out->queue.clear_behind_partial(
        [&](const pubsub::QueueEntry& entry) { let_go(client, entry, DropReason::client_closed); });
}

void Sender::last_word(Client& client, std::string frame) {
    outflow_of(client).push_last(std::move(frame));
    account(*client.out);
    mark_dirty(client);
}

void Sender::drop_all(Client& client) {
    if (client.out == nullptr) return;
    SPILLWAY_ASSERT(!client.sending);
    client.out->queue.clear([&](const pubsub::QueueEntry& entry) { let_go(client, entry, DropReason::client_closed); });
    client.out->forget_control();
    give_back(client);
}

void Sender::check_invariants() {
    SPILLWAY_ASSERT(count_ == 0 && !settling_);
    std::uint64_t outflows = 0;
    std::uint64_t messages = 0;
    std::uint64_t waiting = 0;
    std::uint64_t bytes = 0;
    for (const auto& out : spare_) bytes += out->memory_bytes();
    core_.clients.for_each([&](std::uint32_t, Client& client) {
        if (client.out == nullptr) return;
        ++outflows;
        messages += client.out->queue.size();
        waiting += client.sending ? 1U : 0U;
        bytes += client.out->memory_bytes();
        client.out->queue.check_invariants(wire_form(client.kind));
        SPILLWAY_ASSERT(client.sending == client.out->in_flight());
        // What waits is being sent, will be flushed this turn, or waits for the retry timer.
        SPILLWAY_ASSERT(client.sending || client.dirty || !client.out->empty() || client.state == ClientState::dead);
    });
    SPILLWAY_ASSERT(outflows == outflows_ && messages == queued_messages_);
    SPILLWAY_ASSERT(waiting == waiting_ && bytes == outflow_bytes_);
}

}  // namespace spillway::server
