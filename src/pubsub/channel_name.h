// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Syntax and kinds of channel names. The kind is in the prefix, matched with its dash: `privateers` and `cached-x` are
// public channels like any other.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <spillway/channel_kind.h>
#include <spillway/limits.h>

namespace spillway::pubsub {

/// What a name says about its channel. Public channels have every trait false.
struct ChannelTraits {
    bool private_ = false;        // private-…, the encrypted ones included; never presence-…
    bool encrypted = false;       // private-encrypted-…: relayed as it comes, readable by its members only
    bool presence = false;        // presence-…
    bool cache = false;           // cache-…, private-cache-…, private-encrypted-cache-…, presence-cache-…
    bool server_to_user = false;  // #server-to-user-{id}

    /// A subscription needs a signature.
    [[nodiscard]] constexpr bool needs_auth() const { return private_ || presence; }
    friend constexpr bool operator==(const ChannelTraits&, const ChannelTraits&) = default;
};

/// Traits by prefix alone; the name need not be valid.
[[nodiscard]] ChannelTraits classify(std::string_view name);

/// The one kind that a channel is counted under.
[[nodiscard]] ChannelKind kind_of(std::string_view name);

/// 1 to `length_max` characters of `A-Z a-z 0-9 _ - = @ , . ;`. Names that begin with # are never valid here: ask
/// server_to_user_id for them.
[[nodiscard]] bool is_valid_channel_name(std::string_view name, std::size_t length_max = kChannelNameMax);

/// The user of `#server-to-user-{id}`, or nothing if the name is not of that form or the id not valid.
[[nodiscard]] std::optional<std::string_view> server_to_user_id(std::string_view name);

/// `#server-to-user-{id}`: the hidden channel of a user, which every connection signed in as it is in.
[[nodiscard]] std::string server_to_user_channel(std::string_view id);

/// Channels of ours, which no client asks for by name: they are in no figure, no list of channels, no webhook and no limit.
[[nodiscard]] constexpr bool is_hidden_channel(std::string_view name) { return name.starts_with('#'); }

/// 1 to kUserIdMax characters (code points) of UTF-8 without control characters. The id is the application's own, so
/// its alphabet is not ours to narrow. The caller has checked that the bytes are UTF-8 (they come out of JSON).
[[nodiscard]] bool is_valid_user_id(std::string_view id);

}  // namespace spillway::pubsub
