// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/channel_name.h"

#include <algorithm>
#include <array>

namespace spillway::pubsub {
namespace {

constexpr std::string_view kServerToUserPrefix = "#server-to-user-";

constexpr std::array<bool, 256> kNameByte = [] {
    std::array<bool, 256> allowed{};
    for (unsigned c = 'a'; c <= 'z'; ++c) allowed[c] = true;
    for (unsigned c = 'A'; c <= 'Z'; ++c) allowed[c] = true;
    for (unsigned c = '0'; c <= '9'; ++c) allowed[c] = true;
    for (const char c : {'_', '-', '=', '@', ',', '.', ';'}) allowed[static_cast<unsigned char>(c)] = true;
    return allowed;
}();

bool skip(std::string_view& name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    return true;
}

}  // namespace

ChannelTraits classify(std::string_view name) {
    ChannelTraits traits;
    if (skip(name, kServerToUserPrefix)) {
        traits.server_to_user = true;
        return traits;
    }
    if (skip(name, "private-")) {
        traits.private_ = true;
        traits.encrypted = skip(name, "encrypted-");
    } else {
        traits.presence = skip(name, "presence-");
    }
    traits.cache = name.starts_with("cache-");
    return traits;
}

ChannelKind kind_of(std::string_view name) {
    const ChannelTraits traits = classify(name);
    if (traits.server_to_user) return ChannelKind::user;
    if (traits.cache) return ChannelKind::cache;
    if (traits.presence) return ChannelKind::presence;
    if (traits.encrypted) return ChannelKind::encrypted;
    return traits.private_ ? ChannelKind::private_channel : ChannelKind::public_channel;
}

bool is_valid_channel_name(std::string_view name, std::size_t length_max) {
    return !name.empty() && name.size() <= length_max &&
           std::ranges::all_of(name, [](char c) { return kNameByte[static_cast<unsigned char>(c)]; });
}

std::optional<std::string_view> server_to_user_id(std::string_view name) {
    if (!skip(name, kServerToUserPrefix) || !is_valid_user_id(name)) return std::nullopt;
    return name;
}

std::string server_to_user_channel(std::string_view id) { return std::string(kServerToUserPrefix).append(id); }

bool is_valid_user_id(std::string_view id) {
    constexpr std::size_t kUtf8BytesMax = 4;
    if (id.empty() || id.size() > kUtf8BytesMax * kUserIdMax) return false;
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    const auto begins_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    return std::ranges::none_of(id, is_control) &&
           static_cast<std::size_t>(std::ranges::count_if(id, begins_character)) <= kUserIdMax;
}

}  // namespace spillway::pubsub
