// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Where a server is, from a URL, and the requests that are made of it: targets, signatures, bodies. Text in, text out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::client {

struct Endpoint {
    std::string host;  // name or address, without brackets
    std::uint16_t port = 6001;
    std::string prefix;  // of every path: empty, or "/live"
};

/// "ws://host:port/prefix" or the same with http://; the port may be missing (80). There is no TLS here: wss and https are
/// refused with what to do instead.
[[nodiscard]] base::Result<Endpoint> parse_endpoint(std::string_view url);

/// "host:port" for the Host field and for people; IPv6 in brackets.
[[nodiscard]] std::string authority(const Endpoint& endpoint);

struct App {
    std::string id;
    std::string key;
    std::string secret;  // empty = not known: public channels only
};

/// Target of a request of the HTTP API, signed (protocol/auth.h says how). `query` is what else it asks for, "ack=5" or
/// empty; sorts before "auth_key".
[[nodiscard]] std::string signed_target(const Endpoint& endpoint, const App& app, std::string_view method,
                                        std::string_view call, std::string_view query, std::string_view body,
                                        std::int64_t now_unix_seconds);

[[nodiscard]] std::string pusher_target(const Endpoint& endpoint, const App& app);
/// Signed when the channel asks for it and the secret is known.
[[nodiscard]] std::string feed_target(const Endpoint& endpoint, const App& app, std::string_view channel);

/// A pusher:subscribe for that connection, signed as above; presence channels are joined as user `spillway-tail`.
[[nodiscard]] std::string subscribe_message(const App& app, std::string_view socket_id, std::string_view channel);

/// An event as the API's `/events` and a publisher WebSocket take it.
void append_event(std::string& out, std::string_view channel, std::string_view event, std::string_view data);

[[nodiscard]] std::string upgrade_request(const Endpoint& endpoint, std::string_view target, std::string_view key);
[[nodiscard]] std::string post_request(const Endpoint& endpoint, std::string_view target, std::string_view body);

}  // namespace spillway::client
