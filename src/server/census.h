// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the API asks a home about the channels that live there. One channel is looked up at once; the list of all is told in
// pieces, some in each turn, one list at a time, so that a million channels hold up nobody: kScanMax channels are
// looked at in a turn, and a piece is sent only when there is room in the ring.
//
// A channel that is occupied all the while is in the list once; one that comes or goes meanwhile may be in it or not.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "server/envelope.h"

namespace spillway::server {

class Core;

class Census {
public:
    explicit Census(Core& core) : core_(core) {}

    void ask(CoreId from, const Query& query);
    /// The next piece of a list.
    void step();
    [[nodiscard]] bool busy() const { return !lists_.empty(); }

private:
    struct List {
        CoreId from = 0;
        Query query;
    };
    void begin_list();
    void tell(CoreId from, std::uint64_t reply_to, std::string_view text, bool last);
    void describe_channel(const Query& query);
    void describe_users(const Query& query);

    Core& core_;
    std::deque<List> lists_;  // the first one is being told
    std::string scratch_;
};

}  // namespace spillway::server
