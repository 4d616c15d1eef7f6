// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Keys by which backends make publishing idempotent, as their owner keeps them: who comes first with a key publishes, who
// comes meanwhile waits for the answer, who comes later gets it again. What failed is not remembered: the first who
// waits publishes then.
//
// Remembered for kIdempotencyTime from the answer, but at most so many and so many bytes: the one answered longest ago is
// forgotten first. Keys that wait for an answer are never forgotten.
//
// No clock: time is passed in and does not go back. Thread: the owner's core.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <spillway/ids.h>
#include <spillway/limits.h>

#include "base/clock.h"

namespace spillway::protocol {

/// As long as a signed request may be replayed, so that a replay of one with a key publishes nothing.
inline constexpr std::chrono::minutes kIdempotencyTime{20};
/// Who may wait for one key's answer.
inline constexpr std::size_t kIdempotencyWaitersMax = 64;

class IdempotencyKeys {
public:
    struct Limits {
        std::size_t keys_max = kIdempotencyKeysMax;
        std::size_t bytes_max = kIdempotencyBytesMax;
    };
    /// Who asks: a call of a core.
    struct Caller {
        CoreId core = 0;
        std::uint64_t call = 0;
        friend bool operator==(const Caller&, const Caller&) = default;
    };
    enum class Verdict : std::uint8_t {
        go,        // publish, and tell settle() or fail() what became of it
        wait,      // somebody publishes it right now
        same,      // it was published: this is the answer
        conflict,  // the key was used for something else
        full,      // too many wait
    };
    struct Claim {
        Verdict verdict = Verdict::go;
        std::uint64_t ticket = 0;  // go: for settle() and fail()
        std::string_view answer;   // same: valid until the next call
    };

    explicit IdempotencyKeys(const Limits& limits) : limits_(limits) {}

    /// `digest` stands for the body.
    [[nodiscard]] Claim claim(AppIndex app, std::string_view key, std::string_view digest, Caller caller,
                              base::Instant now);
    /// It was published and answered. Returns who waits for that answer.
    [[nodiscard]] std::vector<Caller> settle(std::uint64_t ticket, std::string_view answer, base::Instant now);
    /// It was not published. True: somebody waits, and `next` is to publish it under the same ticket.
    [[nodiscard]] bool fail(std::uint64_t ticket, Caller& next);

    /// Forgets what is due.
    void expire(base::Instant now);

    [[nodiscard]] std::size_t size() const { return by_key_.size(); }
    [[nodiscard]] std::size_t pending() const { return by_ticket_.size(); }
    /// Of keys and answers, and what is needed around them.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Keys that were forgotten before their time.
    [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

private:
    struct Entry {
        std::string key;  // app and key
        std::string digest;
        std::string answer;
        base::Instant expires{};
        std::vector<Caller> waiters;
        [[nodiscard]] std::size_t bytes() const { return sizeof(Entry) + key.size() + digest.size() + answer.size(); }
    };
    using Place = std::list<Entry>::iterator;

    void forget(Place place);

    const Limits limits_;
    std::list<Entry> answered_;  // the one answered longest ago first
    std::list<Entry> pending_;
    struct Known {
        Place place;
        bool answered = false;
    };
    std::unordered_map<std::string_view, Known> by_key_;  // views into the entries
    std::unordered_map<std::uint64_t, Place> by_ticket_;
    std::uint64_t last_ticket_ = 0;
    std::size_t bytes_ = 0;  // of the answered ones
    std::uint64_t evicted_ = 0;
};

}  // namespace spillway::protocol
