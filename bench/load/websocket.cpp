// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// RFC 6455 from the client's side.

#include "websocket.h"

#include <algorithm>
#include <charconv>

namespace spillway::load {
namespace {

// The example of RFC 6455 section 1.3 and the answer it must get.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
}

}  // namespace

std::optional<Frame> take_frame(std::string_view& bytes, bool& broken) {
    if (bytes.size() < 2) return std::nullopt;
    const auto first = static_cast<std::uint8_t>(bytes[0]);
    const auto second = static_cast<std::uint8_t>(bytes[1]);
    if ((first & 0xF0) != 0x80 ||
        (second & 0x80) != 0) {  // a fragment, a reserved bit, or masked: never from this server
        broken = true;
        return std::nullopt;
    }
    const std::size_t extra = second == 126 ? 2 : second == 127 ? 8 : 0;
    if (bytes.size() < 2 + extra) return std::nullopt;
    const std::uint64_t length = extra == 0 ? second : big_endian(bytes.substr(2, extra));
    if (bytes.size() - 2 - extra < length) return std::nullopt;
    const Frame frame{static_cast<Opcode>(first & 0x0F), bytes.substr(2 + extra, length)};
    bytes.remove_prefix(2 + extra + length);
    return frame;
}

std::string client_frame(Opcode opcode, std::string_view payload) {
    std::string bytes;
    bytes.reserve(payload.size() + 14);
    bytes.push_back(static_cast<char>(0x80 | static_cast<unsigned>(opcode)));
    if (payload.size() < 126) {
        bytes.push_back(static_cast<char>(0x80 | payload.size()));
    } else {
        const bool wide = payload.size() > 0xFFFF;
        bytes.push_back(static_cast<char>(0x80 | (wide ? 127 : 126)));
        for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8)
            bytes.push_back(static_cast<char>(payload.size() >> shift & 0xFF));
    }
    bytes.append(4, '\0');
    bytes.append(payload);
    return bytes;
}

std::string subscriber_path(const Options& options, std::uint32_t channel) {
    if (!options.path.empty()) return path_for(options.path, channel);
    if (options.protocol == Protocol::feed) return "/feed/" + channel_name(channel) + "?key=" + options.app_key;
    return "/app/" + options.app_key + "?protocol=7&client=spillway-load&version=1.0";
}

std::string upgrade_request(const Options& options, const std::string& path) {
    std::string request = "GET " + path;
    request += " HTTP/1.1\r\nHost: " + options.host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    request += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ";
    request += kKey;
    return request += "\r\n\r\n";
}

std::optional<int> take_upgrade_answer(std::string_view& bytes) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == bytes.npos) return std::nullopt;
    const std::string_view head = bytes.substr(0, end);
    int status = 0;
    if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return -1;
    if (std::from_chars(head.data() + 9, head.data() + 12, status).ec != std::errc{}) return -1;
    if (status == 101 && head.find(kAccept) == head.npos) return -1;
    bytes.remove_prefix(end + 4);
    return status;
}

std::optional<std::uint32_t> sequence_of(std::string_view message, Protocol protocol) {
    if (protocol == Protocol::pusher) {
        constexpr std::string_view kData = "\"data\":\"";
        const std::size_t at = message.find(kData);
        if (at == message.npos) return std::nullopt;
        message.remove_prefix(at + kData.size());
    }
    if (message.size() < kSizeMin) return std::nullopt;
    std::uint32_t number = 0;
    const char* end = message.data() + kSizeMin;
    const auto [stopped, error] = std::from_chars(message.data(), end, number);
    return error == std::errc{} && stopped == end ? std::optional(number) : std::nullopt;
}

std::optional<std::uint32_t> channel_in(std::string_view message) {
    constexpr std::string_view kChannel = R"("channel":"load-)";
    const std::size_t at = message.find(kChannel);
    if (at == message.npos) return std::nullopt;
    message.remove_prefix(at + kChannel.size());
    std::uint32_t number = 0;
    const auto [stopped, error] = std::from_chars(message.data(), message.data() + message.size(), number);
    return error == std::errc{} ? std::optional(number) : std::nullopt;
}

}  // namespace spillway::load
