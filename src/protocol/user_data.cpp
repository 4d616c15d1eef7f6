// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/user_data.h"

#include <algorithm>

#include "pubsub/channel_name.h"

namespace spillway::protocol {
namespace {

bool is_user_id(JsonValue value) { return value.is_string() && pubsub::is_valid_user_id(value.text()); }

}  // namespace

std::expected<UserData, std::string_view> decode_user_data(std::string_view text, UserScratch& scratch) {
    scratch.watchlist.clear();
    const auto root = scratch.json.parse(text);
    if (!root || root->kind() != JsonKind::object)
        return std::unexpected("Sign-in failed: user_data is no JSON object");
    const JsonValue id = root->member("id");
    if (!is_user_id(id))
        return std::unexpected("Sign-in failed: user_data needs an id, a string of 1 to 128 characters");
    UserData user{id.text(), {}, root->member("priority").text() == "high", false, scratch.watchlist};
    const JsonMember info = root->find("user_info");
    if (!info.value.is_absent_or_null()) user.user_info = raw_member(text, info.index);
    const JsonValue list = root->member("watchlist");
    if (list.is_absent_or_null()) return user;
    if (list.kind() != JsonKind::array)
        return std::unexpected("Sign-in failed: the watchlist in user_data is no array of user ids");
    user.too_many = list.size() > kWatchlistMax;
    JsonElements elements(list);
    for (std::size_t i = 0; i < std::min(list.size(), kWatchlistMax); ++i) {
        const JsonValue watched = elements.next();
        if (!is_user_id(watched))
            return std::unexpected("Sign-in failed: the watchlist in user_data is no array of user ids");
        if (std::ranges::find(scratch.watchlist, watched.text()) == scratch.watchlist.end())
            scratch.watchlist.push_back(watched.text());
    }
    return user;
}

}  // namespace spillway::protocol
