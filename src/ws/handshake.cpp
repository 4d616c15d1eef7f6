// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/handshake.h"

#include <cstddef>

#include "base/assert.h"
#include "crypto/digest.h"

namespace spillway::ws {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

constexpr bool is_token_char(char c) {  // RFC 9110 section 5.6.2
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
    for (const char c : text) {
        if (!is_token_char(c)) return false;
    }
    return !text.empty();
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Takes the first element off a comma-separated list.
std::string_view take_element(std::string_view& list) {
    const auto comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    return element;
}

bool lists(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        if (equals_ignoring_case(take_element(list), token)) return true;
    }
    return false;
}

/// Sixteen bytes in base64: 22 digits and two pads.
bool is_key(std::string_view key) {
    if (key.size() != 24 || key.substr(22) != "==") return false;
    for (const char c : key.substr(0, 22)) {
        const bool digit =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
        if (!digit) return false;
    }
    return true;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 405: return "Method Not Allowed";
        case 426: return "Upgrade Required";
        case 505: return "HTTP Version Not Supported";
        default: return "Bad Request";
    }
}

std::unexpected<Refused> refuse(int status, std::string_view reason) {
    return std::unexpected(Refused{status, reason});
}

}  // namespace

void UpgradeFields::add(std::string_view name, std::string_view value) {
    if (equals_ignoring_case(name, "host")) {
        ++host_count;
    } else if (equals_ignoring_case(name, "upgrade")) {
        upgrade_websocket = upgrade_websocket || lists(value, "websocket");
    } else if (equals_ignoring_case(name, "connection")) {
        connection_upgrade = connection_upgrade || lists(value, "upgrade");
    } else if (equals_ignoring_case(name, "sec-websocket-key")) {
        key = trim(value);
        ++key_count;
    } else if (equals_ignoring_case(name, "sec-websocket-version")) {
        version = trim(value);
        ++version_count;
    } else if (equals_ignoring_case(name, "sec-websocket-protocol")) {
        bool any = false;
        while (!value.empty()) {
            const std::string_view protocol = take_element(value);
            if (protocol.empty()) continue;  // empty list elements are ignored (RFC 9110 section 5.6.1)
            any = true;
            protocols_malformed = protocols_malformed || !is_token(protocol);
            if (first_protocol.empty()) first_protocol = protocol;
        }
        protocols_malformed = protocols_malformed || !any;
    }
}

std::expected<Accepted, Refused> check_upgrade(const UpgradeFields& fields) {
    if (fields.minor_version < 1) return refuse(505, "a WebSocket handshake needs HTTP/1.1");
    if (fields.method != "GET") return refuse(405, "a WebSocket handshake is a GET request");
    if (fields.host_count != 1) return refuse(400, "exactly one Host header is required");
    if (!fields.upgrade_websocket || !fields.connection_upgrade) {
        return refuse(426, "this address speaks WebSocket: Upgrade: websocket and Connection: Upgrade are required");
    }
    if (fields.version_count > 1) return refuse(400, "repeated Sec-WebSocket-Version");
    if (fields.version != "13") return refuse(426, "Sec-WebSocket-Version must be 13");
    if (fields.key_count != 1) return refuse(400, "exactly one Sec-WebSocket-Key is required");
    if (!is_key(fields.key)) return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64");
    if (fields.protocols_malformed) return refuse(400, "Sec-WebSocket-Protocol must be a list of tokens");
    return Accepted{.accept_key = accept_key(fields.key), .subprotocol = fields.first_protocol};
}

std::string accept_key(std::string_view key) {
    std::string text;
    text.reserve(key.size() + kGuid.size());
    text.append(key).append(kGuid);
    return crypto::sha1_base64(text);
}

std::string new_key(crypto::Random& random) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string key;
    for (int i = 0; i < 21; ++i) key += kDigits[random.next() % 64];
    key += kDigits[random.next() % 4 * 16];  // of 132 bits the last four are zero
    return key += "==";
}

void write_accept(std::string& out, const Accepted& accepted, std::string_view extra_headers) {
    SPILLWAY_ASSERT(extra_headers.empty() || extra_headers.ends_with("\r\n"));
    out.append(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    out.append(accepted.accept_key).append("\r\n");
    if (!accepted.subprotocol.empty())
        out.append("Sec-WebSocket-Protocol: ").append(accepted.subprotocol).append("\r\n");
    out.append(extra_headers).append("\r\n");
}

void write_refusal(std::string& out, const Refused& refused) {
    out.append("HTTP/1.1 ").append(std::to_string(refused.status)).append(" ").append(reason_phrase(refused.status));
    if (refused.status == 426) {
        out.append("\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close");
    } else {
        out.append("\r\nConnection: close");
    }
    if (refused.status == 405) out.append("\r\nAllow: GET");
    out.append("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ");
    out.append(std::to_string(refused.reason.size() + 1)).append("\r\n\r\n").append(refused.reason).append("\n");
}

}  // namespace spillway::ws
