// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A core's channels: finding one by name, a subscriber's coming and going, and the walk of a fan-out pass over its
// subscribers without the sends, which is what a broadcast costs before the kernel is asked anything.
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/format.h"
#include "pubsub/block_pool.h"
#include "pubsub/local_channels.h"
#include "pubsub/message.h"

namespace {

using namespace spillway;
using namespace spillway::pubsub;

void hash_name(benchmark::State& state) {
    const std::string name(static_cast<std::size_t>(state.range(0)), 'm');
    for (auto _ : state) {
        ChannelKey key = channel_key(1, name);
        benchmark::DoNotOptimize(key);
    }
    state.SetItemsProcessed(state.iterations());
}

/// By name, hash included, in random order.
void find_channel(benchmark::State& state) {
    const auto count = static_cast<std::size_t>(state.range(0));
    LocalChannels channels(8);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) names.push_back(base::concat("market-", i));
    for (const std::string& name : names) (void)channels.open(channel_key(0, name));
    std::mt19937 random(1);
    std::vector<std::string> asked(4096);
    for (std::string& name : asked) name = names[random() % count];
    for (auto _ : state) {
        for (const std::string& name : asked) benchmark::DoNotOptimize(channels.find(channel_key(0, name)));
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(asked.size()));
}

void open_and_close(benchmark::State& state) {
    LocalChannels channels(8);
    for (int i = 0; i < 10'000; ++i) (void)channels.open(channel_key(0, base::concat("market-", i)));
    const ChannelKey key = channel_key(0, "private-room-17");
    for (auto _ : state) {
        LocalChannel& channel = *channels.get(channels.open(key).id);
        channels.close_if_unused(channel);
    }
    state.SetItemsProcessed(state.iterations());
}

/// A random subscriber leaves and another joins, among so many.
void remove_and_add(benchmark::State& state) {
    const auto count = static_cast<std::uint32_t>(state.range(0));
    LocalChannels channels(1);
    LocalChannel& channel = *channels.get(channels.open(channel_key(0, "room")).id);
    for (std::uint32_t i = 0; i < count; ++i) channels.add(channel, i, 0, 1);
    std::mt19937 random(1);
    std::vector<std::uint32_t> places(4096);
    for (auto& place : places) place = static_cast<std::uint32_t>(random() % count);
    std::uint64_t moved = 0;
    for (auto _ : state) {
        for (const std::uint32_t place : places) {
            channels.remove(channel, place, [&](std::uint32_t, std::uint32_t, std::uint32_t) { ++moved; });
            channels.add(channel, place, 0, 1);
        }
    }
    benchmark::DoNotOptimize(moved);
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(places.size()));
}

/// What a fan-out reads of a client, at the size of one: a cache line of its own each.
struct alignas(64) Client {
    std::uint32_t batch = 0;
    std::uint32_t rest[47] = {};
};

/// One broadcast without its sends: gather, board, look at every subscriber and its client, turn. Per subscriber.
void walk_pass(benchmark::State& state) {
    const auto count = static_cast<std::uint32_t>(state.range(0));
    const auto gone_percent = static_cast<std::uint32_t>(state.range(1));
    BlockPool pool(0, 1);
    Holds holds(pool);
    LocalChannels channels(1);
    LocalChannel& channel = *channels.get(channels.open(channel_key(0, "room")).id);
    for (std::uint32_t i = 0; i < count; ++i) channels.add(channel, i, 0, 1);
    std::vector<Client> clients(count);
    std::uint64_t seq = 0;
    std::uint64_t served = 0;
    const auto nobody = [](std::uint32_t, std::uint32_t, std::uint32_t) {};
    for (auto _ : state) {
        auto* message = pool.make<Message>(128);
        message->seq = ++seq;
        message->frame_bytes[0] = 128;
        LocalChannels::gather(channel, holds.take(message));
        channels.board(channel, kJoinBytesMax, [&](Held* held) { holds.release(held); });
        for (std::uint32_t i = 0; i < count * gone_percent / 100; ++i)
            channels.remove(channel, i * 100 / gone_percent, nobody);
        PassState& pass = channel.pass;
        while (const Subscriber* subscriber = channels.next(channel, nobody)) {
            if (subscriber->first_seq > pass.messages.front()->message->seq || pass.excludes) continue;
            clients[subscriber->slot].batch = static_cast<std::uint32_t>(seq);
            served += channels.pass_bytes(channel, WireForm::pusher).size();
        }
        channels.turn(channel, [&](Held* held) { holds.release(held); }, nobody);
        while (channel.live < count) channels.add(channel, channel.live, 0, 1);
    }
    benchmark::DoNotOptimize(served);
    state.SetItemsProcessed(state.iterations() * count);
}

}  // namespace

BENCHMARK(hash_name)->Arg(16)->Arg(200);
BENCHMARK(find_channel)->Arg(100)->Arg(100'000);
BENCHMARK(open_and_close);
BENCHMARK(remove_and_add)->Arg(1'000)->Arg(100'000);
BENCHMARK(walk_pass)->ArgNames({"subscribers", "gone"})->Args({1'000, 0})->Args({10'000, 0})->Args({10'000, 10});

BENCHMARK_MAIN();
