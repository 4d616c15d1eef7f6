// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The bounded first-in-first-out ring by which exactly two threads talk: one writes, one reads, neither ever waits for
// the other. Everything that crosses between cores goes through one of these.
//
// Thread safety
//   One thread calls the producer's side, one thread the consumer's; capacity() is anybody's. Construction and
//   destruction happen while neither runs. Which thread plays a side may change if the hand-over itself synchronises.
//
// Invariants
//   head_ <= tail_ <= staged_ <= head_ + capacity, all counting up for ever (64 bits do not wrap in a machine's life).
//   Slots [head_, tail_) belong to the consumer, all others to the producer.
//
// Ordering
//   The producer writes a slot, then stores tail_ with release; the consumer loads tail_ with acquire, so it sees the
//   whole element. The consumer reads a slot, then stores head_ with release; the producer loads head_ with acquire, so
//   it overwrites only what was read. No sequential consistency is needed here: who wants to sleep on an empty queue
//   exchanges a word of its own (see the mesh) after which empty_from_consumer() is exact.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

#include "base/assert.h"

namespace spillway::base {

template <class T>
class SpscQueue {
    static_assert(std::is_trivially_copyable_v<T>, "elements are copied as bytes and never destroyed");

public:
    /// When the host gives the memory that was allocated: bit by bit, as the first lap comes to it, or all at once.
    enum class Pages : std::uint8_t { on_first_lap, at_once };

    /// `capacity` elements, a power of two, all of them usable. Allocates once (std::bad_alloc).
    explicit SpscQueue(std::size_t capacity, Pages pages = Pages::on_first_lap)
        : slots_(allocate(capacity)), mask_(capacity - 1) {
        if (pages == Pages::at_once) std::memset(static_cast<void*>(slots_), 0, capacity * sizeof(T));
    }
    ~SpscQueue() { ::operator delete(slots_, kAlignment); }
    SpscQueue(const SpscQueue&) = delete;
    SpscQueue& operator=(const SpscQueue&) = delete;

    [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

    // -- the producer's side ------------------------------------------------------------------------------------------

    /// Appends a copy, or returns false and changes nothing if the queue is full.
    [[nodiscard]] bool try_push(const T& element) noexcept {
        if (!try_stage(element)) return false;
        publish();
        return true;
    }

    /// The same, made in place from what an element is made of; but the consumer sees it with the next publish() only. A consumer
    /// that looks all the time takes the index's line away with every look, which costs more than the element.
    template <class U>
    [[nodiscard]] bool try_stage(const U& element) noexcept {
        if (staged_ - head_seen_ == capacity()) {
            head_seen_ = head_.load(std::memory_order_acquire);
            if (staged_ - head_seen_ == capacity()) return false;
        }
        std::construct_at(slots_ + (staged_ & mask_), element);
        ++staged_;
        return true;
    }
    /// What was staged is there for the consumer.
    void publish() noexcept { tail_.store(staged_, std::memory_order_release); }

    /// How many try_push() will succeed now, at least: the consumer may have made more room meanwhile.
    [[nodiscard]] std::size_t free_slots() noexcept { return capacity() - used_from_producer(); }

    /// How many elements the consumer has not taken yet, at most.
    [[nodiscard]] std::size_t used_from_producer() noexcept {
        head_seen_ = head_.load(std::memory_order_acquire);
        return staged_ - head_seen_;
    }

    // -- the consumer's side ------------------------------------------------------------------------------------------

    /// The oldest element in place, or nullptr if there is none. Valid until pop().
    [[nodiscard]] T* front() noexcept {
        return empty_from_consumer() ? nullptr : slots_ + (head_.load(std::memory_order_relaxed) & mask_);
    }

    /// Gives the front's slot back to the producer. Only after front() returned an element.
    void pop() noexcept {
        const std::size_t head = head_.load(std::memory_order_relaxed);
        SPILLWAY_ASSERT(head != tail_seen_);
        head_.store(head + 1, std::memory_order_release);
    }

    /// True if nothing is there to take. May be out of date by the time it returns, towards "there is more".
    [[nodiscard]] bool empty_from_consumer() noexcept {
        const std::size_t head = head_.load(std::memory_order_relaxed);
        if (head != tail_seen_) return false;
        tail_seen_ = tail_.load(std::memory_order_acquire);
        return head == tail_seen_;
    }

    /// Takes up to `most` elements, oldest first, calling `taken(T&)` for each; returns how many. What is pushed
    /// meanwhile waits for the next call. Slots go back to the producer in batches of kGiveBack, so a long drain does
    /// not write the shared index once per element, nor keeps a full queue full. `taken` must not use this consumer
    /// side.
    template <class F>
    std::size_t drain(std::size_t most, F&& taken) {
        std::size_t head = head_.load(std::memory_order_relaxed);
        tail_seen_ = tail_.load(std::memory_order_acquire);
        const std::size_t count = tail_seen_ - head < most ? tail_seen_ - head : most;
        for (const std::size_t end = head + count; head != end;) {
            taken(slots_[head & mask_]);
            ++head;
            if (head % kGiveBack == 0 || head == end) head_.store(head, std::memory_order_release);
        }
        return count;
    }

    // -- while neither side is at work ----------------------------------------------------------------------------------

    /// Calls f(const T&) for everything that was staged and not taken. For tests.
    template <class F>
    void for_each(F&& f) const {
        for (std::size_t i = head_.load(std::memory_order_relaxed); i != staged_; ++i) f(slots_[i & mask_]);
    }

private:
    static constexpr std::size_t kLine = 64;  // bytes of a cache line on x86-64 and most of aarch64
    static constexpr std::size_t kGiveBack = 64;
    static constexpr std::align_val_t kAlignment{alignof(T) > kLine ? alignof(T) : kLine};

    static T* allocate(std::size_t capacity) {
        SPILLWAY_ASSERT(std::has_single_bit(capacity));
        SPILLWAY_ASSERT(capacity <= SIZE_MAX / sizeof(T) / 2);
        return static_cast<T*>(::operator new(capacity * sizeof(T), kAlignment));
    }

    // Laid out by writer. Each side keeps the last value it saw of the other's index beside its own and loads the real
    // one only when that says full or empty: in steady flow the two cores exchange a line once per burst, not per
    // element.

    // The producer's own: slots [tail_, staged_) are filled and not the consumer's yet.
    alignas(kLine) std::size_t staged_ = 0;
    std::size_t head_seen_ = 0;

    // Written by the producer, read by the consumer.
    alignas(kLine) std::atomic<std::size_t> tail_{0};

    // Written by the consumer; head_ is read by the producer.
    alignas(kLine) std::atomic<std::size_t> head_{0};
    std::size_t tail_seen_ = 0;

    // Fixed after construction; read by both.
    alignas(kLine) T* const slots_;
    const std::size_t mask_;
};

}  // namespace spillway::base
