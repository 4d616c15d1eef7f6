// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What one core tells the dashboard of its own: the clients with the largest backlogs and the channels with the most
// subscribers among those that live here. A walk goes a bounded number of places a time, so that a survey of a million
// clients holds nobody up; what it found is told when it is round.
//
// Thread: the core. The answer is a block that whoever asked releases.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <spillway/ids.h>
#include <spillway/limits.h>

#include "pubsub/block_pool.h"
#include "server/client.h"

namespace spillway::server {

class Core;

/// The answer, as of the last walk that was completed.
struct SurveyBlock : pubsub::Block {
    static constexpr std::size_t kTop = 10;

    struct Backlog {
        std::uint64_t client = 0;  // packed ClientId
        std::uint64_t nonce = 0;   // of its socket id
        std::uint64_t messages = 0;
        std::uint64_t bytes = 0;
        std::int64_t stalled_ms = 0;  // since its socket last took a byte, while one is waited for
        ClientKind kind = ClientKind::pusher;
        AppIndex app = 0;
    };
    struct Channel {
        std::uint64_t subscribers = 0;
        std::uint64_t messages = 0;  // sequenced in this life of the channel
        AppIndex app = 0;
        std::uint32_t name_size = 0;
        std::array<char, kChannelNameMax> name{};

        [[nodiscard]] std::string_view text() const { return {name.data(), name_size}; }
    };

    std::uint32_t backlogs = 0;
    std::uint32_t channels = 0;
    std::array<Backlog, kTop> backlog{};
    std::array<Channel, kTop> channel{};
};

class Survey {
public:
    explicit Survey(Core& core) : core_(core) {}

    /// Walks on, and returns what is known, held once for whoever asked.
    [[nodiscard]] SurveyBlock* take();

private:
    void walk_clients();
    void walk_channels();

    Core& core_;
    std::uint32_t next_slot_ = 0;
    std::size_t next_channel_ = 0;
    std::vector<SurveyBlock::Backlog> backlogs_, backlogs_found_;  // of the last walk; of the one under way
    std::vector<SurveyBlock::Channel> channels_, channels_found_;
};

}  // namespace spillway::server
