// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Limits that hold for all cores together, exactly: a limit of N admits N, whoever asks at the same time.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include <spillway/ids.h>

namespace spillway::server {

/// One shared count with a limit. Any thread; touched per connection, not per message.
class Quota {
public:
    /// limit 0 = none.
    [[nodiscard]] bool enter(std::uint64_t limit) {
        std::uint64_t n = count_.load(std::memory_order_relaxed);
        do {
            if (limit != 0 && n >= limit) return false;
        } while (!count_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed));
        return true;
    }
    void leave() { count_.fetch_sub(1, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> count_{0};
};

struct Quotas {
    explicit Quotas(std::size_t apps) : per_app(apps) {}
    Quota clients;
    std::vector<Quota> per_app;
};

}  // namespace spillway::server
