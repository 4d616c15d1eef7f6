// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as channel_data, the first one as the limit. What is accepted keeps its promises: within its bounds, and what is
// told of the member is JSON in which id and info are found again as they were.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "property.h"
#include "protocol/codec.h"
#include "protocol/member.h"
#include "pubsub/channel_name.h"
#include "pubsub/roster.h"

using namespace spillway;
using namespace spillway::protocol;

namespace {

using spillway::fuzz::require;

/// The `data` of a message, which is JSON in a string.
JsonValue data_of(std::string_view message, JsonArena& outer, JsonArena& inner) {
    const auto root = outer.parse(message);
    require(root.has_value());
    const JsonValue data = root->member("data");
    require(data.is_string());
    const auto value = inner.parse(data.text());
    require(value.has_value());
    return *value;
}

void check(const Member& member) {
    static JsonArena outer;
    static JsonArena inner;
    std::string text;
    encode_member_added(text, "presence-x", member.user_id, member.user_info);
    const JsonValue added = data_of(text, outer, inner);
    require(added.member("user_id").is_string() && added.member("user_id").text() == member.user_id);
    require(added.member("user_info").kind() != JsonKind::absent);

    pubsub::Roster roster;
    roster.enter(1, member.user_id, member.user_info, 2);
    if (member.user_id != "another") roster.enter(2, "another", "", 2);
    text.clear();
    encode_presence_succeeded(text, "presence-x", roster);
    const JsonValue presence = data_of(text, outer, inner).member("presence");
    JsonElements ids(presence.member("ids"));
    require(ids.next().text() == member.user_id);
    require(presence.member("hash").size() == roster.size());
    const JsonKind kind = presence.member("hash").member(member.user_id).kind();
    require(member.user_info.empty() ? kind == JsonKind::null : kind != JsonKind::absent && kind != JsonKind::null);
    require(roster.leave(1) == std::string(member.user_id));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static JsonArena arena;
    const std::size_t bytes_max = std::size_t{data[0]} * 16;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto member = decode_member(text, bytes_max, arena);
    if (!member) {
        require(!member.error().reason.empty() && member.error().status != 0);
        return 0;
    }
    require(pubsub::is_valid_user_id(member->user_id));
    require(member->user_id.size() + member->user_info.size() <= bytes_max);
    check(*member);
    return 0;
}
