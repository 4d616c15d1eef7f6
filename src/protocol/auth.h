// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who may: signatures of subscriptions, sign-ins and API calls, made by the application's backend with the app's
// secret. What is signed is the bytes as they were received. Every comparison with something secret is constant in
// time. While a secret is rotated, the previous one is accepted too.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace spillway::protocol {

struct AppSecrets {
    std::string_view current;
    std::string_view previous;  // empty = none
};

enum class AuthResult : std::uint8_t {
    ok,
    missing,        // no auth given
    malformed,      // not `key:signature`
    wrong_key,      // the key before the colon is not this app's
    bad_signature,  // anything else, an upper-case signature included
};

/// `auth` = `key:HMAC-SHA256-hex(secret, "socket_id:channel[:channel_data]")`.
[[nodiscard]] AuthResult verify_channel_auth(std::string_view key, AppSecrets secrets, std::string_view socket_id,
                                             std::string_view channel, std::optional<std::string_view> channel_data,
                                             std::string_view auth);

/// `auth` = `key:HMAC-SHA256-hex(secret, "socket_id::user::user_data")`.
[[nodiscard]] AuthResult verify_signin(std::string_view key, AppSecrets secrets, std::string_view socket_id,
                                       std::string_view user_data, std::string_view auth);

/// `auth` = `key:HMAC-SHA256-hex(secret, "feed:channel")`: a feed has no socket id to bind it to.
[[nodiscard]] AuthResult verify_feed_auth(std::string_view key, AppSecrets secrets, std::string_view channel,
                                          std::string_view auth);

/// The part of an auth string before its last colon, for the error text; all of it if there is no colon.
[[nodiscard]] std::string_view auth_key_part(std::string_view auth);

/// The sentence for pusher:error and pusher:subscription_error. `result` is not ok. The auth string's parts are
/// quoted cut to a readable length.
[[nodiscard]] std::string auth_failure_text(AuthResult result, std::string_view socket_id, std::string_view channel,
                                            std::string_view auth);

/// Age of auth_timestamp in either direction that is still accepted, inclusive.
inline constexpr std::int64_t kAuthTimestampWindowSeconds = 600;

/// Name and value, percent-decoded.
using QueryParam = std::pair<std::string, std::string>;

struct ApiRequest {
    std::string_view method;            // as used: GET, HEAD, POST
    std::string_view path;              // raw, as the client wrote it, without the query
    std::span<const QueryParam> query;  // in the order given
    std::string_view body;
};

/// Nothing, or the sentence that goes with 401. Checked: each parameter given once (but `name[]` arrays), auth_key,
/// auth_timestamp, auth_version, auth_signature, then body_md5 (required when there is a body, right whenever it is
/// given).
[[nodiscard]] std::expected<void, std::string> verify_api_request(const ApiRequest& request, std::string_view key,
                                                                  AppSecrets secrets, std::int64_t now_unix_seconds);

}  // namespace spillway::protocol
