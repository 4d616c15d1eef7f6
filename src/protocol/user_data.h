// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The `user_data` of a sign-in: what an application's backend says of a user, and signs.
#pragma once

#include <expected>
#include <string_view>
#include <vector>

#include <spillway/limits.h>

#include "protocol/json.h"

namespace spillway::protocol {

/// Views are valid as long as the text and until the UserScratch decodes again.
struct UserData {
    std::string_view id;         // 1 to kUserIdMax characters
    std::string_view user_info;  // JSON text as written; empty = none
    bool high_priority = false;  // "priority": "high"
    bool too_many = false;       // the watchlist had more than kWatchlistMax entries: the first so many stand here
    const std::vector<std::string_view>& watchlist;  // ids, each once
};

/// Memory of the decoder, one per core, reused.
struct UserScratch {
    JsonArena json;
    std::vector<std::string_view> watchlist;
};

/// Checked: a JSON object with an `id` that is a non-empty string, as clients demand; a `watchlist`, if there is one, of ids.
/// Or a sentence that fits a close frame, in static storage.
[[nodiscard]] std::expected<UserData, std::string_view> decode_user_data(std::string_view text, UserScratch& scratch);

}  // namespace spillway::protocol
