// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How notices leave the cores for the background thread: one bounded single-producer single-consumer ring per core, and a
// word that says whether the reader sleeps, as in the mesh.
//
// It is not the mesh itself because the promise is another one: what does not fit into a ring of the mesh waits, and
// whoever caused it is held back. Nobody is ever held back for a webhook: what does not fit here is dropped, and counted.
//
// Threads: each core pushes into its own ring; the background thread reads all of them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <spillway/ids.h>

#include "base/spsc_queue.h"
#include "webhooks/notice.h"

namespace spillway::server {

class NoticeRings {
public:
    /// Enough for every client of a core to leave a channel of its own in one go, while the reader is at work.
    static constexpr std::size_t kCapacity = 1U << 14;

    /// `capacity` per core, a power of two. 128 KiB each, and from the start: notices are so rare that a first lap would look
    /// like a leak for minutes or hours.
    explicit NoticeRings(std::size_t cores, std::size_t capacity = kCapacity) {
        for (std::size_t i = 0; i < cores; ++i)
            rings_.push_back(std::make_unique<Ring>(capacity, Ring::Pages::at_once));
    }
    ~NoticeRings() {
        drain([](std::unique_ptr<webhooks::Notice>) {});
    }
    NoticeRings(const NoticeRings&) = delete;
    NoticeRings& operator=(const NoticeRings&) = delete;

    /// Who wakes the reader; may be called by any core. Before anybody runs.
    void set_waker(std::function<void()> wake) { wake_ = std::move(wake); }

    // -- a core's side

    /// Takes the notice, or leaves it where it is and returns false: the ring is full.
    [[nodiscard]] bool push(CoreId from, std::unique_ptr<webhooks::Notice>& notice) {
        if (!rings_[from]->try_push({notice.get()})) return false;
        [[maybe_unused]] const auto* taken = notice.release();
        return true;
    }
    /// After pushing: wakes the reader if it sleeps.
    void flush() {
        if (asleep_.exchange(0, std::memory_order_seq_cst) != 0 && wake_) wake_();
    }

    // -- the reader's side

    /// Hands over everything that is there, each core's in its order. `take` does not throw.
    template <class F>
    void drain(F&& take) {
        for (const auto& ring : rings_)
            ring->drain(ring->capacity(), [&](Slot& slot) { take(std::unique_ptr<webhooks::Notice>(slot.notice)); });
    }
    /// Says that the reader is about to sleep; false = something has come, do not. After true, call awake() on return.
    [[nodiscard]] bool may_sleep() {
        asleep_.exchange(1, std::memory_order_seq_cst);
        if (empty()) return true;
        awake();
        return false;
    }
    [[nodiscard]] bool empty() {
        return std::ranges::all_of(rings_, [](const auto& ring) { return ring->empty_from_consumer(); });
    }
    void awake() { asleep_.exchange(0, std::memory_order_seq_cst); }

private:
    struct Slot {
        webhooks::Notice* notice;  // owned
    };
    using Ring = base::SpscQueue<Slot>;

    std::vector<std::unique_ptr<Ring>> rings_;
    std::function<void()> wake_;
    std::atomic<std::uint32_t> asleep_{0};
};

}  // namespace spillway::server
