// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The question: is a lock-free ring between two cores worth having over a deque under a mutex? Two threads pass 64-byte
// envelopes; the producer pushes bursts, the consumer drains what it finds, both give way when there is nothing to do.
// "same core" is the cost of the operations alone, without any cache line travelling.
#include <deque>
#include <mutex>
#include <thread>

#include <benchmark/benchmark.h>

#include "base/spsc_queue.h"

namespace {

using spillway::base::SpscQueue;

struct Envelope {
    std::uint64_t number = 0;
    std::uint64_t rest[7] = {};
};

constexpr std::size_t kCapacity = 4096;
constexpr std::uint64_t kPerRound = 1 << 18;
constexpr std::size_t kDrainMost = 256;

/// What one would write first: bounded, correct, one lock for everything.
class MutexQueue {
public:
    explicit MutexQueue(std::size_t capacity) : capacity_(capacity) {}
    bool try_push(const Envelope& e) {
        const std::lock_guard lock(mutex_);
        if (queue_.size() == capacity_) return false;
        queue_.push_back(e);
        return true;
    }
    template <class F>
    std::size_t drain(std::size_t most, F&& taken) {
        const std::lock_guard lock(mutex_);
        std::size_t count = 0;
        for (; count < most && !queue_.empty(); ++count) {
            taken(queue_.front());
            queue_.pop_front();
        }
        return count;
    }

private:
    const std::size_t capacity_;
    std::mutex mutex_;
    std::deque<Envelope> queue_;
};

template <class Queue>
void between_threads(benchmark::State& state) {
    for (auto _ : state) {
        Queue queue(kCapacity);
        std::thread producer([&queue] {
            Envelope e;
            while (e.number < kPerRound) {
                if (queue.try_push(e)) {
                    ++e.number;
                } else {
                    std::this_thread::yield();
                }
            }
        });
        std::uint64_t taken = 0;
        std::uint64_t sum = 0;
        while (taken < kPerRound) {
            const std::size_t n = queue.drain(kDrainMost, [&sum](const Envelope& e) { sum += e.number; });
            if (n == 0) std::this_thread::yield();
            taken += n;
        }
        producer.join();
        benchmark::DoNotOptimize(sum);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPerRound));
}

template <class Queue>
void same_core(benchmark::State& state) {
    const auto burst = static_cast<std::size_t>(state.range(0));
    Queue queue(kCapacity);
    Envelope e;
    std::uint64_t sum = 0;
    for (auto _ : state) {
        for (std::size_t i = 0; i < burst; ++i) benchmark::DoNotOptimize(queue.try_push(e));
        queue.drain(burst, [&sum](const Envelope& taken) { sum += taken.number + 1; });
    }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(burst));
}

}  // namespace

BENCHMARK(between_threads<SpscQueue<Envelope>>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(between_threads<MutexQueue>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(same_core<SpscQueue<Envelope>>)->Arg(1)->Arg(64);
BENCHMARK(same_core<MutexQueue>)->Arg(1)->Arg(64);

BENCHMARK_MAIN();
