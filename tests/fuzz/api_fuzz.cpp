// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a question to the HTTP API (first line: the query string; the rest: the channel) and as a batch. Beside not
// crashing: a question that is accepted is answered with JSON that has exactly what was asked for and can be had.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/target.h"
#include "property.h"
#include "protocol/api.h"
#include "protocol/api_answer.h"
#include "protocol/json.h"
#include "pubsub/channel_name.h"

using namespace spillway;
using namespace spillway::protocol;

namespace {

using spillway::fuzz::require;

bool has(JsonValue object, std::string_view name) { return object.member(name).kind() != JsonKind::absent; }

void check_question(std::string_view query, std::string_view channel) {
    static http::Target target;
    static JsonArena arena;
    if (target.parse("/", query) != http::TargetError::none) return;
    std::vector<ApiParameter> parameters;
    for (const http::Parameter& p : target.parameters()) parameters.push_back({p.key, p.value});
    if (const auto list = read_channels_query(parameters))
        require(!list->info.cache && (!list->info.user_count || list->prefix.starts_with("presence-")));

    const ApiLimits limits;
    const bool is_presence = pubsub::classify(channel).presence;
    if (check_users_query(channel, limits)) require(is_presence);
    const auto info = read_channel_query(channel, parameters, limits);
    if (!info) return require(info.error().status == 400 && !info.error().reason.empty());
    const CachedEvent event{query, 7};
    std::string answer;
    append_channel_state(answer, channel, *info, {3, 2}, &event);
    const auto read = arena.parse(answer);
    // What is cached came in as JSON, so it is UTF-8; a query string need not be.
    if (!read) return require(info->cache);
    require(has(*read, "occupied") && has(*read, "user_count") == info->user_count);
    require(has(*read, "subscription_count") == info->subscription_count && has(*read, "cache") == info->cache);
    if (info->cache) require(read->member("cache").member("data").text() == query);
}

void check_batch(std::string_view text) {
    static ApiScratch scratch;
    static JsonArena arena;
    const auto events = decode_publication(text, {}, scratch);
    if (!events) return;
    PublishAnswer answer(*events, true);
    const std::string told = answer.text();
    const auto read = arena.parse(told);
    require(read.has_value() && read->member("batch").size() == events->size());
    for (const PublishEvent& event : *events) {
        require(event.idempotency_key == events->front().idempotency_key);
        require(event.idempotency_key.size() <= kIdempotencyKeyMax && !event.info.cache);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t line = text.find('\n');
    check_question(text.substr(0, line), line == std::string_view::npos ? "presence-room" : text.substr(line + 1));
    check_batch(text);
    return 0;
}
