// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/endpoint.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "crypto/digest.h"
#include "protocol/json_escape.h"
#include "pubsub/channel_name.h"

namespace spillway::client {
namespace {

using base::append;
using base::concat;
using base::fail;

/// RFC 3986 section 2.3: everything but unreserved characters.
void append_percent_encoded(std::string& out, std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '_' || c == '.' || c == '~';
        if (plain) {
            out += c;
        } else {
            append(out, '%', kDigits[byte >> 4], kDigits[byte & 15]);
        }
    }
}

std::string encoded(std::string_view text) {
    std::string out;
    append_percent_encoded(out, text);
    return out;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool is_signed(const App& app, std::string_view channel) {
    return !app.secret.empty() && pubsub::classify(channel).needs_auth();
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
    append(out, ",\"", name, "\":");
    protocol::append_json_string(out, text);
}

}  // namespace

base::Result<Endpoint> parse_endpoint(std::string_view url) {
    std::string_view rest = url;
    if (rest.starts_with("wss:") || rest.starts_with("https:"))
        return fail("there is no TLS here: give the ws:// address behind the proxy that has it");
    if (!take_prefix(rest, "ws://") && !take_prefix(rest, "http://"))
        return fail("a URL begins with ws:// or http://, like ws://127.0.0.1:6001");
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    std::string_view place = rest.substr(0, slash);
    Endpoint endpoint{.host = {}, .port = 80, .prefix = std::string(rest.substr(slash))};
    if (endpoint.prefix.find_first_of("?# \t\r\n") != std::string::npos)
        return fail("a URL ends with its path: no ?, no #, no blanks");
    while (endpoint.prefix.ends_with('/')) endpoint.prefix.pop_back();

    if (place.starts_with('[')) {
        const std::size_t end = place.find(']');
        if (end == std::string_view::npos) return fail("a bracket of the address is not closed");
        endpoint.host = place.substr(1, end - 1);
        place.remove_prefix(end + 1);
    } else {
        const std::size_t colon = std::min(place.find(':'), place.size());
        endpoint.host = place.substr(0, colon);
        place.remove_prefix(colon);
    }
    if (endpoint.host.empty() || endpoint.host.find_first_of("@ \t\r\n\"\\") != std::string::npos)
        return fail("a URL names a host, without a user");
    if (place.empty()) return endpoint;
    const char* const end = place.data() + place.size();
    const auto read = std::from_chars(place.data() + 1, end, endpoint.port);
    if (place.front() != ':' || read.ec != std::errc{} || read.ptr != end || endpoint.port == 0)
        return fail("a port is a number from 1 to 65535 behind a colon");
    return endpoint;
}

std::string authority(const Endpoint& endpoint) {
    const bool brackets = endpoint.host.find(':') != std::string::npos;
    return concat(brackets ? "[" : "", endpoint.host, brackets ? "]:" : ":", endpoint.port);
}

std::string signed_target(const Endpoint& endpoint, const App& app, std::string_view method, std::string_view call,
                          std::string_view query, std::string_view body, std::int64_t now_unix_seconds) {
    const std::string path = concat(endpoint.prefix, "/apps/", encoded(app.id), "/", call);
    const std::string begin = concat(query, query.empty() ? "" : "&");
    const std::string end = concat("&auth_timestamp=", now_unix_seconds, "&auth_version=1.0",
                                   body.empty() ? "" : concat("&body_md5=", crypto::md5_hex(body)));
    // What is signed is decoded, what is sent is not.
    const std::string text = concat(method, "\n", path, "\n", begin, "auth_key=", app.key, end);
    return concat(path, "?", begin, "auth_key=", encoded(app.key), end,
                  "&auth_signature=", crypto::hmac_sha256_hex(app.secret, text));
}

std::string pusher_target(const Endpoint& endpoint, const App& app) {
    return concat(endpoint.prefix, "/app/", encoded(app.key), "?protocol=7&client=spillway-tail&version=1.0");
}

std::string feed_target(const Endpoint& endpoint, const App& app, std::string_view channel) {
    std::string target = concat(endpoint.prefix, "/feed/", encoded(channel), "?key=", encoded(app.key));
    if (is_signed(app, channel))
        append(target, "&auth=", encoded(app.key), "%3A", crypto::hmac_sha256_hex(app.secret, {"feed:", channel}));
    return target;
}

std::string subscribe_message(const App& app, std::string_view socket_id, std::string_view channel) {
    std::string text = R"({"event":"pusher:subscribe","data":{"channel":)";
    protocol::append_json_string(text, channel);
    if (is_signed(app, channel)) {
        const bool presence = pubsub::classify(channel).presence;
        constexpr std::string_view kMember = R"({"user_id":"spillway-tail"})";
        const std::string signature = crypto::hmac_sha256_hex(
            app.secret, {socket_id, ":", channel, presence ? ":" : "", presence ? kMember : ""});
        append_member(text, "auth", concat(app.key, ":", signature));
        if (presence) append_member(text, "channel_data", kMember);
    }
    return text += "}}";
}

void append_event(std::string& out, std::string_view channel, std::string_view event, std::string_view data) {
    out += R"({"name":)";
    protocol::append_json_string(out, event);
    append_member(out, "channel", channel);
    append_member(out, "data", data);
    out += '}';
}

std::string upgrade_request(const Endpoint& endpoint, std::string_view target, std::string_view key) {
    return concat("GET ", target, " HTTP/1.1\r\nHost: ", authority(endpoint),
                  "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
                  key, "\r\n\r\n");
}

std::string post_request(const Endpoint& endpoint, std::string_view target, std::string_view body) {
    return concat("POST ", target, " HTTP/1.1\r\nHost: ", authority(endpoint),
                  "\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ", body.size(),
                  "\r\n\r\n", body);
}

}  // namespace spillway::client
