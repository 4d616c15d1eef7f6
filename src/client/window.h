// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How far a publisher may run ahead of what the server has acknowledged.
#pragma once

#include <algorithm>
#include <cstdint>

namespace spillway::client {

class Window {
public:
    explicit Window(std::uint64_t most) : most_(most) {}

    [[nodiscard]] bool open() const { return sent_ - acknowledged_ < most_; }
    void send() { ++sent_; }
    /// Everything up to the n-th; what was never sent cannot be acknowledged.
    void acknowledge(std::uint64_t n) { acknowledged_ = std::max(acknowledged_, std::min(n, sent_)); }

    [[nodiscard]] std::uint64_t sent() const { return sent_; }
    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }

private:
    std::uint64_t most_;
    std::uint64_t sent_ = 0;
    std::uint64_t acknowledged_ = 0;
};

}  // namespace spillway::client
