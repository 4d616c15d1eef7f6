// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/block_pool.h"

#include <bit>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "base/poison.h"

namespace spillway::pubsub {
namespace {

constexpr std::size_t kSmallest = 128;
/// Kept for reuse at most; beyond it freed blocks go back to the allocator, so that a burst is not remembered for ever.
constexpr std::uint64_t kKeptBytesMax = 16 * kMiB;

constexpr std::size_t class_bytes(std::size_t c) { return kSmallest << c; }

void* fresh(std::size_t bytes) {
    void* memory = ::operator new(bytes);
    base::fill_fresh(memory, bytes);
    return memory;
}

}  // namespace

BlockPool::BlockPool(CoreId core, std::size_t endpoints) : core_(core), returns_(endpoints, nullptr) {}

BlockPool::~BlockPool() { trim(); }

void BlockPool::trim() {
    for (std::size_t c = 0; c < kClasses; ++c) give_up(c, kept_[c].count);
}

void BlockPool::trim_unneeded() {
    for (std::size_t c = 0; c < kClasses; ++c) give_up(c, kept_[c].surplus.take(kept_[c].count));
}

void BlockPool::give_up(std::size_t c, std::size_t count) {
    Kept& kept = kept_[c];
    kept.count -= count;
    bytes_kept_ -= count * class_bytes(c);
    for (; count != 0; --count) {
        Block* block = kept.first;
        base::unpoison(block, class_bytes(c));
        kept.first = block->next;
        ::operator delete(static_cast<void*>(block));
    }
}

void* BlockPool::allocate(std::size_t bytes, std::uint8_t& size_class, std::uint32_t& granted) {
    SPILLWAY_ASSERT(bytes < 0xFFFF'0000U);
    const std::size_t rounded = std::bit_ceil(bytes < kSmallest ? kSmallest : bytes);
    const auto c = static_cast<std::size_t>(std::countr_zero(rounded) - std::countr_zero(kSmallest));
    ++blocks_live_;
    if (c >= kClasses) {
        size_class = kLarge;
        granted = static_cast<std::uint32_t>(bytes);
        bytes_live_ += granted;
        return fresh(bytes);
    }
    size_class = static_cast<std::uint8_t>(c);
    granted = static_cast<std::uint32_t>(class_bytes(c));
    bytes_live_ += granted;
    Kept& kept = kept_[c];
    if (Block* block = kept.first) {
        base::unpoison(block, class_bytes(c));
        kept.first = block->next;
        kept.surplus.left(--kept.count);
        bytes_kept_ -= granted;
        return block;
    }
    return fresh(class_bytes(c));
}

void BlockPool::release(Block* block) {
    const std::uint32_t before = block->holders.fetch_sub(1, std::memory_order_acq_rel);
    SPILLWAY_ASSERT(before != 0);
    if (before != 1) return;
    if (block->owner == core_) {
        free_own(block);
        return;
    }
    block->next = returns_[block->owner];
    returns_[block->owner] = block;
    ++returns_waiting_;
}

Block* BlockPool::take_returns(CoreId owner) {
    Block* list = returns_[owner];
    returns_[owner] = nullptr;
    for (Block* b = list; b != nullptr; b = b->next) --returns_waiting_;
    return list;
}

void BlockPool::accept_returns(Block* list) {
    while (list != nullptr) {
        Block* next = list->next;
        SPILLWAY_ASSERT(list->owner == core_);
        free_own(list);
        list = next;
    }
}

void BlockPool::free_own(Block* block) {
    const std::uint32_t bytes = block->bytes;
    const std::uint8_t c = block->size_class;
    --blocks_live_;
    bytes_live_ -= bytes;
    if (c == kLarge || bytes_kept_ + bytes > kKeptBytesMax) {
        ::operator delete(static_cast<void*>(block));
        return;
    }
    block->next = kept_[c].first;
    kept_[c].first = block;
    ++kept_[c].count;
    bytes_kept_ += bytes;
    base::poison(block, sizeof(Block), bytes);
}

}  // namespace spillway::pubsub
