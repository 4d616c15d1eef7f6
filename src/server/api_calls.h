// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// API calls that other cores have a part in: publications that wait for their place in the order of every channel
// concerned, and questions about channels. A call outlives the connection that made it: what it began is brought to its end, and then nobody is told.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/slab.h"
#include "protocol/api_answer.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;

/// How long other cores may take to answer a question.
inline constexpr std::chrono::seconds kQueryTime{5};

/// What is known of a call's idempotency key.
enum class KeyState : std::uint8_t {
    none,
    asked,     // its owner has not answered
    granted,   // to be published; its owner must be told the end
    answered,  // it was published before: `text` is the answer
    conflict,  // it was used for something else
    full,      // too many wait for it
};

struct ApiCall {
    ApiCall() noexcept {}

    std::uint64_t client = 0;                       // whose connection waits for the answer
    std::uint32_t request = 0;                      // and to which of its requests
    std::uint32_t due = 0;                          // answers of other cores that have not come
    std::unique_ptr<protocol::PublishAnswer> info;  // null: {} is the answer
    KeyState key = KeyState::none;
    CoreId key_owner = 0;
    std::uint64_t ticket = 0;  // granted: under which the key's owner knows it
    bool lists = false;        // asks every home for its channels
    std::string text;          // of the answer to a question, as far as it was told
};

class ApiCalls {
public:
    explicit ApiCalls(Core& core);

    /// A call of a client's request, by the name that travels with it; 0: too many are under way.
    [[nodiscard]] std::uint64_t begin(std::uint64_t client, std::uint32_t request);
    [[nodiscard]] ApiCall* find(std::uint64_t call);
    /// A call that claims an idempotency key for a body, of a request that must wait for the owner's word; 0 as above.
    [[nodiscard]] std::uint64_t claim(std::uint64_t client, std::uint32_t request, AppIndex app, std::string_view key,
                                      std::string_view body);
    /// Its request will not be served, or its connection is gone before anything was published.
    void abandon(std::uint64_t call);

    /// A question about one channel, and about all whose names begin with `prefix`. False: too many are under way. If that is
    /// not answered by every core within kQueryTime, the answer is 503.
    [[nodiscard]] bool ask(std::uint64_t client, std::uint32_t request, Query::What what,
                           const pubsub::ChannelKey& channel, protocol::InfoSet info);
    [[nodiscard]] bool list(std::uint64_t client, std::uint32_t request, AppIndex app, std::string_view prefix,
                            protocol::InfoSet info);

    void sequenced(const Sequenced& answer);
    void told(const Told& answer);
    void claimed(const Claimed& answer);
    /// Gives up on questions that were not answered in time.
    void step();

    [[nodiscard]] std::size_t size() const { return calls_.size(); }

private:
    void finish(std::uint64_t name, ApiCall& call);
    void settle(const ApiCall& call, TextBlock* answer);

    struct Question {
        std::uint64_t call = 0;
        base::Instant until{};
    };
    void answer_told(std::uint64_t name, ApiCall& call);

    Core& core_;
    base::Slab<ApiCall> calls_;
    std::deque<Question> questions_;  // the first to begin first
    std::size_t lists_ = 0;           // under way
};

}  // namespace spillway::server
