// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/block_pool.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "base/spsc_queue.h"
#include "poisoned.h"

using namespace spillway;
using spillway::pubsub::Block;
using spillway::pubsub::BlockPool;

namespace {

constexpr std::uint64_t kKeptMax = 16 * kMiB;

struct Parcel : Block {
    std::uint64_t number = 0;

    [[nodiscard]] std::byte* storage() { return reinterpret_cast<std::byte*>(this + 1); }
};

/// A block of `bytes` in all.
Parcel* parcel(BlockPool& pool, std::size_t bytes) { return pool.make<Parcel>(bytes - sizeof(Parcel)); }

std::size_t length(const Block* list) {
    std::size_t n = 0;
    for (; list != nullptr; list = list->next) ++n;
    return n;
}

}  // namespace

TEST_CASE("blocks come in powers of two from 128 bytes to 64 KiB, and larger ones to measure", "[pubsub][block_pool]") {
    BlockPool pool(3, 4);
    const auto granted = [&](std::size_t bytes) {
        Parcel* block = parcel(pool, bytes);
        std::memset(block->storage(), 0xA5, bytes - sizeof(Parcel));
        CHECK(block->owner == 3);
        CHECK(block->holders.load() == 1);
        const std::uint32_t got = block->bytes;
        CHECK(pool.bytes_live() == got);
        CHECK(pool.blocks_live() == 1);
        pool.release(block);
        CHECK(pool.bytes_live() == 0);
        CHECK(pool.blocks_live() == 0);
        return got;
    };
    CHECK(granted(sizeof(Parcel)) == 128);
    CHECK(granted(127) == 128);
    CHECK(granted(128) == 128);
    CHECK(granted(129) == 256);
    CHECK(granted(4096) == 4096);
    CHECK(granted(4097) == 8192);
    CHECK(granted(64 * kKiB) == 64 * kKiB);
    CHECK(granted(64 * kKiB + 1) == 64 * kKiB + 1);
    CHECK(granted(1 * kMiB + 7) == 1 * kMiB + 7);
}

TEST_CASE("H3 a freed block is the next of its class, whatever else was freed", "[pubsub][block_pool]") {
    BlockPool pool(0, 1);
    Parcel* small = parcel(pool, 200);
    Parcel* large = parcel(pool, 2000);
    large->number = 77;
    pool.release(small);
    pool.release(large);
    CHECK(pool.bytes_kept() == 256 + 2048);

    Parcel* again = parcel(pool, 1025);
    CHECK(again == large);
    CHECK(again->number == 0);
    CHECK(again->holders.load() == 1);
    CHECK(pool.bytes_kept() == 256);
    CHECK(parcel(pool, 129) == small);
    CHECK(pool.bytes_kept() == 0);
    pool.release(small);
    pool.release(again);
}

TEST_CASE("H6 a pool keeps 16 MiB for reuse and not a byte more", "[pubsub][block_pool]") {
    BlockPool pool(0, 1);
    std::vector<Parcel*> blocks;
    for (std::uint64_t bytes = 0; bytes < kKeptMax + 64 * kKiB; bytes += 64 * kKiB)
        blocks.push_back(parcel(pool, 64 * kKiB));
    Parcel* tiny = parcel(pool, 128);
    for (Parcel* block : blocks) {
        pool.release(block);
        REQUIRE(pool.bytes_kept() <= kKeptMax);
    }
    CHECK(pool.bytes_kept() == kKeptMax);
    pool.release(tiny);
    CHECK(pool.bytes_kept() == kKeptMax);
    CHECK(pool.bytes_live() == 0);

    Parcel* large = parcel(pool, 5 * kMiB);
    CHECK(pool.bytes_live() == 5 * kMiB);
    pool.release(large);
    CHECK(pool.bytes_kept() == kKeptMax);
}

TEST_CASE("B1 what is kept for reuse can be handed back, and the pool goes on", "[pubsub][block_pool]") {
    BlockPool pool(0, 1);
    Parcel* held = parcel(pool, 300);
    for (const std::size_t bytes : {200, 2000, 2001, 60'000}) pool.release(parcel(pool, bytes));
    CHECK(pool.bytes_kept() != 0);
    pool.trim();
    CHECK(pool.bytes_kept() == 0);
    CHECK(pool.bytes_live() == held->bytes);
    pool.release(parcel(pool, 2000));
    CHECK(pool.bytes_kept() == 2048);
    pool.release(held);
    pool.trim();
    pool.trim();
    CHECK(pool.bytes_kept() == 0);
}

TEST_CASE("a pool does not remember its largest burst", "[pubsub][block_pool]") {
    BlockPool pool(0, 1);
    const auto burst = [&pool](std::size_t count, std::size_t bytes) {
        std::vector<Parcel*> blocks;
        for (std::size_t i = 0; i < count; ++i) blocks.push_back(parcel(pool, bytes));
        for (Parcel* block : blocks) pool.release(block);
    };
    Parcel* held = parcel(pool, 1000);
    burst(500, 128);
    burst(100, 16 * kKiB);
    CHECK(pool.bytes_kept() == 500 * 128 + 100 * 16 * kKiB);

    pool.trim_unneeded();
    const std::uint64_t before = pool.bytes_kept();
    pool.trim_unneeded();  // never all at once
    CHECK(pool.bytes_kept() < before);
    CHECK(pool.bytes_kept() > before * 9 / 10);

    for (int i = 0; i < 200; ++i) {
        burst(20, 128);
        pool.trim_unneeded();
    }
    CHECK(pool.bytes_kept() == 20 * 128);  // what is needed every time stays
    for (int i = 0; i < 100; ++i) pool.trim_unneeded();
    CHECK(pool.bytes_kept() == 0);
    CHECK(pool.bytes_live() == held->bytes);
    pool.release(held);
}

TEST_CASE("R7 whoever reads a block that was freed is caught", "[pubsub][block_pool][hardening]") {
    if (!test::kFreedIsFilled) SKIP("release builds do not fill freed memory");
    BlockPool pool(0, 1);
    Parcel* block = parcel(pool, 512);
    const std::byte* storage = block->storage();
    std::memset(block->storage(), 0, 512 - sizeof(Parcel));
    CHECK_FALSE(test::read_is_caught(storage, 0));
    pool.release(block);
    CHECK(test::read_is_caught(storage, 0));
    CHECK(test::read_is_caught(storage, 512 - sizeof(Parcel) - 1));
    Parcel* again = parcel(pool, 512);
    REQUIRE(again == block);
    again->storage()[0] = std::byte{1};
    CHECK_FALSE(test::read_is_caught(storage, 0));
    pool.release(again);
}

TEST_CASE("large blocks are not kept", "[pubsub][block_pool]") {
    BlockPool pool(0, 1);
    pool.release(parcel(pool, 64 * kKiB + 1));
    CHECK(pool.bytes_kept() == 0);
    CHECK(pool.blocks_live() == 0);
}

TEST_CASE("a block lives until its last holder lets go", "[pubsub][block_pool]") {
    BlockPool pool(0, 1);
    Parcel* block = parcel(pool, 128);
    BlockPool::retain(block);
    BlockPool::retain(block, 3);
    CHECK(block->holders.load() == 5);
    for (int holder = 4; holder > 0; --holder) {
        pool.release(block);
        CHECK(pool.blocks_live() == 1);
    }
    CHECK(pool.bytes_kept() == 0);
    pool.release(block);
    CHECK(pool.blocks_live() == 0);
    CHECK(pool.bytes_kept() == 128);
}

TEST_CASE("a block that another core lets go last goes home in a list", "[pubsub][block_pool]") {
    BlockPool owner(0, 3);
    BlockPool reader(1, 3);
    Parcel* first = parcel(owner, 128);
    Parcel* second = parcel(owner, 300);
    for (Parcel* block : {first, second}) {
        BlockPool::retain(block);
        owner.release(block);
    }
    CHECK(owner.blocks_live() == 2);
    CHECK_FALSE(reader.has_returns());
    reader.release(first);
    reader.release(second);
    CHECK(reader.has_returns());
    CHECK(reader.bytes_kept() == 0);
    CHECK(owner.blocks_live() == 2);

    Block* list = reader.take_returns(0);
    CHECK(length(list) == 2);
    CHECK_FALSE(reader.has_returns());
    CHECK(reader.take_returns(0) == nullptr);
    owner.accept_returns(list);
    CHECK(owner.blocks_live() == 0);
    CHECK(owner.bytes_live() == 0);
    CHECK(owner.bytes_kept() == 128 + 512);
}

TEST_CASE("there is one list per owner, and it holds that owner's blocks only", "[pubsub][block_pool]") {
    std::array<BlockPool, 3> pools{BlockPool(0, 3), BlockPool(1, 3), BlockPool(2, 3)};
    for (std::size_t i = 0; i < 30; ++i) pools[2].release(parcel(pools[i % 3], 128));
    CHECK(pools[2].blocks_live() == 0);
    CHECK(pools[2].take_returns(2) == nullptr);
    Block* of_zero = pools[2].take_returns(0);
    CHECK(pools[2].has_returns());
    Block* of_one = pools[2].take_returns(1);
    CHECK_FALSE(pools[2].has_returns());
    CHECK(length(of_zero) == 10);
    CHECK(length(of_one) == 10);
    pools[0].accept_returns(of_zero);
    pools[1].accept_returns(of_one);
    CHECK(pools[0].blocks_live() == 0);
    CHECK(pools[1].blocks_live() == 0);
}

TEST_CASE("H6 whatever is done with a pool, its counts are those of the blocks that are out", "[pubsub][block_pool]") {
    std::mt19937 random(7);
    BlockPool pool(0, 2);
    std::vector<Parcel*> out;
    std::uint64_t bytes = 0;
    for (int step = 0; step < 20'000; ++step) {
        if (out.size() < 200 && random() % 2 == 0) {
            const std::size_t most = random() % 50 == 0 ? 200'000 : 3000;
            out.push_back(parcel(pool, sizeof(Parcel) + random() % most));
            out.back()->number = random();
            bytes += out.back()->bytes;
        } else if (!out.empty()) {
            std::swap(out[random() % out.size()], out.back());
            bytes -= out.back()->bytes;
            pool.release(out.back());
            out.pop_back();
        }
        REQUIRE(pool.blocks_live() == out.size());
        REQUIRE(pool.bytes_live() == bytes);
    }
    std::ranges::sort(out);
    CHECK(std::ranges::adjacent_find(out) == out.end());
    for (Parcel* block : out) pool.release(block);
    CHECK(pool.bytes_live() == 0);
}

TEST_CASE("R7 one body is read by several cores and used again only when all are done",
          "[pubsub][block_pool][threads]") {
    constexpr std::uint64_t kBlocks = 20'000;
    constexpr std::size_t kReaders = 2;
    constexpr std::size_t kWords = 24;
    struct Lane {
        base::SpscQueue<Parcel*> to_reader{64};
        base::SpscQueue<Block*> home{1024};
    };
    std::array<Lane, kReaders> lanes;
    std::array<std::uint64_t, kReaders> torn{};
    const auto write = [](Parcel* block, std::uint64_t number) {
        block->number = number;
        for (std::size_t i = 0; i < kWords; ++i) std::memcpy(block->storage() + i * 8, &number, 8);
    };
    const auto is_whole = [](Parcel* block) {
        for (std::size_t i = 0; i < kWords; ++i)
            if (std::memcmp(block->storage() + i * 8, &block->number, 8) != 0) return false;
        return true;
    };
    std::vector<std::thread> readers;
    for (std::size_t r = 0; r < kReaders; ++r) {
        readers.emplace_back([&, r] {
            BlockPool pool(static_cast<CoreId>(r + 1), kReaders + 1);
            for (std::uint64_t taken = 0; taken < kBlocks;) {
                const std::size_t n = lanes[r].to_reader.drain(16, [&](Parcel*& block) {
                    torn[r] += is_whole(block) ? 0 : 1;
                    pool.release(block);
                });
                taken += n;
                if (n == 0) std::this_thread::yield();
                if (Block* list = pool.take_returns(0))
                    while (!lanes[r].home.try_push(list)) std::this_thread::yield();
            }
        });
    }
    BlockPool pool(0, kReaders + 1);
    const auto bring_home = [&] {
        for (Lane& lane : lanes) lane.home.drain(64, [&](Block*& list) { pool.accept_returns(list); });
    };
    for (std::uint64_t n = 1; n <= kBlocks; ++n) {
        auto* block = pool.make<Parcel>(kWords * 8);
        write(block, n);
        BlockPool::retain(block, kReaders);
        for (Lane& lane : lanes) {
            while (!lane.to_reader.try_push(block)) {
                bring_home();
                std::this_thread::yield();
            }
        }
        pool.release(block);
        bring_home();
    }
    for (std::thread& reader : readers) reader.join();
    bring_home();
    CHECK(torn == std::array<std::uint64_t, kReaders>{});
    CHECK(pool.blocks_live() == 0);
    CHECK(pool.bytes_live() == 0);
}
