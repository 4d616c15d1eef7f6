// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a home core does to bytes once per message: the Pusher envelope, the frame around it, and a block for both forms.
// And what it does not do once per subscriber.
#include <cstring>
#include <string>

#include <benchmark/benchmark.h>

#include "protocol/codec.h"
#include "pubsub/message.h"
#include "server/outflow.h"
#include "ws/frame_writer.h"

namespace {

using namespace spillway;
using pubsub::BlockPool;
using pubsub::Message;

/// JSON with a quote every few bytes, as ticks have it.
std::string tick_of(std::size_t bytes) {
    std::string json = "{";
    for (int i = 0; json.size() + 22 < bytes; ++i) json += "\"field" + std::to_string(i % 10) + "\":\"12.5\",";
    json += "\"x\":\"";
    json.append(bytes - json.size() - 2, 'x');
    return json + "\"}";
}

void encode_frame(benchmark::State& state) {
    const std::string data = tick_of(static_cast<std::size_t>(state.range(0)));
    const bool with_feed = state.range(1) != 0;
    BlockPool pool(0, 1);
    pubsub::Holds holds(pool);
    std::string scratch;
    for (auto _ : state) {
        scratch.clear();
        protocol::encode_channel_event(scratch, "price-update", "market-EURUSD", data);
        const std::size_t pusher_bytes = ws::header_size(scratch.size()) + scratch.size();
        const std::size_t feed_bytes = with_feed ? ws::header_size(data.size()) + data.size() : 0;
        auto* message = pool.make<Message>(pusher_bytes + feed_bytes);
        std::byte* at = message->storage();
        const std::size_t header = ws::write_header(at, ws::Opcode::text, scratch.size());
        std::memcpy(at + header, scratch.data(), scratch.size());
        if (with_feed) {
            at += pusher_bytes;
            std::memcpy(at + ws::write_header(at, ws::Opcode::text, data.size()), data.data(), data.size());
        }
        benchmark::DoNotOptimize(message);
        benchmark::ClobberMemory();
        pool.release(message);
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}

/// One gathered send of a client that is behind: put together and settled, without the send.
void compose_and_settle(benchmark::State& state) {
    const auto messages = static_cast<std::size_t>(state.range(0));
    BlockPool pool(0, 1);
    pubsub::Holds holds(pool);
    auto* message = pool.make<Message>(128);
    message->frame_bytes[0] = 128;
    pubsub::Held* held = holds.take(message);
    server::Outflow out;
    for (auto _ : state) {
        for (std::size_t i = 0; i < messages; ++i) {
            const pubsub::SendQueue::Offer offer{
                {held, {1, 1}}, WireForm::pusher, OverflowPolicy::drop_newest, false, false};
            if (out.queue.push(offer, {}, [](const pubsub::QueueEntry&, DropReason) {}) != pubsub::Admission::queued)
                break;
            pubsub::Holds::retain(held);
        }
        std::size_t bytes = 0;
        benchmark::DoNotOptimize(out.compose(WireForm::pusher, out.parts.data(), out.parts.size(), bytes));
        out.settle(bytes, WireForm::pusher, [&](const pubsub::QueueEntry& e) { holds.release(e.held); });
    }
    holds.release(held);
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages));
}

}  // namespace

BENCHMARK(encode_frame)
    ->ArgNames({"bytes", "feed"})
    ->Args({128, 0})
    ->Args({128, 1})
    ->Args({1024, 0})
    ->Args({10'240, 0});
BENCHMARK(compose_and_settle)->Arg(1)->Arg(16);

BENCHMARK_MAIN();
