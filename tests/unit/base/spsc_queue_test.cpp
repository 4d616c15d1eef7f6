// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/spsc_queue.h"

#include <deque>
#include <random>
#include <thread>

#include <catch2/catch_test_macros.hpp>

using spillway::base::SpscQueue;

namespace {

struct Message {
    std::uint64_t number;
    std::uint64_t check;
    std::uint64_t padding[2];
};

}  // namespace

TEST_CASE("every slot of a queue is usable and one more is refused", "[base][spsc_queue]") {
    SpscQueue<int> queue(4);
    CHECK(queue.capacity() == 4);
    CHECK(queue.empty_from_consumer());
    CHECK(queue.front() == nullptr);
    for (int i = 0; i < 4; ++i) CHECK(queue.try_push(i));
    CHECK_FALSE(queue.try_push(4));
    CHECK(queue.free_slots() == 0);
    CHECK(queue.used_from_producer() == 4);
    REQUIRE(queue.front() != nullptr);
    CHECK(*queue.front() == 0);
    queue.pop();
    CHECK(queue.free_slots() == 1);
    CHECK(queue.try_push(4));
    CHECK_FALSE(queue.try_push(5));
    for (int i = 1; i <= 4; ++i) {
        CHECK(*queue.front() == i);
        queue.pop();
    }
    CHECK(queue.empty_from_consumer());
}

TEST_CASE("what is staged takes room at once, and is there for the consumer when it is published",
          "[base][spsc_queue]") {
    SpscQueue<int> queue(2);
    CHECK(queue.try_stage(1));
    CHECK(queue.try_stage(2));
    CHECK_FALSE(queue.try_stage(3));
    CHECK(queue.used_from_producer() == 2);
    CHECK(queue.empty_from_consumer());
    queue.publish();
    CHECK(queue.drain(5, [n = 0](int& i) mutable { CHECK(i == ++n); }) == 2);
}

TEST_CASE("a queue of one slot alternates", "[base][spsc_queue]") {
    SpscQueue<int> queue(1);
    for (int i = 0; i < 5; ++i) {
        CHECK(queue.try_push(i));
        CHECK_FALSE(queue.try_push(i));
        CHECK(*queue.front() == i);
        queue.pop();
        CHECK(queue.front() == nullptr);
    }
}

TEST_CASE("drain takes at most what it is allowed and only what was there when it began", "[base][spsc_queue]") {
    SpscQueue<int> queue(256);
    for (int i = 0; i < 200; ++i) REQUIRE(queue.try_push(i));
    int expected = 0;
    CHECK(queue.drain(150, [&](int& i) { CHECK(i == expected++); }) == 150);
    CHECK(queue.used_from_producer() == 50);
    CHECK(queue.drain(1000, [&](int& i) {
        CHECK(i == expected++);
        CHECK(queue.try_push(i + 1000));
    }) == 50);
    CHECK(queue.used_from_producer() == 50);
    CHECK(queue.drain(0, [](int&) {}) == 0);
    CHECK(*queue.front() == 1150);
}

TEST_CASE("a queue agrees with a deque over random steps", "[base][spsc_queue]") {
    std::mt19937 random(99);
    SpscQueue<std::uint32_t> queue(64);
    std::deque<std::uint32_t> model;
    std::uint32_t next = 0;
    for (int step = 0; step < 100'000; ++step) {
        switch (random() % 4) {
            case 0:
            case 1: {
                const bool pushed = queue.try_push(next);
                REQUIRE(pushed == (model.size() < 64));
                if (pushed) model.push_back(next);
                ++next;
                break;
            }
            case 2:
                if (std::uint32_t* front = queue.front()) {
                    REQUIRE(*front == model.front());
                    queue.pop();
                    model.pop_front();
                } else {
                    REQUIRE(model.empty());
                }
                break;
            default:
                queue.drain(random() % 5, [&](std::uint32_t& v) {
                    REQUIRE(v == model.front());
                    model.pop_front();
                });
        }
        REQUIRE(queue.used_from_producer() == model.size());
        REQUIRE(queue.empty_from_consumer() == model.empty());
    }
}

TEST_CASE("two threads see every element once, whole and in order", "[base][spsc_queue]") {
    constexpr std::uint64_t kTotal = 300'000;
    SpscQueue<Message> queue(128);
    std::thread producer([&] {
        for (std::uint64_t i = 0; i < kTotal;) {
            if (queue.try_push({i, i * 0x9E3779B97F4A7C15ULL, {i, ~i}})) {
                ++i;
            } else {
                std::this_thread::yield();
            }
        }
    });
    std::uint64_t expected = 0;
    bool whole = true;
    const auto look = [&](const Message& m) {
        whole =
            whole && m.number == expected && m.check == expected * 0x9E3779B97F4A7C15ULL && m.padding[1] == ~expected;
        ++expected;
    };
    while (expected < kTotal) {
        if (expected % 3 == 0) {
            if (queue.drain(37, look) == 0) std::this_thread::yield();
        } else if (const Message* front = queue.front()) {
            look(*front);
            queue.pop();
        } else {
            std::this_thread::yield();
        }
    }
    producer.join();
    CHECK(whole);
    CHECK(queue.empty_from_consumer());
    CHECK(queue.free_slots() == 128);
}
