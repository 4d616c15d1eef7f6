// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who is in a presence channel: users, each with any number of connections. A user comes with the first connection and is
// gone with the last; what the first one said of the user holds until then.
//
// Invariants: a member has at least one connection; a client is at most once in the roster.
//
// Thread: the channel's home core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace spillway::pubsub {

class Roster {
public:
    struct Member {
        std::string id;
        std::string info;  // JSON text as it came; empty = none was given
        std::uint32_t connections = 0;
    };

    enum class Entry : std::uint8_t {
        first,  // the user was not here before
        again,  // one more connection of a member
        full,   // a new user, and there are as many as there may be: not entered
    };
    /// `client` (packed ClientId) comes in for the user `id`. It must not be in already.
    Entry enter(std::uint64_t client, std::string_view id, std::string_view info, std::size_t members_max);

    /// `client` is gone. The id of the member that is gone with it; nothing if the user has other connections here, or the
    /// client was not in.
    std::optional<std::string> leave(std::uint64_t client);

    /// The member that a client stands for; nullptr if it is not in. Valid until that member is gone.
    [[nodiscard]] const Member* member_of(std::uint64_t client) const;
    [[nodiscard]] const Member* find(std::string_view id) const;

    /// In the order in which they came.
    [[nodiscard]] const std::list<Member>& members() const { return members_; }
    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] std::size_t connections() const { return by_client_.size(); }
    /// Of ids and infos together.
    [[nodiscard]] std::size_t text_bytes() const { return text_bytes_; }

    void check_invariants() const;

private:
    using Place = std::list<Member>::iterator;

    std::list<Member> members_;
    std::unordered_map<std::string_view, Place> by_id_;  // views into members_
    std::unordered_map<std::uint64_t, Place> by_client_;
    std::size_t text_bytes_ = 0;
};

}  // namespace spillway::pubsub
