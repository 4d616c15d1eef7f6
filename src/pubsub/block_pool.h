// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory that crosses cores: a block is allocated by one core, read by several, and goes home to be used again. What
// travels (messages, publications, join requests) is a Block with fields behind it.
//
// Threads: a pool belongs to one core. `holders` is the only word that several cores write: each core that holds a block
// takes one count *before* the block is pushed to it, and the core whose release brings it to zero sends the block back to
// its owner, in lists, one list per owner and turn. The decrement is acq_rel: the last holder sees everything the others
// did with the bytes before the owner reuses them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <spillway/ids.h>
#include <spillway/limits.h>

#include "base/surplus.h"

namespace spillway::pubsub {

struct Block {
    std::atomic<std::uint32_t> holders{0};
    std::uint32_t bytes = 0;  // whole block, this head included
    Block* next = nullptr;    // in a free list (owner) or a list going home (last holder)
    CoreId owner = 0;
    std::uint8_t size_class = 0;
};

class BlockPool {
public:
    explicit BlockPool(CoreId core, std::size_t endpoints);
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;
    ~BlockPool();

    /// A T (derived from Block, trivially destructible) with `extra` bytes behind it, held once. Owned by the holders.
    template <class T>
    [[nodiscard]] T* make(std::size_t extra) {
        static_assert(std::is_base_of_v<Block, T> && std::is_trivially_destructible_v<T>);
        std::uint8_t size_class = 0;
        std::uint32_t bytes = 0;
        void* memory = allocate(sizeof(T) + extra, size_class, bytes);
        T* block = ::new (memory) T;
        block->holders.store(1, std::memory_order_relaxed);
        block->bytes = bytes;
        block->owner = core_;
        block->size_class = size_class;
        return block;
    }

    /// Another core will hold it too: call before the push that hands it over.
    static void retain(Block* block, std::uint32_t cores = 1) {
        block->holders.fetch_add(cores, std::memory_order_relaxed);
    }
    /// This core holds it no longer. The last one frees (owner) or sets it aside for its owner.
    void release(Block* block);

    /// The blocks set aside for `owner`, as a list to be sent to it; nullptr when there are none.
    [[nodiscard]] Block* take_returns(CoreId owner);
    [[nodiscard]] bool has_returns() const { return returns_waiting_ != 0; }
    /// A list that came home.
    void accept_returns(Block* list);

    /// Hands to the allocator what is kept for reuse.
    void trim();
    /// At even distances: a part of what nobody needs any more (base/surplus.h).
    void trim_unneeded();

    /// Bytes of blocks of this pool in use anywhere; and kept for reuse.
    [[nodiscard]] std::uint64_t bytes_live() const { return bytes_live_; }
    [[nodiscard]] std::uint64_t bytes_kept() const { return bytes_kept_; }
    [[nodiscard]] std::uint64_t blocks_live() const { return blocks_live_; }

private:
    static constexpr std::size_t kClasses = 10;  // 128 B .. 64 KiB; larger ones come straight from the allocator
    static constexpr std::uint8_t kLarge = 0xFF;

    void* allocate(std::size_t bytes, std::uint8_t& size_class, std::uint32_t& granted);
    void free_own(Block* block);
    void give_up(std::size_t c, std::size_t count);

    /// Blocks kept for reuse, of one size.
    struct Kept {
        Block* first = nullptr;
        std::size_t count = 0;
        base::Surplus surplus;
    };

    CoreId core_;
    std::array<Kept, kClasses> kept_{};
    std::vector<Block*> returns_;
    std::size_t returns_waiting_ = 0;
    std::uint64_t bytes_live_ = 0;
    std::uint64_t bytes_kept_ = 0;
    std::uint64_t blocks_live_ = 0;
};

}  // namespace spillway::pubsub
