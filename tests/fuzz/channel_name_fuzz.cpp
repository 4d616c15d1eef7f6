// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Channel names against the same rules said another way: a list of prefixes, and the alphabet as text.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "property.h"
#include "pubsub/channel_name.h"

using namespace spillway::pubsub;

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;";

constexpr std::array<std::pair<std::string_view, ChannelTraits>, 9> kKinds = {{
    {"private-encrypted-cache-", {.private_ = true, .encrypted = true, .cache = true}},
    {"private-encrypted-", {.private_ = true, .encrypted = true}},
    {"private-cache-", {.private_ = true, .cache = true}},
    {"private-", {.private_ = true}},
    {"presence-cache-", {.presence = true, .cache = true}},
    {"presence-", {.presence = true}},
    {"cache-", {.cache = true}},
    {"#server-to-user-", {.server_to_user = true}},
    {"", {}},
}};

using spillway::fuzz::require;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view name(reinterpret_cast<const char*>(data), size);
    const auto kind = std::ranges::find_if(kKinds, [name](const auto& each) { return name.starts_with(each.first); });
    require(classify(name) == kind->second);

    const bool is_valid =
        !name.empty() && name.size() <= 200 && name.find_first_not_of(kAlphabet) == std::string_view::npos;
    require(is_valid_channel_name(name) == is_valid);

    const auto user = server_to_user_id(name);
    if (user)
        require(kind->second.server_to_user && !is_valid && is_valid_user_id(*user) &&
                user->size() + 16 == name.size());
    return 0;
}
