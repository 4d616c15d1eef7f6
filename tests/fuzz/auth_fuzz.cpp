// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Whoever does not know the secret gets in with nothing, and who does gets in with any channel and any parameters.
// The input's lines are socket id, channel, data, auth, method, path, then query parameters as name=value, then,
// after an empty line, the body.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.h"
#include "property.h"
#include "protocol/auth.h"
#include "protocol/socket_id.h"

using namespace spillway;
using namespace spillway::protocol;

namespace {

constexpr std::string_view kKey = "key";
constexpr AppSecrets kSecrets{.current = "secret", .previous = "older"};
constexpr std::int64_t kNow = 1'700'000'000;

using spillway::fuzz::require;
using spillway::fuzz::take_line;

void check_channel(std::string_view socket_id, std::string_view channel, std::string_view data, std::string_view auth) {
    const AuthResult result = verify_channel_auth(kKey, kSecrets, socket_id, channel, data, auth);
    require(result != AuthResult::ok);  // a fuzzer that finds a signature has earned the abort
    require(!auth_failure_text(result, socket_id, channel, auth).empty());
    require(verify_signin(kKey, kSecrets, socket_id, data, auth) != AuthResult::ok);
    require(verify_feed_auth(kKey, kSecrets, channel, auth) != AuthResult::ok);
    const std::string right =
        std::string(kKey) + ":" + crypto::hmac_sha256_hex(kSecrets.current, {socket_id, ":", channel, ":", data});
    require(verify_channel_auth(kKey, kSecrets, socket_id, channel, data, right) == AuthResult::ok);
}

void check_request(std::string_view method, std::string_view path, std::vector<QueryParam> query,
                   std::string_view body) {
    require(!verify_api_request({method, path, query, body}, kKey, kSecrets, kNow));

    // Signed by the rule, written down a second time: distinct plain names only.
    std::map<std::string, std::string> sorted = {{"auth_key", "key"},
                                                 {"auth_timestamp", "1700000000"},
                                                 {"auth_version", "1.0"},
                                                 {"body_md5", crypto::md5_hex(body)}};
    for (const auto& [name, value] : query) {
        std::string plain;
        for (const char c : name) plain += (c >= 'a' && c <= 'z') || c == '_' ? c : 'x';
        if (plain != "auth_signature") sorted.emplace(plain, value);
    }
    std::string text = std::string(method) + "\n" + std::string(path) + "\n";
    query.clear();
    for (const auto& [name, value] : sorted) {
        text += (query.empty() ? "" : "&") + name + "=" + value;
        query.emplace_back(name, value);
    }
    query.insert(query.begin(), {"auth_signature", crypto::hmac_sha256_hex("older", text)});
    require(verify_api_request({method, path, query, body}, kKey, kSecrets, kNow).has_value());
    query.front().second.back() ^= 1;
    require(!verify_api_request({method, path, query, body}, kKey, kSecrets, kNow));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view socket_id = take_line(text);
    const std::string_view channel = take_line(text);
    const std::string_view channel_data = take_line(text);
    check_channel(socket_id, channel, channel_data, take_line(text));
    if (const auto id = parse_socket_id(socket_id)) require(parse_socket_id(format_socket_id(*id)) == id);

    const std::string_view method = take_line(text);
    const std::string_view path = take_line(text);
    std::vector<QueryParam> query;
    for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
        const std::size_t equals = line.find('=');
        query.emplace_back(line.substr(0, equals), equals == line.npos ? "" : line.substr(equals + 1));
    }
    check_request(method, path, std::move(query), text);
    return 0;
}
