// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The mesh: one bounded single-producer single-consumer ring per ordered pair of endpoints (cores, and the control
// thread), itself included, and a word per endpoint that says whether it sleeps.
//
// Invariants
// - First in, first out per pair: what does not fit into the ring waits in the sender's outbox for that destination, and
//   everything sent later queues behind it, control and data alike. So nothing overtakes.
// - No endpoint waits for another. Outboxes stay small because sources are held back first: publications need credit and
//   room on the ring, clients are paused while a destination is tight, a home core does not sequence into a ring that is 80 % full.
// - A sleeper is woken once per sleep. The sleep word is exchanged with sequentially consistent read-modify-writes on both
//   sides: the sleeper writes 1, then looks at its inboxes; the sender pushes, then exchanges for 0. One of the two sees the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "base/spsc_queue.h"
#include "io/ring.h"
#include "server/envelope.h"

namespace spillway::server {

class alignas(64) Mesh {
public:
    /// `cores` cores and the control endpoint, whose id is `cores`. `capacity` per ring, a power of two; 0 = by the number of cores.
    explicit Mesh(std::size_t cores, std::size_t capacity = 0);

    [[nodiscard]] std::size_t cores() const { return cores_; }
    [[nodiscard]] std::size_t endpoints() const { return cores_ + 1; }
    [[nodiscard]] CoreId control() const { return static_cast<CoreId>(cores_); }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }

    /// Who is woken for an endpoint. Before any endpoint runs.
    void set_sleeper(CoreId endpoint, io::Ring* ring) { ends_[endpoint].ring = ring; }

private:
    friend class MeshPort;
    struct alignas(64) End {
        std::atomic<std::uint32_t> asleep{0};
        std::atomic<bool> behind{false};   // its fan-out cannot keep up
        std::atomic<bool> waiting{false};  // publications wait there for their place
        io::Ring* ring = nullptr;
    };
    [[nodiscard]] base::SpscQueue<Envelope>& box(CoreId from, CoreId to) { return *boxes_[from * endpoints() + to]; }

    std::size_t cores_;
    std::size_t capacity_;
    std::vector<std::unique_ptr<base::SpscQueue<Envelope>>> boxes_;
    std::unique_ptr<End[]> ends_;
};

/// One endpoint's end of the mesh, in cache lines of its own. Thread: that endpoint.
class alignas(64) MeshPort {
public:
    /// Envelopes that another core sees together, unless a flush() comes first.
    static constexpr std::uint32_t kStagedMost = 16;

    MeshPort(Mesh& mesh, CoreId self);

    [[nodiscard]] CoreId self() const { return self_; }

    /// Never fails, never overtakes: into the ring, or behind what waits for it. Another core sees it with the next flush(), or
    /// when kStagedMost wait for that; this one at once. `what`: an Envelope, or what goes into one, which is made in its place: a
    /// copy of one made just now is read wider than it was written, and waits until all that was written before, to
    /// other cores too, is in the cache.
    template <class E>
    void send(CoreId to, const E& what) {
        Peer& peer = peers_[to];
        peer.dirty = true;
        if (!peer.outbox.empty() || !mesh_.box(self_, to).try_stage(what)) return put_by(to, Envelope(what));
        if (to == self_ || ++peer.staged == kStagedMost) publish(to);
        if (peer.room != 0) --peer.room;
        if (peer.room <= margin_) look_at_room(to);
    }

    /// Room for `count` publications to a home core, by the ring and by credit. What is promised here stays until the
    /// caller sends or returns to the loop: only this endpoint fills the ring.
    [[nodiscard]] bool may_publish(CoreId home, std::size_t count);
    /// Notes that publications were sent; credit comes back as the home takes them.
    void note_published(CoreId home, std::size_t count) {
        peers_[home].published += static_cast<std::uint32_t>(count);
        if (out_of_credit(home)) tight_ = true;
    }
    void take_credit(CoreId home, std::uint32_t count);

    // Of a core that cannot keep up the rings are kept almost empty: what is in them waits for all that core's passes.

    /// Says to the others whether this core's fan-out is behind, and whether publications wait here for their place.
    void say_slow(bool behind, bool waiting) {
        mesh_.ends_[self_].behind.store(behind, std::memory_order_relaxed);
        mesh_.ends_[self_].waiting.store(waiting, std::memory_order_relaxed);
    }

    /// The ring to a core is 80 % full (or holds kSlowDepth, if it is behind), or something waits for it: do not sequence
    /// more for it.
    [[nodiscard]] bool congested(CoreId to);
    /// Some destination could not take what one more client message may cause: pause clients. As of the last flush(), and
    /// at once when a send() or a publication since then used up a destination's room or credit.
    [[nodiscard]] bool tight() const { return tight_; }

    /// Moves outboxes into rings and wakes whoever sleeps on something new.
    void flush();

    /// Hands up to `most` envelopes to `receive(CoreId from, const Envelope&)`, fairly over the sources. Returns how many.
    template <class F>
    std::size_t drain(std::size_t most, F&& receive) {
        std::size_t total = 0;
        const std::size_t n = mesh_.endpoints();
        SPILLWAY_ASSERT(n > 0);
        for (std::size_t i = 0; i < n && total < most; ++i) {
            const auto from = static_cast<CoreId>((drain_first_ + i) % n);
            total += mesh_.box(from, self_).drain(most - total, [&](Envelope& envelope) {
                const Envelope copy = envelope;
                receive(from, copy);
            });
        }
        drain_first_ = (drain_first_ + 1) % n;
        return total;
    }
    [[nodiscard]] bool inbox_empty();
    [[nodiscard]] bool outbox_waiting() const { return waiting_ != 0; }
    [[nodiscard]] std::size_t outbox_size() const { return waiting_; }
    /// f(const Envelope&) for everything from here that nobody has taken. For tests, while no endpoint is at work.
    template <class F>
    void for_each_sent(F&& f) const {
        for (std::size_t to = 0; to < peers_.size(); ++to) {
            mesh_.box(self_, static_cast<CoreId>(to)).for_each(f);
            for (const Envelope& envelope : peers_[to].outbox) f(envelope);
        }
    }
    /// Envelopes in this endpoint's outboxes, and in its rings as it last saw them. For the metrics.
    [[nodiscard]] std::size_t depth();

    /// Says that this endpoint is about to sleep; false = something has come, do not. After true, call awake() on return.
    [[nodiscard]] bool may_sleep();
    void awake() { mesh_.ends_[self_].asleep.exchange(0, std::memory_order_seq_cst); }

    [[nodiscard]] std::uint64_t wakes() const { return wakes_; }

private:
    struct Peer {
        std::deque<Envelope> outbox;
        std::uint32_t published = 0;  // publications sent and not yet taken by the home
        std::uint32_t room = 0;       // free slots of the ring, at least
        std::uint32_t staged = 0;     // envelopes in the ring that the other does not see yet
        bool dirty = false;           // pushed to since the last flush
    };
    static constexpr std::size_t kSlowDepth = 32;  // envelopes to, and publications at, a core that cannot keep up
    [[nodiscard]] bool is_slowed(CoreId home) const {
        return peers_[home].published >= kSlowDepth && mesh_.ends_[home].waiting.load(std::memory_order_relaxed);
    }
    /// For what one more message may cause.
    [[nodiscard]] bool out_of_credit(CoreId home) const {
        return peers_[home].published + margin_ > mesh_.capacity() / 2 || is_slowed(home);
    }
    void put_by(CoreId to, const Envelope& envelope);
    void look_at_room(CoreId to);
    void publish(CoreId to) {
        mesh_.box(self_, to).publish();
        peers_[to].staged = 0;
    }
    void refresh_room(CoreId to) { peers_[to].room = static_cast<std::uint32_t>(mesh_.box(self_, to).free_slots()); }

    Mesh& mesh_;
    const CoreId self_;
    const std::size_t margin_;  // room and credit kept for what one more message may cause
    std::vector<Peer> peers_;
    std::size_t waiting_ = 0;  // envelopes in outboxes
    std::size_t drain_first_ = 0;
    bool tight_ = false;
    std::uint64_t wakes_ = 0;
};

}  // namespace spillway::server
