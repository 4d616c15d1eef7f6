// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes of clients to the ring. Sends are prepared in batches of kSendBatch, at most one per client and batch (two sends of one
// stream in one submit could interleave), and complete inline: after the submit only exceptions are reported. A client
// whose socket is full gets one gathered send that waits for room, and everything else queues behind it.
//
// Thread: the core.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <spillway/errors.h>
#include <spillway/limits.h>

#include "base/fifo.h"
#include "base/surplus.h"
#include "io/completion.h"
#include "pubsub/local_channels.h"
#include "pubsub/send_queue.h"
#include "server/client.h"
#include "server/outflow.h"
#include "server/zero_copy.h"

namespace spillway::server {

class Core;

class Sender {
public:
    explicit Sender(Core& core);
    ~Sender();

    /// Nothing waits for the client and no send of it is under way or in this batch: bytes may go directly.
    [[nodiscard]] bool ready(const Client& client) const {
        return client.state == ClientState::open && client.out == nullptr && client.batch != batch_;
    }
    /// The batch of sends that is being gathered; never 0.
    [[nodiscard]] std::uint32_t batch() const { return batch_; }
    [[nodiscard]] bool batch_full() const { return count_ == batch_size_ || batch_bytes_ >= kSendBatchBytes; }

    /// Adds a pass's bytes for a ready client. The bytes stay until finish().
    void add_direct(Client& client, pubsub::LocalChannel& channel, std::span<const std::byte> bytes);

    /// Hands the batch to the kernel and settles it.
    void finish();

    /// Queues a channel's message for a client, by the rules of its queue; flushed at the end of the turn. `behind`: the client
    /// could not take what came before (it is settled right now), so nothing is flushed to make room.
    void offer(Client& client, LocalChannelId channel, pubsub::Held* held, bool behind = false);
    /// Puts an entry before the one at `index` of the client's queue, whatever its limits; takes the caller's reference.
    void insert(Client& client, std::size_t index, const pubsub::QueueEntry& entry);
    /// Takes an entry that is no delivery out again.
    void take_out(Client& client, std::size_t index);
    /// An answer to this client alone, in line with its messages: counts as urgent. `frame` is whole frames.
    void answer(Client& client, std::string_view frame);
    /// The same, made by another core: takes over one count of `message`.
    void answer(Client& client, pubsub::Message* message);
    /// A control frame (pong, pusher:error, close, a handshake's answer). Closes the client if too many wait.
    void control(Client& client, std::string frame);
    void pong(Client& client, std::string frame);
    /// Bytes of a connection that is no WebSocket, in order, joined with what waits already.
    void stream(Client& client, std::string_view bytes);
    /// Looks whether the send that waits has moved since it was looked at last: its peer takes bytes, if slowly.
    void note_progress(Client& client);

    /// Flushes clients that gained something, each with one send, until none is left or a slice is over.
    void flush_dirty();
    [[nodiscard]] bool dirty() const { return !dirty_.empty(); }
    void mark_dirty(Client& client);

    void send_wait_done(const io::Completion& completion);
    void send_zc_done(const io::Completion& completion);
    /// So many bytes for this client had better go through its queue, and from there without a copy.
    [[nodiscard]] bool avoids_copy(Client& client, std::size_t bytes) { return zero_copy_.wanted(client, bytes); }
    [[nodiscard]] ZeroCopy& zero_copy() { return zero_copy_; }

    /// Unsubscribed: lets go what is queued of the channel.
    void purge(Client& client, LocalChannelId channel);
    /// The client closes gracefully: lets go all messages but a partly sent one.
    void drop_unsent(Client& client);
    /// A frame of the close, behind the control frames that wait.
    void last_word(Client& client, std::string frame);
    /// The client is dead and nothing is under way: lets go everything and takes the outflow back.
    void drop_all(Client& client);

    /// Bytes of outflows in use and kept, for the memory budget.
    [[nodiscard]] std::uint64_t outflow_bytes() const { return outflow_bytes_; }
    /// Clients whose socket is full.
    [[nodiscard]] std::uint64_t waiting() const { return waiting_; }
    /// Any time: every kTrimEvery a part of the outflows goes that nobody needs any more (base/surplus.h).
    void trim_spare();
    /// Outflows lent to clients.
    [[nodiscard]] std::uint64_t outflows() const { return outflows_; }
    [[nodiscard]] std::uint64_t queued_messages() const { return queued_messages_; }
    /// Of whole frames of messages that wait, those partly sent included.
    [[nodiscard]] std::uint64_t queued_bytes() const { return queued_bytes_; }
    void check_invariants();

private:
    enum class ItemKind : std::uint8_t { direct, flush, under_way };
    struct Item {
        ItemKind kind = ItemKind::direct;
        std::uint32_t slot = 0;
        std::uint32_t bytes = 0;
        std::int32_t result = 0;
        bool exception = false;
        pubsub::LocalChannel* channel = nullptr;  // direct: in a pass until it is settled
    };

    Outflow& outflow_of(Client& client);
    void account(Outflow& out);
    void drop_for_budget(Client& client, LocalChannelId channel, const pubsub::Message& message);
    void give_back(Client& client);
    void add_flush(Client& client);
    void flush_now(Client& client);
    [[nodiscard]] bool make_room(Client& client);
    void reap();
    void settle_direct(Item& item);
    void settle_flush(Item& item);
    void keep_rest_of_pass(Client& client, pubsub::LocalChannel& channel, std::size_t taken);
    void lose_pass(Client& client, pubsub::LocalChannel& channel);
    void settle_outflow(Client& client, std::size_t taken);
    void start_waiting(Client& client);
    void send_ended(Client& client, std::int32_t result, bool room);
    void flushed(Client& client);
    void let_go(const Client& client, const pubsub::QueueEntry& entry, DropReason reason);
    [[nodiscard]] io::Token token(std::uint32_t slot, io::Op op) const;

    Core& core_;
    ZeroCopy zero_copy_;
    std::uint32_t batch_ = 1;  // never 0, never that of an earlier batch a client remembers
    std::size_t count_ = 0;
    std::size_t batch_bytes_ = 0;
    const std::size_t batch_size_;
    std::array<Item, kSendBatch> items_{};
    std::vector<iovec> parts_;  // of the flushes in the batch
    std::array<msghdr, kSendBatch> messages_{};
    base::Fifo<std::uint64_t> dirty_;
    std::vector<std::unique_ptr<Outflow>> spare_;
    base::Surplus unneeded_;  // of the spare ones
    base::Instant trim_due_{};
    base::Fifo<io::Completion> zero_copied_;  // completions that a batch brought
    std::uint64_t outflows_ = 0;
    std::uint64_t outflow_bytes_ = 0;
    std::uint64_t waiting_ = 0;
    std::uint64_t queued_messages_ = 0;
    std::uint64_t queued_bytes_ = 0;
    bool settling_ = false;
};

}  // namespace spillway::server
