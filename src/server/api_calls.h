// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// API calls that other cores have a part in: publications that wait for their place in the order of every channel
// concerned. A call outlives the connection that made it: what it began is brought to its end, and then nobody is told.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <memory>

#include "base/slab.h"
#include "protocol/api_answer.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;

struct ApiCall {
    ApiCall() noexcept {}

    std::uint64_t client = 0;                       // whose connection waits for the answer
    std::uint32_t request = 0;                      // and to which of its requests
    std::uint32_t due = 0;                          // answers of other cores that have not come
    std::unique_ptr<protocol::PublishAnswer> info;  // null: {} is the answer
};

class ApiCalls {
public:
    explicit ApiCalls(Core& core);

    /// A call of a client's request, by the name that travels with it; 0: too many are under way.
    [[nodiscard]] std::uint64_t begin(std::uint64_t client, std::uint32_t request);
    [[nodiscard]] ApiCall* find(std::uint64_t call);
    /// Its request will not be served, or its connection is gone before anything was begun.
    void abandon(std::uint64_t call);

    void sequenced(const Sequenced& answer);

    [[nodiscard]] std::size_t size() const { return calls_.size(); }

private:
    void finish(std::uint64_t name, ApiCall& call);

    Core& core_;
    base::Slab<ApiCall> calls_;
};

}  // namespace spillway::server
