// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The client language on the wire: text of a WebSocket message to ClientMessage, and what the server says to text.
// Shapes are those of Pusher Channels protocol 7: `data` is a JSON string in everything the server sends except
// pusher:error and pusher:subscription_error (objects) and relayed client events (verbatim).
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/json.h"
#include "protocol/messages.h"
#include "pubsub/roster.h"

namespace spillway::protocol {

/// Memory of decode(), one per core: reused, so that decoding allocates nothing in the steady state.
struct Scratch {
    JsonArena envelope;
    JsonArena nested;        // `data` that was sent as JSON inside a string
    JsonArena channel_data;  // for decode_member(): the message that holds it stays valid
};

struct DecodeError {
    std::string_view reason;  // a sentence for the peer, in static storage
};

/// One message of a client. Never fails for what `data` is when the event does not need it; `data` as a string that
/// holds JSON is taken as that JSON where an object is expected (subscribe, unsubscribe, signin). Same key twice: the
/// last counts. The answer's views are valid as long as `text` and until `scratch` decodes again.
[[nodiscard]] std::expected<ClientMessage, DecodeError> decode(std::string_view text, Scratch& scratch);

// Encoders append one message's text to `out`. Arguments are escaped unless said otherwise.

void encode_connection_established(std::string& out, std::string_view socket_id, std::chrono::seconds activity_timeout);

/// Without a code: `"code":null`, an error of one message, the connection stays.
void encode_error(std::string& out, std::optional<std::uint16_t> code, std::string_view message);

void encode_ping(std::string& out);
void encode_pong(std::string& out);

/// `data` is JSON text that goes out as a string; "{}" for all but presence channels.
void encode_subscription_succeeded(std::string& out, std::string_view channel, std::string_view data = "{}");

/// The same for a presence channel: who is in it, the one who is told included. Members without info are null.
void encode_presence_succeeded(std::string& out, std::string_view channel, const pubsub::Roster& roster);

/// `info` is JSON text, empty for none.
void encode_member_added(std::string& out, std::string_view channel, std::string_view id, std::string_view info);
void encode_member_removed(std::string& out, std::string_view channel, std::string_view id);

void encode_subscription_count(std::string& out, std::string_view channel, std::uint32_t count);

/// Data is exactly the string "{}": clients of encrypted channels try to decrypt anything else.
void encode_cache_miss(std::string& out, std::string_view channel);

/// `{"type":…,"error":…,"status":…}` as an object on the channel; goes with an encode_error.
void encode_subscription_error(std::string& out, std::string_view channel, std::string_view type,
                               std::string_view error, std::uint16_t status);

/// `user_data` as it was signed.
void encode_signin_success(std::string& out, std::string_view user_data);

/// User ids that are online and offline now; a group without any is left out.
void encode_watchlist_events(std::string& out, std::span<const std::string_view> online,
                             std::span<const std::string_view> offline);

/// An event as published: `data` goes out as a JSON string of exactly these bytes.
void encode_channel_event(std::string& out, std::string_view event, std::string_view channel, std::string_view data,
                          std::optional<std::string_view> user_id = std::nullopt);

/// A relayed client event: `data_json` is valid JSON and goes out verbatim; empty goes out as null, because receivers
/// exist that cannot do without the member.
void encode_client_event(std::string& out, std::string_view event, std::string_view channel, std::string_view data_json,
                         std::optional<std::string_view> user_id = std::nullopt);

/// `count` messages of the channel were lost to this client before the one that comes next.
void encode_gap(std::string& out, std::string_view channel, std::uint64_t count);

}  // namespace spillway::protocol
