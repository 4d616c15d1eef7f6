// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A queue of one thread that allocates only to grow: a ring that doubles, in which elements move when it does. std::deque
// allocates and frees a block every few elements for as long as it is used.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace spillway::base {

template <class T>
class Fifo {
public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::size_t size() const { return count_; }
    /// Places in memory, taken or not.
    [[nodiscard]] std::size_t capacity() const { return ring_.size(); }

    /// The i-th oldest.
    [[nodiscard]] T& operator[](std::size_t i) {
        SPILLWAY_DEBUG_ASSERT(i < count_);
        return ring_[place(i)];
    }
    [[nodiscard]] const T& operator[](std::size_t i) const {
        SPILLWAY_DEBUG_ASSERT(i < count_);
        return ring_[place(i)];
    }
    [[nodiscard]] T& front() { return (*this)[0]; }
    [[nodiscard]] T& back() { return (*this)[count_ - 1]; }
    [[nodiscard]] const T& front() const { return (*this)[0]; }
    [[nodiscard]] const T& back() const { return (*this)[count_ - 1]; }

    /// It will not allocate up to so many; their memory is not only promised by the host but there.
    void reserve(std::size_t count) {
        while (ring_.size() < count) grow();
    }

    void push_back(T value) {
        if (count_ == ring_.size()) grow();
        ring_[place(count_)] = std::move(value);
        ++count_;
    }
    void push_front(T value) {
        if (count_ == ring_.size()) grow();
        head_ = (head_ - 1) & (ring_.size() - 1);
        ring_[head_] = std::move(value);
        ++count_;
    }
    /// What it held is let go at once, not when its place is used again.
    void pop_front() {
        SPILLWAY_ASSERT(count_ != 0);
        ring_[head_] = T{};
        head_ = (head_ + 1) & (ring_.size() - 1);
        --count_;
    }
    void clear() {
        while (count_ != 0) pop_front();
    }
    /// Empty, and without memory.
    void release() {
        std::vector<T>().swap(ring_);
        head_ = count_ = 0;
    }

private:
    static constexpr std::size_t kFirst = 8;
    [[nodiscard]] std::size_t place(std::size_t i) const { return (head_ + i) & (ring_.size() - 1); }
    void grow() {
        std::vector<T> larger(ring_.empty() ? kFirst : ring_.size() * 2);
        for (std::size_t i = 0; i < count_; ++i) larger[i] = std::move(ring_[place(i)]);
        ring_.swap(larger);
        head_ = 0;
    }

    std::vector<T> ring_;  // its size is 0 or a power of two
    std::size_t head_ = 0;
    std::size_t count_ = 0;
};

}  // namespace spillway::base
