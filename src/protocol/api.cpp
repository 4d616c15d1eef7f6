// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/api.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "protocol/socket_id.h"
#include "pubsub/channel_name.h"

namespace spillway::protocol {
namespace {

constexpr std::uint16_t kBadRequest = 400;
constexpr std::uint16_t kTooLarge = 413;

/// A fault, or nothing: the decoders below fill a field and say what is wrong with it.
using Fault = std::optional<ApiError>;

template <class... Parts>
ApiError fault(const Parts&... parts) {
    ApiError error;
    error.status = kBadRequest;
    base::append(error.reason, parts...);
    return error;
}

/// An optional string member: empty if absent or null.
Fault read_optional_text(JsonValue object, std::string_view name, std::string_view& text) {
    const JsonValue value = object.member(name);
    text = value.text();
    if (value.is_string() || value.is_absent_or_null()) return std::nullopt;
    return fault(name, " must be a string");
}

Fault read_name(JsonValue object, const ApiLimits& limits, PublishEvent& event) {
    const JsonValue value = object.member("name");
    if (value.is_absent_or_null()) return fault("name is required");
    if (!value.is_string()) return fault("name must be a string");
    event.name = value.text();
    if (event.name.empty()) return fault("name must not be empty");
    if (event.name.size() > limits.event_name_max)
        return fault("name is longer than ", limits.event_name_max, " bytes");
    if (event.name.starts_with("pusher:") || event.name.starts_with("pusher_internal:")) {
        return fault("name must not begin with pusher: or pusher_internal:, these are reserved");
    }
    return std::nullopt;
}

/// `object_text()` is the event's own text, asked for only if data is no string.
template <class ObjectText>
Fault read_data(JsonValue object, ObjectText&& object_text, const ApiLimits& limits, PublishEvent& event) {
    const JsonMember data = object.find("data");
    if (data.value.is_absent_or_null()) return fault("data is required");
    event.data = data.value.is_string() ? data.value.text() : raw_member(object_text(), data.index);
    if (event.data.size() <= limits.event_bytes_max) return std::nullopt;
    ApiError error = fault("data is longer than ", limits.event_bytes_max, " bytes");
    error.status = kTooLarge;
    return error;
}

bool may_be_published_to(std::string_view channel, const ApiLimits& limits) {
    return pubsub::is_valid_channel_name(channel, limits.channel_name_max) || pubsub::server_to_user_id(channel);
}

/// Adds `value` to the event's channels, which are those of the scratch from `first` on.
Fault add_channel(JsonValue value, std::string_view field, const ApiLimits& limits, std::size_t first,
                  ApiScratch& scratch) {
    if (!value.is_string()) return fault(field, " must be a string");
    const std::string_view channel = value.text();
    if (!may_be_published_to(channel, limits)) return fault(field, " is not a valid channel name");
    const auto own = std::span(scratch.channels).subspan(first);
    if (std::ranges::find(own, channel) == own.end()) scratch.channels.push_back(channel);
    return std::nullopt;
}

Fault read_channels(JsonValue object, const ApiLimits& limits, ApiScratch& scratch, std::size_t first) {
    const JsonValue one = object.member("channel");
    const JsonValue several = object.member("channels");
    if (several.is_absent_or_null()) {
        if (one.is_absent_or_null()) return fault("channels or channel is required");
        return add_channel(one, "channel", limits, first, scratch);
    }
    if (!one.is_absent_or_null()) return fault("channel and channels exclude each other");
    if (several.kind() != JsonKind::array) return fault("channels must be an array");
    if (several.size() == 0) return fault("channels must not be empty");
    if (several.size() > limits.channels_per_event_max) {
        return fault("channels has more than ", limits.channels_per_event_max, " names");
    }
    std::string field;
    JsonElements elements(several);
    for (std::size_t i = 0; i < several.size(); ++i) {
        field.clear();
        base::append(field, "channels[", i, "]");
        if (Fault bad = add_channel(elements.next(), field, limits, first, scratch)) return bad;
    }
    return std::nullopt;
}

/// Each encrypted channel has a key of its own, so one ciphertext cannot be meant for two.
Fault check_encrypted(std::span<const std::string_view> channels) {
    const auto encrypted =
        std::ranges::count_if(channels, [](std::string_view name) { return pubsub::classify(name).encrypted; });
    if (encrypted > 1) return fault("channels has more than one encrypted channel");
    return std::nullopt;
}

Fault read_socket_id(JsonValue object, PublishEvent& event) {
    const JsonValue value = object.member("socket_id");
    if (value.is_absent_or_null()) return std::nullopt;
    if (!value.is_string() || !is_socket_id(value.text())) return fault("socket_id is not a valid socket id");
    event.socket_id = value.text();
    return std::nullopt;
}

Fault read_priority(JsonValue object, PublishEvent& event) {
    const JsonValue value = object.member("priority");
    if (value.is_absent_or_null()) return std::nullopt;
    for (std::size_t i = 0; value.is_string() && i < kPriorities; ++i) {
        const auto priority = static_cast<Priority>(i);
        if (value.text() != to_string(priority)) continue;
        event.priority = priority;
        return std::nullopt;
    }
    return fault("priority must be low, normal, high or urgent");
}

Fault read_idempotency_key(JsonValue object, PublishEvent& event) {
    if (Fault bad = read_optional_text(object, "idempotency_key", event.idempotency_key)) return bad;
    if (event.idempotency_key.size() <= kIdempotencyKeyMax) return std::nullopt;
    return fault("idempotency_key is longer than ", kIdempotencyKeyMax, " bytes");
}

Fault read_info(JsonValue object, PublishEvent& event) {
    std::string_view list;
    if (Fault bad = read_optional_text(object, "info", list)) return bad;
    const auto info = parse_info(list);
    if (!info) return fault("info names an unknown attribute");
    if (info->cache) return fault("info: cache is told of single channels only");
    event.info = *info;
    return std::nullopt;
}

/// Appends the event to the scratch's. Its span of channels has the right size, but is placed by place_channels()
/// only, because the vector may move until then.
template <class ObjectText>
Fault add_event(JsonValue object, ObjectText&& object_text, const ApiLimits& limits, ApiScratch& scratch) {
    if (object.kind() != JsonKind::object) return fault("an event must be a JSON object");
    PublishEvent event;
    const std::size_t first = scratch.channels.size();
    if (Fault bad = read_name(object, limits, event)) return bad;
    if (Fault bad = read_data(object, object_text, limits, event)) return bad;
    if (Fault bad = read_channels(object, limits, scratch, first)) return bad;
    event.channels = std::span(scratch.channels).subspan(first);
    if (Fault bad = check_encrypted(event.channels)) return bad;
    if (Fault bad = read_socket_id(object, event)) return bad;
    if (Fault bad = read_priority(object, event)) return bad;
    if (Fault bad = read_idempotency_key(object, event)) return bad;
    if (Fault bad = read_info(object, event)) return bad;
    scratch.events.push_back(event);
    return std::nullopt;
}

/// Empty if it is not there.
std::string_view parameter(std::span<const ApiParameter> parameters, std::string_view name) {
    const auto found = std::ranges::find(parameters, name, &ApiParameter::name);
    return found == parameters.end() ? std::string_view() : found->value;
}

Fault check_channel(std::string_view channel, const ApiLimits& limits) {
    if (pubsub::is_valid_channel_name(channel, limits.channel_name_max)) return std::nullopt;
    return fault("the path names no valid channel");
}

void place_channels(ApiScratch& scratch) {
    std::size_t first = 0;
    for (PublishEvent& event : scratch.events) {
        event.channels = std::span(scratch.channels).subspan(first, event.channels.size());
        first += event.channels.size();
    }
}

std::expected<JsonValue, ApiError> parse(std::string_view body, ApiScratch& scratch) {
    scratch.channels.clear();
    scratch.events.clear();
    const auto root = scratch.body.parse(body);
    if (!root) return std::unexpected(fault("body: ", root.error().reason));
    if (root->kind() != JsonKind::object) return std::unexpected(fault("body must be a JSON object"));
    return *root;
}

/// A key is of the call, not of an event: either everything under it is published, or nothing.
Fault read_batch_key(JsonValue root, ApiScratch& scratch) {
    for (const PublishEvent& event : scratch.events)
        if (!event.idempotency_key.empty()) return fault("idempotency_key belongs beside batch");
    PublishEvent whole;
    if (Fault bad = read_idempotency_key(root, whole)) return bad;
    for (PublishEvent& event : scratch.events) event.idempotency_key = whole.idempotency_key;
    return std::nullopt;
}

Fault add_single(JsonValue root, std::string_view body, const ApiLimits& limits, ApiScratch& scratch) {
    if (Fault bad = add_event(root, [body] { return body; }, limits, scratch)) return bad;
    place_channels(scratch);
    return std::nullopt;
}

Fault add_batch(JsonValue root, std::string_view body, const ApiLimits& limits, ApiScratch& scratch) {
    const JsonMember batch = root.find("batch");
    if (batch.value.is_absent_or_null()) return fault("batch is required");
    if (batch.value.kind() != JsonKind::array) return fault("batch must be an array");
    if (batch.value.size() == 0) return fault("batch must not be empty");
    if (batch.value.size() > limits.batch_max) return fault("batch has more than ", limits.batch_max, " events");

    JsonElements elements(batch.value);
    std::optional<JsonText> texts;  // the elements as written, walked only as far as they are asked for
    std::size_t walked = 0;
    for (std::size_t i = 0; i < batch.value.size(); ++i) {
        const auto element_text = [&] {
            if (!texts) texts.emplace(raw_member(body, batch.index));
            for (; walked < i; ++walked) static_cast<void>(texts->next());
            ++walked;
            return texts->next();
        };
        if (Fault bad = add_event(elements.next(), element_text, limits, scratch)) {
            std::string place;
            base::append(place, "batch[", i, "]: ");
            bad->reason.insert(0, place);
            bad->at = i;
            return bad;
        }
    }
    if (Fault bad = read_batch_key(root, scratch)) return bad;
    place_channels(scratch);
    return std::nullopt;
}

}  // namespace

std::expected<PublishEvent, ApiError> decode_event(std::string_view body, const ApiLimits& limits,
                                                   ApiScratch& scratch) {
    const auto root = parse(body, scratch);
    if (!root) return std::unexpected(root.error());
    if (Fault bad = add_single(*root, body, limits, scratch)) return std::unexpected(std::move(*bad));
    return scratch.events.front();
}

std::expected<std::span<const PublishEvent>, ApiError> decode_batch(std::string_view body, const ApiLimits& limits,
                                                                    ApiScratch& scratch) {
    const auto root = parse(body, scratch);
    if (!root) return std::unexpected(root.error());
    if (Fault bad = add_batch(*root, body, limits, scratch)) return std::unexpected(std::move(*bad));
    return std::span<const PublishEvent>(scratch.events);
}

std::expected<std::span<const PublishEvent>, ApiError> decode_publication(std::string_view text,
                                                                          const ApiLimits& limits,
                                                                          ApiScratch& scratch) {
    const auto root = parse(text, scratch);
    if (!root) return std::unexpected(root.error());
    const bool is_batch = root->member("batch").kind() != JsonKind::absent;
    Fault bad = is_batch ? add_batch(*root, text, limits, scratch) : add_single(*root, text, limits, scratch);
    if (bad) return std::unexpected(std::move(*bad));
    return std::span<const PublishEvent>(scratch.events);
}

std::expected<ChannelsQuery, ApiError> read_channels_query(std::span<const ApiParameter> parameters) {
    ChannelsQuery query;
    query.prefix = parameter(parameters, "filter_by_prefix");
    const auto info = parse_info(parameter(parameters, "info"));
    if (!info) return std::unexpected(fault("info names an unknown attribute"));
    if (info->cache) return std::unexpected(fault("info: cache is told of single channels only"));
    if (info->user_count && !query.prefix.starts_with("presence-"))
        return std::unexpected(fault("info: user_count wants filter_by_prefix to begin with presence-"));
    query.info = *info;
    return query;
}

std::expected<InfoSet, ApiError> read_channel_query(std::string_view channel, std::span<const ApiParameter> parameters,
                                                    const ApiLimits& limits) {
    if (Fault bad = check_channel(channel, limits)) return std::unexpected(std::move(*bad));
    const auto info = parse_info(parameter(parameters, "info"));
    if (!info) return std::unexpected(fault("info names an unknown attribute"));
    const pubsub::ChannelTraits traits = pubsub::classify(channel);
    if (info->user_count && !traits.presence)
        return std::unexpected(fault("info: only presence channels have a user_count"));
    if (info->cache && !traits.cache) return std::unexpected(fault("info: only cache channels have a cache"));
    return *info;
}

std::expected<void, ApiError> check_users_query(std::string_view channel, const ApiLimits& limits) {
    if (Fault bad = check_channel(channel, limits)) return std::unexpected(std::move(*bad));
    if (!pubsub::classify(channel).presence) return std::unexpected(fault("only presence channels have users"));
    return {};
}

std::optional<InfoSet> parse_info(std::string_view list) {
    InfoSet info;
    while (!list.empty()) {
        const std::string_view attribute = list.substr(0, list.find(','));
        list.remove_prefix(std::min(attribute.size() + 1, list.size()));
        if (attribute == "user_count") {
            info.user_count = true;
        } else if (attribute == "subscription_count") {
            info.subscription_count = true;
        } else if (attribute == "cache") {
            info.cache = true;
        } else if (!attribute.empty()) {
            return std::nullopt;
        }
    }
    return info;
}

}  // namespace spillway::protocol
