// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The opening handshake from the server's side (RFC 6455 section 4.2): the checks on a client's request and the answer; of
// a client's side the key.
// The floor knows no HTTP parser: the caller hands header fields over one by one.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "crypto/random.h"

namespace spillway::ws {

/// What the handshake looks at. Fill in method and version, then add() every header field in order; the views must
/// outlive the struct.
struct UpgradeFields {
    std::string_view method;
    int minor_version = 0;

    std::uint32_t host_count = 0;
    bool upgrade_websocket = false;   // a field Upgrade lists "websocket"
    bool connection_upgrade = false;  // a field Connection lists "upgrade"
    std::string_view key;
    std::uint32_t key_count = 0;
    std::string_view version;
    std::uint32_t version_count = 0;
    std::string_view first_protocol;  // the client's favourite among its subprotocols
    bool protocols_malformed = false;

    /// Notes the field if the handshake knows its name (in any case); ignores it otherwise.
    void add(std::string_view name, std::string_view value);
};

/// Collects from any range of things with `name` and `value`.
template <class Headers>
[[nodiscard]] UpgradeFields upgrade_fields(std::string_view method, int minor_version, const Headers& headers) {
    UpgradeFields fields;
    fields.method = method;
    fields.minor_version = minor_version;
    for (const auto& header : headers) fields.add(header.name, header.value);
    return fields;
}

struct Accepted {
    std::string accept_key;        // value of Sec-WebSocket-Accept
    std::string_view subprotocol;  // to echo; empty when the client offered none
};

struct Refused {
    int status = 400;         // 400, 405 (not GET), 426 (no or another version), 505
    std::string_view reason;  // a fixed sentence
};

/// Judges the request. A repeated key or version is refused: it could be read in two ways.
[[nodiscard]] std::expected<Accepted, Refused> check_upgrade(const UpgradeFields& fields);

/// Sec-WebSocket-Accept for a key (RFC 6455 section 4.2.2, 5.4).
[[nodiscard]] std::string accept_key(std::string_view key);

/// A fresh Sec-WebSocket-Key of a client's: 128 random bits in base64 (section 4.1).
[[nodiscard]] std::string new_key(crypto::Random& random);

/// Appends the whole head "101 Switching Protocols". `extra_headers` are whole lines, each with its CRLF.
void write_accept(std::string& out, const Accepted& accepted, std::string_view extra_headers = {});
/// Appends a whole response with `Connection: close`; 426 carries Upgrade and Sec-WebSocket-Version: 13.
void write_refusal(std::string& out, const Refused& refused);

}  // namespace spillway::ws
