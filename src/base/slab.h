// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Many objects of one kind in numbered slots. Others name an object by slot and generation, never by a pointer kept
// across loop turns: when the object is gone its generation has moved on, so a stale name finds nothing.
//
// Which slot is next: the one freed longest ago, and a never-used one only when none is free. Oldest first, because
// the longer a slot rests the longer a late kernel completion for its former life is told apart; freed before fresh,
// because then memory follows the peak of live objects and not the number that ever lived.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/assert.h"
#include "base/poison.h"

namespace spillway::base {

template <class T>
class Slab {
    static_assert(std::is_nothrow_default_constructible_v<T> && std::is_nothrow_destructible_v<T>);

public:
    /// Bits of a generation. It starts at 1 and skips 0 when it wraps, so 0 never names anything.
    static constexpr std::uint32_t kGenerationMask = 0xFFFFFF;
    /// Slots per allocation. Addresses never change; a chunk, once allocated, stays.
    static constexpr std::size_t kChunkSlots = 1024;

    /// Holds at most `capacity_max` objects (< 2^32 - 1). Allocates 8 bytes per chunk now and chunks when first used.
    explicit Slab(std::size_t capacity_max) : capacity_max_(capacity_max) {
        SPILLWAY_ASSERT(capacity_max < kNone);
        chunks_.resize((capacity_max + kChunkSlots - 1) / kChunkSlots);
    }
    ~Slab() {
        for_each([this](std::uint32_t slot, T&) { release(slot); });
    }
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;

    /// Constructs a T in a free slot and returns the slot; nothing at capacity. May allocate a chunk (std::bad_alloc;
    /// then nothing has changed).
    [[nodiscard]] std::optional<std::uint32_t> acquire() {
        std::uint32_t slot = free_first_;
        if (slot != kNone) {
            free_first_ = chunk_of(slot).next_free[slot % kChunkSlots];
            if (free_first_ == kNone) free_last_ = kNone;
        } else {
            if (fresh_ == capacity_max_) return std::nullopt;
            if (chunks_[fresh_ / kChunkSlots] == nullptr) chunks_[fresh_ / kChunkSlots].reset(new Chunk);
            slot = fresh_++;
            state_of(slot) = 1;
        }
        unpoison(place_of(slot), sizeof(T));
        ::new (place_of(slot)) T();
        state_of(slot) |= kLive;
        ++size_;
        return slot;
    }

    /// Destroys the T of a live slot. Its generation moves on first, so whoever looks it up from T's destructor finds
    /// nothing; the slot becomes available only after the destructor ran.
    void release(std::uint32_t slot) noexcept {
        SPILLWAY_ASSERT(is_live(slot));
        std::uint32_t& state = state_of(slot);
        const std::uint32_t next = (state + 1) & kGenerationMask;
        state = next == 0 ? 1 : next;
        --size_;
        at(slot)->~T();
        poison(place_of(slot), 0, sizeof(T));
        append_free(slot);
    }

    /// The object of a live slot.
    [[nodiscard]] T& operator[](std::uint32_t slot) noexcept {
        SPILLWAY_DEBUG_ASSERT(is_live(slot));
        return *at(slot);
    }
    [[nodiscard]] const T& operator[](std::uint32_t slot) const noexcept {
        SPILLWAY_DEBUG_ASSERT(is_live(slot));
        return *at(slot);
    }

    /// The object of this life of the slot; nullptr if it is over, or never was. Any numbers may be asked.
    [[nodiscard]] T* find(std::uint32_t slot, std::uint32_t generation) noexcept {
        if (slot >= fresh_ || state_of(slot) != (generation | kLive) || generation > kGenerationMask) return nullptr;
        return at(slot);
    }

    /// The current life of a slot that has been used at least once: the live object's, or the next one's if free.
    [[nodiscard]] std::uint32_t generation(std::uint32_t slot) const noexcept {
        SPILLWAY_ASSERT(slot < fresh_);
        return state_of(slot) & kGenerationMask;
    }

    [[nodiscard]] bool is_live(std::uint32_t slot) const noexcept {
        return slot < fresh_ && (state_of(slot) & kLive) != 0;
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_max_; }
    /// Slots ever used: every live slot is below it.
    [[nodiscard]] std::uint32_t slots_used() const noexcept { return fresh_; }
    /// Bytes of the chunks allocated so far.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return (fresh_ + kChunkSlots - 1) / kChunkSlots * sizeof(Chunk) + chunks_.size() * sizeof(chunks_[0]);
    }

    /// Calls `f(slot, T&)` for every live object in slot order. `f` may release any and acquire (those may be visited).
    template <class F>
    void for_each(F&& f) {
        for (std::uint32_t slot = 0; slot < fresh_; ++slot) {
            if (is_live(slot)) f(slot, *at(slot));
        }
    }

private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr std::uint32_t kLive = kGenerationMask + 1;

    // The objects stand together; what the slab keeps about them (8 bytes per slot) stands apart, so that a walk over
    // objects loads nothing else. Nothing is initialised before its slot is used, so untouched pages stay untouched.
    struct Chunk {
        alignas(alignof(T) > 64 ? alignof(T) : 64) std::byte objects[kChunkSlots * sizeof(T)];
        std::uint32_t state[kChunkSlots];      // generation, and kLive while an object lives there
        std::uint32_t next_free[kChunkSlots];  // valid while the slot is free

        Chunk() noexcept {}  // on purpose: leaves the arrays as they come
    };

    [[nodiscard]] Chunk& chunk_of(std::uint32_t slot) const noexcept { return *chunks_[slot / kChunkSlots]; }
    [[nodiscard]] std::uint32_t& state_of(std::uint32_t slot) const noexcept {
        return chunk_of(slot).state[slot % kChunkSlots];
    }
    [[nodiscard]] T* at(std::uint32_t slot) const noexcept { return std::launder(static_cast<T*>(place_of(slot))); }
    [[nodiscard]] void* place_of(std::uint32_t slot) const noexcept {
        return chunk_of(slot).objects + slot % kChunkSlots * sizeof(T);
    }
    void append_free(std::uint32_t slot) noexcept {
        chunk_of(slot).next_free[slot % kChunkSlots] = kNone;
        if (free_last_ == kNone) {
            free_first_ = slot;
        } else {
            chunk_of(free_last_).next_free[free_last_ % kChunkSlots] = slot;
        }
        free_last_ = slot;
    }

    const std::size_t capacity_max_;
    std::vector<std::unique_ptr<Chunk>> chunks_;
    std::uint32_t fresh_ = 0;           // slots [0, fresh_) have been used
    std::uint32_t free_first_ = kNone;  // freed longest ago
    std::uint32_t free_last_ = kNone;
    std::size_t size_ = 0;
};

}  // namespace spillway::base
