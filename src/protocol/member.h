// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who a subscriber of a presence channel is: `channel_data` as the application's backend signed it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

#include "protocol/json.h"

namespace spillway::protocol {

struct Member {
    std::string_view user_id;    // of a number its text as written
    std::string_view user_info;  // JSON text, verbatim; empty = none, or null
};

struct MemberError {
    std::string_view reason;  // a sentence for the peer, in static storage
    std::uint16_t status = 400;
};

/// `bytes_max` bounds id and info together; the id has kUserIdMax characters besides. Views are valid as long as
/// `channel_data` and until `arena` parses again.
[[nodiscard]] std::expected<Member, MemberError> decode_member(std::string_view channel_data, std::size_t bytes_max,
                                                               JsonArena& arena);

/// Who has signed in is that user in a presence channel too, if no `channel_data` says otherwise. The sign-in has checked the
/// id; `user_info` is JSON text, empty = none. Views are the arguments'.
[[nodiscard]] std::expected<Member, MemberError> signed_in_member(std::string_view user_id, std::string_view user_info,
                                                                  std::size_t bytes_max);

}  // namespace spillway::protocol
