// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/codec.h"

#include "base/format.h"
#include "protocol/json_escape.h"

namespace spillway::protocol {
namespace {

std::unexpected<DecodeError> refuse(std::string_view reason) { return std::unexpected(DecodeError{reason}); }

/// `data` as an object, also when it came as a string that holds one; absent if it is anything else.
JsonValue data_object(JsonValue message, Scratch& scratch) {
    const JsonValue data = message.member("data");
    if (data.kind() == JsonKind::object) return data;
    if (!data.is_string()) return {};
    const auto nested = scratch.nested.parse(data.text());
    return nested && nested->kind() == JsonKind::object ? *nested : JsonValue{};
}

std::expected<ClientMessage, DecodeError> decode_subscribe(JsonValue data) {
    const JsonValue channel = data.member("channel");
    const JsonValue channel_data = data.member("channel_data");
    if (!channel.is_string()) return refuse("Subscribe needs data with a channel");
    if (!channel_data.is_string() && !channel_data.is_absent_or_null()) {
        return refuse("Subscribe needs its channel_data to be a string");
    }
    // An auth that is no string has no colon or no text, so it is refused as what it is: a bad signature.
    Subscribe subscribe{channel.text(), data.member("auth").text(), std::nullopt};
    if (!channel_data.text().empty()) subscribe.channel_data = channel_data.text();
    return subscribe;
}

std::expected<ClientMessage, DecodeError> decode_unsubscribe(JsonValue data) {
    const JsonValue channel = data.member("channel");
    if (!channel.is_string()) return refuse("Unsubscribe needs data with a channel");
    return Unsubscribe{channel.text()};
}

Signin decode_signin(JsonValue data) {
    const auto text = [&data](std::string_view name) {
        const JsonValue value = data.member(name);
        return value.is_string() ? value.text() : std::string_view{};
    };
    return {text("auth"), text("user_data")};
}

std::expected<ClientMessage, DecodeError> decode_client_event(std::string_view text, JsonValue message,
                                                              std::string_view event) {
    const JsonValue channel = message.member("channel");
    if (!channel.is_string()) return refuse("Client event needs a channel");
    ClientEvent client_event{event, channel.text(), {}, false};
    const JsonMember data = message.find("data");
    if (data.value.kind() != JsonKind::absent) {
        client_event.data_json = raw_member(text, data.index);
        client_event.has_data = true;
    }
    return client_event;
}

/// One group of a watchlist event's data.
void append_watched(std::string& json, std::string_view name, std::span<const std::string_view> ids) {
    if (ids.empty()) return;
    base::append(json, json.back() == '[' ? "" : ",", R"({"name":")", name, R"(","user_ids":[)");
    for (const std::string_view& id : ids) {
        if (&id != &ids.front()) json += ',';
        append_json_string(json, id);
    }
    json += "]}";
}

void append_member(std::string& out, std::string_view introduction, std::string_view value) {
    out += introduction;
    append_json_string(out, value);
}

}  // namespace

std::expected<ClientMessage, DecodeError> decode(std::string_view text, Scratch& scratch) {
    const auto root = scratch.envelope.parse(text);
    if (!root) return refuse(root.error().reason);
    if (root->kind() != JsonKind::object) return refuse("Message is not a JSON object");
    const JsonValue name = root->member("event");
    if (!name.is_string()) return refuse("Message needs an event name");
    const std::string_view event = name.text();

    if (event.starts_with("client-")) return decode_client_event(text, *root, event);
    if (event == "pusher:ping") return Ping{};
    if (event == "pusher:pong") return Pong{};
    if (event == "pusher:subscribe") return decode_subscribe(data_object(*root, scratch));
    if (event == "pusher:unsubscribe") return decode_unsubscribe(data_object(*root, scratch));
    if (event == "pusher:signin") return decode_signin(data_object(*root, scratch));
    return Unknown{event};
}

void encode_connection_established(std::string& out, std::string_view socket_id,
                                   std::chrono::seconds activity_timeout) {
    base::append(out, R"({"event":"pusher:connection_established","data":"{\"socket_id\":\")", socket_id,
                 R"(\",\"activity_timeout\":)", activity_timeout.count(), R"(}"})");
}

void encode_error(std::string& out, std::optional<std::uint16_t> code, std::string_view message) {
    out += R"({"event":"pusher:error","data":{"code":)";
    if (code) {
        base::append_number(out, *code);
    } else {
        out += "null";
    }
    append_member(out, R"(,"message":)", message);
    out += "}}";
}

void encode_ping(std::string& out) { out += R"({"event":"pusher:ping","data":"{}"})"; }

void encode_pong(std::string& out) { out += R"({"event":"pusher:pong","data":"{}"})"; }

void encode_subscription_succeeded(std::string& out, std::string_view channel, std::string_view data) {
    append_member(out, R"({"event":"pusher_internal:subscription_succeeded","channel":)", channel);
    append_member(out, R"(,"data":)", data);
    out += '}';
}

void encode_presence_succeeded(std::string& out, std::string_view channel, const pubsub::Roster& roster) {
    std::string ids;
    std::string hash;
    hash.reserve(roster.text_bytes() + roster.size() * 8);
    for (const pubsub::Roster::Member& member : roster.members()) {
        const std::string_view separator = ids.empty() ? "" : ",";
        ids += separator;
        append_json_string(ids, member.id);
        hash += separator;
        append_json_string(hash, member.id);
        hash += ':';
        hash += member.info.empty() ? std::string_view("null") : member.info;
    }
    std::string data;
    data.reserve(ids.size() + hash.size() + 64);
    base::append(data, R"({"presence":{"ids":[)", ids, R"(],"hash":{)", hash, R"(},"count":)", roster.size(), "}}");
    encode_subscription_succeeded(out, channel, data);
}

void encode_member_added(std::string& out, std::string_view channel, std::string_view id, std::string_view info) {
    std::string data;
    append_member(data, R"({"user_id":)", id);
    base::append(data, R"(,"user_info":)", info.empty() ? std::string_view("null") : info, "}");
    encode_channel_event(out, "pusher_internal:member_added", channel, data);
}

void encode_member_removed(std::string& out, std::string_view channel, std::string_view id) {
    std::string data;
    append_member(data, R"({"user_id":)", id);
    data += '}';
    encode_channel_event(out, "pusher_internal:member_removed", channel, data);
}

void encode_subscription_count(std::string& out, std::string_view channel, std::uint32_t count) {
    append_member(out, R"({"event":"pusher_internal:subscription_count","channel":)", channel);
    base::append(out, R"(,"data":"{\"subscription_count\":)", count, R"(}"})");
}

void encode_cache_miss(std::string& out, std::string_view channel) {
    encode_channel_event(out, "pusher:cache_miss", channel, "{}");
}

void encode_subscription_error(std::string& out, std::string_view channel, std::string_view type,
                               std::string_view error, std::uint16_t status) {
    append_member(out, R"({"event":"pusher:subscription_error","channel":)", channel);
    append_member(out, R"(,"data":{"type":)", type);
    append_member(out, R"(,"error":)", error);
    out += R"(,"status":)";
    base::append_number(out, status);
    out += "}}";
}

void encode_signin_success(std::string& out, std::string_view user_data) {
    append_member(out, R"({"event":"pusher:signin_success","data":{"user_data":)", user_data);
    out += "}}";
}

void encode_watchlist_events(std::string& out, std::span<const std::string_view> online,
                             std::span<const std::string_view> offline) {
    std::string data = R"({"events":[)";
    append_watched(data, "online", online);
    append_watched(data, "offline", offline);
    data += "]}";
    append_member(out, R"({"event":"pusher_internal:watchlist_events","data":)", data);
    out += '}';
}

void encode_channel_event(std::string& out, std::string_view event, std::string_view channel, std::string_view data,
                          std::optional<std::string_view> user_id) {
    append_member(out, R"({"event":)", event);
    append_member(out, R"(,"channel":)", channel);
    append_member(out, R"(,"data":)", data);
    if (user_id) append_member(out, R"(,"user_id":)", *user_id);
    out += '}';
}

void encode_client_event(std::string& out, std::string_view event, std::string_view channel, std::string_view data_json,
                         std::optional<std::string_view> user_id) {
    append_member(out, R"({"event":)", event);
    append_member(out, R"(,"channel":)", channel);
    out += R"(,"data":)";
    out += data_json.empty() ? std::string_view("null") : data_json;
    if (user_id) append_member(out, R"(,"user_id":)", *user_id);
    out += '}';
}

void encode_gap(std::string& out, std::string_view channel, std::uint64_t count) {
    append_member(out, R"({"event":"spillway:gap","channel":)", channel);
    out += R"(,"data":"{\"count\":)";
    base::append_number(out, count);
    out += R"(}"})";
}

}  // namespace spillway::protocol
