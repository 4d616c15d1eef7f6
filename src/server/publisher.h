// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Publications on their way from the core that received them to the homes of their channels: all or nothing. Room on
// every ring concerned is made sure of first; then everything is pushed.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <spillway/errors.h>
#include <spillway/ids.h>

#include "protocol/socket_id.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;

/// One event for one or more channels. Views are copied by publish().
struct Publication {
    AppIndex app = 0;
    std::string_view event;
    std::string_view data;
    std::span<const std::string_view> channels;
    protocol::SocketId exclude;  // its client is none: nobody
    Priority priority = Priority::normal;
    bool data_is_json = false;   // a client event
    bool counts_wanted = false;  // with the answers
};

class Publisher {
public:
    explicit Publisher(Core& core);

    /// How many answers (Sequenced) will come to the call `reply_to`, one per event and channel, in places of that order; 0 = no
    /// room now, nothing was published. Everything finds room sooner or later: at most kPublishMax at once.
    [[nodiscard]] std::size_t publish(std::span<const Publication> publications, std::uint64_t reply_to);

private:
    [[nodiscard]] PublishBody* make_body(const Publication& publication);

    Core& core_;
    std::vector<std::size_t> wanted_;  // per home core
    std::vector<std::uint64_t> hashes_;
};

}  // namespace spillway::server
