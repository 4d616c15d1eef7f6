// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the publishers have in common: data, events, and the signature of Pusher's HTTP API.

#include "publisher.h"

#include <cstdio>
#include <ctime>

#include "crypto/digest.h"

namespace spillway::load {

std::unique_ptr<Publisher> connect_publisher(const Options& options, Stream stream) {
    const bool http = options.publish == Publish::api || options.publish == Publish::post;
    return http ? connect_http_publisher(options, stream) : connect_socket_publisher(options, stream);
}

std::string data_of(std::uint32_t round, std::uint32_t size) {
    char number[kSizeMin + 1];
    std::snprintf(number, sizeof number, "%010u", round);
    std::string data(number);
    data.resize(size, 'x');
    return data;
}

std::string event_body(std::uint32_t first, std::uint32_t end, const std::string& data) {
    std::string body = R"({"name":"e","data":")" + data + '"';
    if (end - first == 1) return body + R"(,"channel":")" + channel_name(first) + "\"}";
    body += R"(,"channels":[)";
    for (std::uint32_t channel = first; channel < end; ++channel)
        body += (channel == first ? "\"" : ",\"") + channel_name(channel) + '"';
    return body + "]}";
}

std::string signed_target(const Options& options, const std::string& method, const std::string& path,
                          const std::string& body) {
    std::string query =
        "auth_key=" + options.app_key + "&auth_timestamp=" + std::to_string(std::time(nullptr)) + "&auth_version=1.0";
    if (!body.empty()) query += "&body_md5=" + crypto::md5_hex(body);
    const std::string proof = crypto::hmac_sha256_hex(options.app_secret, {method, "\n", path, "\n", query});
    return path + '?' + query + "&auth_signature=" + proof;
}

std::uint32_t channels_per_event(const Options& options) { return options.separate ? 1 : 100; }

}  // namespace spillway::load
