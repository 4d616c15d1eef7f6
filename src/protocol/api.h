// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Bodies of the HTTP API's publish calls (and of messages on the publisher WebSocket): JSON text to validated events,
// or a status and the reason that names the field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <spillway/errors.h>
#include <spillway/limits.h>

#include "protocol/json.h"

namespace spillway::protocol {

/// An app's bounds on what is published.
struct ApiLimits {
    std::size_t event_bytes_max = 10'240;  // of data
    std::size_t event_name_max = kEventNameMax;
    std::size_t channel_name_max = kChannelNameMax;
    std::size_t channels_per_event_max = kChannelsPerEventMax;
    std::size_t batch_max = kBatchMax;
};

inline constexpr std::size_t kIdempotencyKeyMax = 128;

/// Attributes asked for with `info`.
struct InfoSet {
    bool user_count = false;
    bool subscription_count = false;
    bool cache = false;
    [[nodiscard]] constexpr bool any() const { return user_count || subscription_count || cache; }
    friend constexpr bool operator==(const InfoSet&, const InfoSet&) = default;
};

/// A validated publication. Views are valid as long as the body and until the ApiScratch decodes again.
struct PublishEvent {
    std::string_view name;
    std::string_view data;                       // the string published, or the JSON text of what was no string
    std::span<const std::string_view> channels;  // at least one, each once, in the order given
    std::optional<std::string_view> socket_id;   // the connection that shall not receive it
    Priority priority = Priority::normal;
    std::string_view idempotency_key;  // of the call, so the same for each event of a batch; empty = none
    InfoSet info;
};

struct ApiError {
    std::uint16_t status = 400;  // 400, or 413 for data over the limit
    std::string reason;          // a sentence for the caller that names the field
    std::size_t at = 0;          // 0-based place of the bad event in its batch
};

/// Memory of the decoders, one per core, reused.
struct ApiScratch {
    JsonArena body;
    std::vector<std::string_view> channels;
    std::vector<PublishEvent> events;
};

/// Body of `POST /apps/{id}/events`.
[[nodiscard]] std::expected<PublishEvent, ApiError> decode_event(std::string_view body, const ApiLimits& limits,
                                                                 ApiScratch& scratch);

/// Body of `POST /apps/{id}/batch_events`: all events, or the first fault and none. Never empty.
[[nodiscard]] std::expected<std::span<const PublishEvent>, ApiError> decode_batch(std::string_view body,
                                                                                  const ApiLimits& limits,
                                                                                  ApiScratch& scratch);

/// A publisher WebSocket's message: either of the two bodies (a batch if it has a member `batch`).
[[nodiscard]] std::expected<std::span<const PublishEvent>, ApiError> decode_publication(std::string_view text,
                                                                                        const ApiLimits& limits,
                                                                                        ApiScratch& scratch);

/// Name and value of a parameter of a GET, percent-decoded.
struct ApiParameter {
    std::string_view name;
    std::string_view value;
};

/// What `GET /apps/{id}/channels` asks for.
struct ChannelsQuery {
    std::string_view prefix;
    InfoSet info;
};
[[nodiscard]] std::expected<ChannelsQuery, ApiError> read_channels_query(std::span<const ApiParameter> parameters);

/// What `GET /apps/{id}/channels/{channel}` asks for.
[[nodiscard]] std::expected<InfoSet, ApiError> read_channel_query(std::string_view channel,
                                                                  std::span<const ApiParameter> parameters,
                                                                  const ApiLimits& limits);

/// `GET /apps/{id}/channels/{channel}/users` may be asked of this channel.
[[nodiscard]] std::expected<void, ApiError> check_users_query(std::string_view channel, const ApiLimits& limits);

/// A comma-separated `info` list; nothing if it names an attribute that does not exist. Empty is an empty set.
[[nodiscard]] std::optional<InfoSet> parse_info(std::string_view list);

}  // namespace spillway::protocol
