// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a Pusher client can say, as values. Views point into the message's text or into the Scratch it was decoded with:
// they are valid until that Scratch decodes again.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

namespace spillway::protocol {

struct Subscribe {
    std::string_view channel;                      // not validated
    std::string_view auth;                         // empty = not given
    std::optional<std::string_view> channel_data;  // exactly as signed; "" counts as not given
};

struct Unsubscribe {
    std::string_view channel;
};

struct Ping {};
struct Pong {};

/// Fields that are missing come as empty: a sign-in that fails closes the client, whatever was wrong with it.
struct Signin {
    std::string_view auth;
    std::string_view user_data;  // exactly as signed
};

/// An event whose name begins with `client-`. Whether it may be relayed is not decided here.
struct ClientEvent {
    std::string_view event;
    std::string_view channel;
    std::string_view data_json;  // the JSON value's own bytes, verbatim; empty unless has_data
    bool has_data = false;
};

/// Valid JSON with an event name that means nothing to us.
struct Unknown {
    std::string_view event;
};

using ClientMessage = std::variant<Subscribe, Unsubscribe, Ping, Pong, Signin, ClientEvent, Unknown>;

}  // namespace spillway::protocol
