// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Error codes of the protocol with their default texts, and the texts of errors that concern one message. Clients and
// their users' logs know these sentences; they are part of the wire. What they quote may be anything, of any length.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <spillway/limits.h>

namespace spillway::protocol {

/// Up to 4299 also close codes, and their range says what the client does next: 40xx stays away, 41xx comes back
/// after a second or more, 42xx comes back at once. 43xx are events only and never close: clients would take that for
/// a refusal for good.
enum class ErrorCode : std::uint16_t {
    tls_only = 4000,
    unknown_app = 4001,
    app_disabled = 4003,
    app_over_quota = 4004,
    path_not_found = 4005,
    invalid_version = 4006,
    unsupported_protocol = 4007,
    no_protocol = 4008,
    unauthorized = 4009,
    over_capacity = 4100,
    reconnect = 4200,
    pong_not_received = 4201,
    inactive = 4202,
    client_event_rejected = 4301,
    watchlist_limit = 4302,
};

[[nodiscard]] constexpr std::uint16_t code_of(ErrorCode code) { return static_cast<std::uint16_t>(code); }

/// Whether a connection may be closed with this code.
[[nodiscard]] constexpr bool is_close_code(ErrorCode code) { return code_of(code) < 4300; }

/// RFC 6455 section 5.5.1: what a control frame has room for beside the code.
inline constexpr std::size_t kCloseReasonMax = kControlPayloadMax - 2;

/// Fits a close frame.
[[nodiscard]] constexpr std::string_view default_text(ErrorCode code) {
    switch (code) {
        case ErrorCode::tls_only: return "Application only accepts TLS connections, reconnect using wss://";
        case ErrorCode::unknown_app: return "Application does not exist";
        case ErrorCode::app_disabled: return "Application disabled";
        case ErrorCode::app_over_quota: return "Application is over connection quota";
        case ErrorCode::path_not_found: return "Path not found";
        case ErrorCode::invalid_version: return "Invalid version string format";
        case ErrorCode::unsupported_protocol: return "Unsupported protocol version";
        case ErrorCode::no_protocol: return "No protocol version supplied";
        case ErrorCode::unauthorized: return "Connection not authorized";
        case ErrorCode::over_capacity: return "Over capacity";
        case ErrorCode::reconnect: return "Server is restarting, reconnect immediately";
        case ErrorCode::pong_not_received: return "Pong reply not received in time";
        case ErrorCode::inactive: return "Closed after inactivity";
        case ErrorCode::client_event_rejected: return "Client event rejected";
        case ErrorCode::watchlist_limit: return "Watchlist limit exceeded";
    }
    return "Error";
}

/// What of others' words is quoted in a sentence: at most so many bytes, cut between characters, because the sentence
/// must stay UTF-8. `text` is UTF-8.
[[nodiscard]] constexpr std::string_view quoted(std::string_view text, std::size_t bytes_max = kChannelNameMax) {
    if (text.size() <= bytes_max) return text;
    while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
    return text.substr(0, bytes_max);
}

/// For 4001: the sentence users search for. It has to fit a close frame, and a key comes out of a URL, so it may be any
/// bytes: one that is no short plain text is not quoted.
[[nodiscard]] inline std::string unknown_app_text(std::string_view key) {
    constexpr std::string_view before = "App key ";
    constexpr std::string_view after = " not in this cluster. Did you forget to specify the cluster?";
    constexpr std::size_t key_bytes_max = kCloseReasonMax - before.size() - after.size();
    const bool is_plain = std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7F; });
    if (key.empty() || key.size() > key_bytes_max || !is_plain)
        return std::string(default_text(ErrorCode::unknown_app));
    return std::string(before).append(key).append(after);
}

[[nodiscard]] inline std::string existing_subscription_text(std::string_view channel) {
    return std::string("Existing subscription to channel ").append(quoted(channel));
}
[[nodiscard]] inline std::string no_current_subscription_text(std::string_view channel) {
    return std::string("No current subscription to channel ")
        .append(quoted(channel))
        .append(", or subscription in progress");
}
[[nodiscard]] inline std::string auth_required_text(std::string_view channel) {
    return std::string("Auth info required to subscribe to ").append(quoted(channel));
}
[[nodiscard]] inline std::string channel_data_required_text(std::string_view channel) {
    return std::string("channel_data with a user_id required to subscribe to ").append(quoted(channel));
}
[[nodiscard]] inline std::string invalid_key_text(std::string_view key) {
    return std::string("Invalid key in subscription auth data: '").append(quoted(key)).append("'");
}
[[nodiscard]] inline std::string client_event_not_subscribed_text(std::string_view channel) {
    return std::string("Cannot broadcast client event (connection not subscribed to channel ")
        .append(quoted(channel))
        .append(")");
}
[[nodiscard]] inline std::string invalid_channel_name_text(std::string_view channel) {
    return std::string("Invalid channel name: '").append(quoted(channel)).append("'");
}

}  // namespace spillway::protocol
