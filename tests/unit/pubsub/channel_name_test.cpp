// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
#include "pubsub/channel_name.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

using spillway::ChannelKind;
using spillway::pubsub::ChannelTraits;
using spillway::pubsub::classify;
using spillway::pubsub::is_valid_channel_name;
using spillway::pubsub::is_valid_user_id;
using spillway::pubsub::kind_of;
using spillway::pubsub::server_to_user_id;

namespace {

constexpr ChannelTraits kPublic{};
constexpr ChannelTraits kPrivate{.private_ = true};
constexpr ChannelTraits kEncrypted{.private_ = true, .encrypted = true};
constexpr ChannelTraits kPresence{.presence = true};

constexpr ChannelTraits cached(ChannelTraits traits) {
    traits.cache = true;
    return traits;
}

}  // namespace

TEST_CASE("each kind of channel is known by its prefix") {
    CHECK(classify("news") == kPublic);
    CHECK(classify("private-a") == kPrivate);
    CHECK(classify("private-encrypted-a") == kEncrypted);
    CHECK(classify("presence-a") == kPresence);
    CHECK(classify("cache-a") == cached(kPublic));
    CHECK(classify("private-cache-a") == cached(kPrivate));
    CHECK(classify("private-encrypted-cache-a") == cached(kEncrypted));
    CHECK(classify("presence-cache-a") == cached(kPresence));
    CHECK(classify("#server-to-user-7") == ChannelTraits{.server_to_user = true});
}

TEST_CASE("a prefix counts with its dash only, in lower case and at the start") {
    for (const char* name :
         {"privateers", "private", "presences-a", "presence", "cached-x", "cache", "Private-a", "PRESENCE-a",
          "my-private-a", "encrypted-a", "", "-private-", "server-to-user-7", "#private-a"}) {
        CAPTURE(name);
        CHECK(classify(name) == kPublic);
    }
    CHECK(classify("private-encrypted") == kPrivate);
    CHECK(classify("private-encryptedx-a") == kPrivate);
    CHECK(classify("private-cached-a") == kPrivate);
    CHECK(classify("presence-encrypted-a") == kPresence);
    CHECK(classify("cache-private-a") == cached(kPublic));
    CHECK(classify("private-presence-a") == kPrivate);
    CHECK(classify("private-") == kPrivate);
}

TEST_CASE("private and presence channels need a signature, and no others") {
    CHECK(classify("private-a").needs_auth());
    CHECK(classify("private-encrypted-cache-a").needs_auth());
    CHECK(classify("presence-a").needs_auth());
    CHECK_FALSE(classify("cache-a").needs_auth());
    CHECK_FALSE(classify("#server-to-user-7").needs_auth());
}

TEST_CASE("a channel name has exactly the documented alphabet") {
    const std::string allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;";
    for (int byte = 0; byte < 256; ++byte) {
        const std::string name(1, static_cast<char>(byte));
        CAPTURE(byte);
        CHECK(is_valid_channel_name(name) == (allowed.find(name) != std::string::npos));
        CHECK(is_valid_channel_name("a" + name + "b") == (allowed.find(name) != std::string::npos));
    }
}

TEST_CASE("a channel name is 1 to the limit's characters long") {
    CHECK_FALSE(is_valid_channel_name(""));
    CHECK(is_valid_channel_name(std::string(200, 'a')));
    CHECK_FALSE(is_valid_channel_name(std::string(201, 'a')));
    CHECK(is_valid_channel_name(std::string(164, 'a'), 164));
    CHECK_FALSE(is_valid_channel_name(std::string(165, 'a'), 164));
}

TEST_CASE("names with # are a user's channel or nothing") {
    CHECK_FALSE(is_valid_channel_name("#server-to-user-7"));
    CHECK(server_to_user_id("#server-to-user-7") == "7");
    CHECK(server_to_user_id("#server-to-user-auth0|a b@c:d/é") == "auth0|a b@c:d/é");
    CHECK(server_to_user_id("#server-to-user-#server-to-user-7") == "#server-to-user-7");
    for (const char* name : {"#server-to-user-", "#server-to-user", "#server-to-user_7", "server-to-user-7", "#x", "#",
                             "", "#Server-to-user-7", "x#server-to-user-7"}) {
        CAPTURE(name);
        CHECK_FALSE(server_to_user_id(name));
    }
}

TEST_CASE("a user id is 1 to 128 characters without control characters") {
    CHECK(is_valid_user_id(std::string(128, 'u')));
    CHECK_FALSE(is_valid_user_id(std::string(129, 'u')));
    std::string emoji;
    for (int i = 0; i < 128; ++i) emoji += "\xF0\x9F\x8C\x8A";
    CHECK(is_valid_user_id(emoji));
    CHECK_FALSE(is_valid_user_id(emoji + "u"));
    CHECK_FALSE(is_valid_user_id(""));
    CHECK_FALSE(is_valid_user_id(std::string_view("a\0b", 3)));
    CHECK_FALSE(is_valid_user_id("a\nb"));
    CHECK_FALSE(is_valid_user_id("a\x7f"));
}

TEST_CASE("each channel is counted under one kind") {
    CHECK(kind_of("privateers") == ChannelKind::public_channel);
    CHECK(kind_of("private-a") == ChannelKind::private_channel);
    CHECK(kind_of("private-encrypted-a") == ChannelKind::encrypted);
    CHECK(kind_of("presence-a") == ChannelKind::presence);
    CHECK(kind_of("cache-a") == ChannelKind::cache);
    CHECK(kind_of("presence-cache-a") == ChannelKind::cache);
    CHECK(kind_of("private-encrypted-cache-a") == ChannelKind::cache);
    CHECK(kind_of("#server-to-user-7") == ChannelKind::user);
}
