// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/fifo.h"

#include <deque>
#include <memory>
#include <random>
#include <string>

#include <catch2/catch_test_macros.hpp>

using spillway::base::Fifo;

TEST_CASE("a fifo does what a deque does, over random steps", "[base][fifo]") {
    std::mt19937 random(1);
    Fifo<std::string> fifo;
    std::deque<std::string> deque;
    for (int step = 0; step < 100'000; ++step) {
        const auto dice = random() % 1000;
        if (dice < 100) {
            fifo.push_front(std::to_string(step));
            deque.push_front(std::to_string(step));
        } else if (dice < 505) {
            fifo.push_back(std::to_string(step));
            deque.push_back(std::to_string(step));
        } else if (dice < 999) {
            if (deque.empty()) continue;
            fifo.pop_front();
            deque.pop_front();
        } else {
            fifo.clear();
            deque.clear();
        }
        REQUIRE(fifo.size() == deque.size());
        if (deque.empty()) continue;
        REQUIRE(fifo.front() == deque.front());
        REQUIRE(fifo.back() == deque.back());
        const std::size_t i = random() % deque.size();
        REQUIRE(fifo[i] == deque[i]);
    }
}

TEST_CASE("H3 a fifo that has grown keeps its memory while it is used, and lets what it held go at once",
          "[base][fifo]") {
    Fifo<std::shared_ptr<int>> fifo;
    CHECK(fifo.capacity() == 0);
    for (int i = 0; i < 9; ++i) fifo.push_back(std::make_shared<int>(i));
    CHECK(fifo.capacity() == 16);
    const std::weak_ptr<int> first = fifo.front();
    fifo.pop_front();
    CHECK(first.expired());
    for (int i = 0; i < 1000; ++i) {
        fifo.push_back(nullptr);
        fifo.pop_front();
    }
    CHECK(fifo.capacity() == 16);
    fifo.release();
    CHECK(fifo.capacity() == 0);
    CHECK(fifo.empty());
}

TEST_CASE("a fifo with room for so many allocates no more for them", "[base][fifo]") {
    Fifo<int> fifo;
    fifo.push_back(1);
    fifo.reserve(601);
    CHECK(fifo.capacity() == 1024);
    for (int i = 2; i <= 601; ++i) fifo.push_back(i);
    CHECK(fifo.capacity() == 1024);
    CHECK(fifo.front() == 1);
    CHECK(fifo.back() == 601);
    fifo.reserve(0);
    CHECK(fifo.capacity() == 1024);
}
