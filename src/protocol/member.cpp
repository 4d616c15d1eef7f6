// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/member.h"

#include "protocol/errors.h"
#include "pubsub/channel_name.h"

namespace spillway::protocol {
namespace {

std::unexpected<MemberError> refuse(std::string_view reason, std::uint16_t status = 400) {
    return std::unexpected(MemberError{reason, status});
}

std::expected<Member, MemberError> within(std::size_t bytes_max, const Member& member) {
    if (member.user_id.size() + member.user_info.size() <= bytes_max) return member;
    return refuse("The member's user_id and user_info are too large", code_of(ErrorCode::client_event_rejected));
}

}  // namespace

std::expected<Member, MemberError> decode_member(std::string_view channel_data, std::size_t bytes_max,
                                                 JsonArena& arena) {
    const auto root = arena.parse(channel_data);
    if (!root || root->kind() != JsonKind::object) return refuse("channel_data must be a JSON object");
    const JsonValue id = root->member("user_id");
    if (!id.is_string() && id.kind() != JsonKind::number)
        return refuse("channel_data needs a user_id that is a string or a number");
    if (!pubsub::is_valid_user_id(id.text()))
        return refuse("The user_id must have 1 to 128 characters, and no control characters");
    Member member{id.text(), {}};
    if (const JsonMember info = root->find("user_info"); !info.value.is_absent_or_null())
        member.user_info = raw_member(channel_data, info.index);
    return within(bytes_max, member);
}

std::expected<Member, MemberError> signed_in_member(std::string_view user_id, std::string_view user_info,
                                                    std::size_t bytes_max) {
    return within(bytes_max, {user_id, user_info});
}

}  // namespace spillway::protocol
