// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The queue of a client that is behind: a message in and out, what each policy costs per message at a queue that stays
// full, and the life of a block and its hold.
#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "pubsub/send_queue.h"

namespace {

using namespace spillway;
using namespace spillway::pubsub;

constexpr LocalChannelId kChannel{1, 1};
constexpr std::size_t kFrameBytes = 128;

class Bench {
public:
    BlockPool pool{0, 1};
    Holds holds{pool};
    SendQueue queue;
    QueueLimits limits;

    ~Bench() {
        queue.clear([this](const QueueEntry& e) { holds.release(e.held); });
        for (Held* held : made_) holds.release(held);
    }
    /// Kept by the bench; the queue takes references of its own.
    Held* make(std::uint64_t event) {
        auto* message = pool.make<Message>(kFrameBytes);
        message->frame_bytes[0] = kFrameBytes;
        message->event_hash = event;
        made_.push_back(holds.take(message));
        return made_.back();
    }
    Admission push(Held* held, OverflowPolicy policy) {
        const SendQueue::Offer offer{{held, kChannel}, WireForm::pusher, policy, false, true};
        const Admission answer =
            queue.push(offer, limits, [this](const QueueEntry& e, DropReason) { holds.release(e.held); });
        if (answer == Admission::queued) Holds::retain(held);
        return answer;
    }
    void consume(std::size_t bytes) {
        queue.consume(bytes, WireForm::pusher, [this](const QueueEntry& e) { holds.release(e.held); });
    }

private:
    std::vector<Held*> made_;
};

/// So many messages in, then out as the kernel takes them: all at once, or in pieces that end within messages.
void push_and_consume(benchmark::State& state) {
    const auto depth = static_cast<std::size_t>(state.range(0));
    const bool in_pieces = state.range(1) != 0;
    Bench bench;
    Held* held = bench.make(1);
    for (auto _ : state) {
        for (std::size_t i = 0; i < depth; ++i) benchmark::DoNotOptimize(bench.push(held, OverflowPolicy::drop_newest));
        const std::size_t piece = in_pieces ? 1000 : depth * kFrameBytes;
        for (std::size_t rest = depth * kFrameBytes; rest != 0; rest -= std::min(piece, rest))
            bench.consume(std::min(piece, rest));
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(depth));
}

/// A message for a client whose queue (1,024) is at its threshold and stays there. Every queued message is another one, as
/// in life: looking at one may be a cache miss. With conflation, of 800 events at random: half the queue is searched.
void push_when_full(benchmark::State& state, OverflowPolicy policy) {
    constexpr std::size_t kMessages = 4096;
    Bench bench;
    std::mt19937 random(1);
    std::vector<Held*> messages;
    for (std::size_t i = 0; i < kMessages; ++i) messages.push_back(bench.make(i < 800 ? 1 + i : 1 + random() % 800));
    std::size_t next = 0;
    for (std::size_t i = 0; i < 1024; ++i) bench.push(messages[next++ % kMessages], policy);
    for (auto _ : state) benchmark::DoNotOptimize(bench.push(messages[next++ % kMessages], policy));
    state.SetItemsProcessed(state.iterations());
}

/// A message made, held and let go on its own core.
void block_life(benchmark::State& state) {
    BlockPool pool(0, 1);
    Holds holds(pool);
    for (auto _ : state) {
        Held* held = holds.take(pool.make<Message>(kFrameBytes));
        benchmark::DoNotOptimize(held);
        holds.release(held);
    }
    state.SetItemsProcessed(state.iterations());
}

}  // namespace

BENCHMARK(push_and_consume)->ArgNames({"depth", "pieces"})->Args({1, 0})->Args({64, 0})->Args({64, 1})->Args({800, 1});
BENCHMARK_CAPTURE(push_when_full, drop_newest, OverflowPolicy::drop_newest);
BENCHMARK_CAPTURE(push_when_full, drop_oldest, OverflowPolicy::drop_oldest);
BENCHMARK_CAPTURE(push_when_full, conflate, OverflowPolicy::conflate);
BENCHMARK(block_life);

BENCHMARK_MAIN();
